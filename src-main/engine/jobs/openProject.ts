import { HEADS } from '../../contract/settings.ts'
import { labelSetOf, loadLabelIndex } from '../../project/labelSets.ts'
import { loadDescriptions } from '../labelling/describing.ts'
import { isTrained, loadRun, openProject } from '../../project/project.ts'
import { hasGroups } from '../../project/groups.ts'
import { loadClassHistory } from '../../project/scheme.ts'
import type { Job } from '../job.ts'

/** Returns the state of a project: its images, its run and the labels. */
export const openProjectJob: Job<'openProject'> = async ({ project: folder }) => {
  const project = await openProject(folder)
  const set = labelSetOf(project)
  const [run, labels] = [await loadRun(project), await loadLabelIndex(project, set)]
  return {
    folder,
    sources: project.sources,
    run: project.run,
    settings: run?.meta.settings,
    history: run?.meta.position.history ?? [],
    trained: run !== undefined && isTrained(run.meta),
    finished: run?.meta.finished ?? false,
    segmented:
      labels?.images.map(({ path, width, height, heatmaps }) => ({
        path,
        width,
        height,
        heatmaps: heatmaps !== undefined
      })) ?? [],
    partial: labels?.partial ?? false,
    heads:
      run &&
      Object.fromEntries(
        run.meta.architecture.heads
          .filter(({ name }) => (HEADS as readonly string[]).includes(name))
          .map(({ name, clusters }) => [name, clusters])
      ),
    tree: run?.meta.tree,
    map: run?.meta.map,
    cuts: labels?.cuts,
    grouped: hasGroups(project),
    made: run && (await loadClassHistory(project)),
    clusters: labels && (await loadDescriptions(project, set, labels)),
    classes: labels?.classes as
      { A: { name: string; colour: string }[]; B: { name: string; colour: string }[] } | undefined
  }
}
