import { basename } from 'node:path'
import type { z } from 'zod'
import { movedPixels } from '../../classes/corrections.ts'
import { describedClasses } from '../../classes/describe.ts'
import { EMPTY_HISTORY, atStep, schemeNow, withEdit } from '../../classes/history.ts'
import { stateId } from '../../classes/stateId.ts'
import type { SchemeEdit } from '../../contract/classes.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { readSchemeFile, writeSchemeFile } from '../../export/schemeFile.ts'
import { labelSetOf, loadLabelIndex } from '../../project/labelSets.ts'
import { withLock } from '../../project/lock.ts'
import { type Project, isTrained, loadRunNotes, openProject, runMeta } from '../../project/project.ts'
import { CLASSES_LOCK, loadClassHistory, saveClassHistory } from '../../project/scheme.ts'
import { loadDescriptions } from '../labelling/describing.ts'
import { schemeOfRun } from '../labelling/schemeOfRun.ts'
import type { Job } from '../job.ts'

/** The part of a run that an edit needs. Its weights and its images, which may be many, are not read. */
const notes = runMeta.pick({ architecture: true, tree: true, position: true, finished: true })

/** Reads the run whose clusters are edited. @throws NothingTrained, CheckpointUnreadable */
async function clustered(project: Project): Promise<z.infer<typeof notes>> {
  try {
    const found = project.run === undefined ? undefined : await loadRunNotes(project)
    const run = found === undefined ? undefined : notes.parse(found)
    if (run && isTrained(run)) return run
  } catch (fault) {
    if (fault instanceof SmaltiError && fault.name === 'ProjectNotFound') throw fault
    throw new SmaltiError('CheckpointUnreadable', { path: project.folder, reason: (fault as Error).message })
  }
  throw new SmaltiError('NothingTrained', { path: project.folder })
}

/** Edits the classes of a run's clusters, steps through their history, or only returns them. */
export const classesJob: Job<'classes'> = async (
  { project: folder, run, head, edits, undo, step, from, fromRun, into, overwrite, expected },
  { signal }
) => {
  const project = await openProject(folder, run)
  const { architecture, tree } = await clustered(project)
  const found = architecture.heads.find(({ name }) => name === head)
  if (!found) throw new SmaltiError('InvalidSetting', { setting: 'head', reason: `the run has no head ${head}` })
  // The tree joins the clusters of head A.
  const treeOfHead = tree?.count === found.clusters && found.mergedFrom === undefined ? tree : undefined
  const change = async (): Promise<typeof EMPTY_HISTORY> => {
    const before = (await loadClassHistory(project)) ?? EMPTY_HISTORY
    if (expected !== undefined && expected !== stateId(before))
      throw new SmaltiError('ClassesChanged', { path: folder })
    const lent: SchemeEdit[] =
      fromRun === undefined
        ? []
        : [
            {
              kind: 'replace',
              scheme: await schemeOfRun(project, fromRun, head, found.clusters, signal),
              name: `Copy classes from ${fromRun}`
            }
          ]
    const taken: SchemeEdit[] =
      from === undefined
        ? []
        : [
            {
              kind: 'replace',
              scheme: await readSchemeFile(from, schemeNow(before, head, found.clusters)),
              name: `Import ${basename(from)}`
            }
          ]
    let after = [...lent, ...taken, ...edits].reduce(
      (history, edit) => withEdit(history, head, found.clusters, edit, treeOfHead),
      before
    )
    if (undo !== undefined) after = atStep(after, after.cursor - undo)
    if (step !== undefined) after = atStep(after, step)
    if (after !== before) await saveClassHistory(project, after)
    return after
  }
  const asked =
    edits.length > 0 || from !== undefined || fromRun !== undefined || undo !== undefined || step !== undefined
  const history = asked
    ? await withLock(folder, change, CLASSES_LOCK)
    : ((await loadClassHistory(project)) ?? EMPTY_HISTORY)
  const scheme = schemeNow(history, head, found.clusters)
  if (into !== undefined) await writeSchemeFile(into, scheme, overwrite)
  const set = labelSetOf(project)
  const index = await loadLabelIndex(project, set)
  const described = index && (await loadDescriptions(project, set, index))?.[head]
  return {
    head,
    scheme,
    pixels: described && describedClasses(scheme, described, movedPixels(history, head)).map(({ pixels }) => pixels),
    steps: history.history.map(({ name }) => name),
    cursor: history.cursor,
    state: stateId(history)
  }
}
