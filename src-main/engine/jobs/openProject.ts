import { labelSetOf, loadLabelIndex } from '../../project/labelSets.ts'
import { isTrained, loadRun, openProject } from '../../project/project.ts'
import type { Job } from '../job.ts'

export const openProjectJob: Job<'openProject'> = async ({ project: folder }) => {
  const project = await openProject(folder)
  const [run, labels] = [await loadRun(project), await loadLabelIndex(project, labelSetOf(project))]
  return {
    folder,
    sources: project.sources,
    run: project.run,
    settings: run?.meta.settings,
    history: run?.meta.position.history ?? [],
    trained: run !== undefined && isTrained(run.meta),
    finished: run?.meta.finished ?? false,
    segmented: labels?.images.map(({ path, width, height }) => ({ path, width, height })) ?? [],
    partial: labels?.partial ?? false,
    classes: labels?.classes as { A: { name: string; colour: string }[]; B: { name: string; colour: string }[] } | undefined
  }
}
