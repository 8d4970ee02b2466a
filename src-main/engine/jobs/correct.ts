import { correctedTiles } from '../../classes/corrections.ts'
import { EMPTY_HISTORY, schemeNow, withCorrection } from '../../classes/history.ts'
import { clustersOf } from '../../classes/scheme.ts'
import { stateId } from '../../classes/stateId.ts'
import type { CorrectionShape, CorrectionTarget, Scheme } from '../../contract/classes.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { NO_LABEL } from '../../contract/labels.ts'
import { UNTOUCHED } from '../../labels/corrections.ts'
import { labelSetOf, loadLabelIndex } from '../../project/labelSets.ts'
import { withLock } from '../../project/lock.ts'
import { openProject } from '../../project/project.ts'
import { CLASSES_LOCK, loadClassHistory, saveClassHistory } from '../../project/scheme.ts'
import { correctImage } from '../labelling/correcting.ts'
import type { Job } from '../job.ts'

/** Corrects the labels of an image inside a shape, as a step of the classes' history. */
export const correctJob: Job<'correct'> = async ({ project: folder, head, path, shape, to, expected }, { signal }) => {
  const project = await openProject(folder)
  const set = labelSetOf(project)
  const index = await loadLabelIndex(project, set)
  const image = index?.images.find((entry) => entry.path === path)
  if (!index || !image) throw new SmaltiError('NothingSegmented', { path: index ? `${folder} (${path})` : folder })
  return withLock(
    folder,
    async () => {
      const before = (await loadClassHistory(project)) ?? EMPTY_HISTORY
      if (expected !== undefined && expected !== stateId(before))
        throw new SmaltiError('ClassesChanged', { path: folder })
      const scheme = schemeNow(before, head, index.classes[head].length)
      const corrected = await correctImage(
        { project, set, index, image, head, scheme, tiles: correctedTiles(before, head, path) },
        shape,
        labelOf(scheme, to),
        signal
      )
      if (!corrected) return { cursor: before.cursor }
      const after = withCorrection(before, nameOf(shape, scheme, to), corrected)
      await saveClassHistory(project, after)
      return { step: after.history[after.cursor], cursor: after.cursor }
    },
    CLASSES_LOCK
  )
}

/**
 * A class is painted with its first cluster, so that its pixels follow that cluster when it is merged.
 * @throws InvalidSetting
 */
function labelOf(scheme: Scheme, to: CorrectionTarget): number {
  if (to === 'model') return UNTOUCHED
  if (to === 'none') return NO_LABEL
  const [cluster] = clustersOf(scheme, to)
  if (cluster === undefined)
    throw new SmaltiError('InvalidSetting', { setting: 'classes', reason: `there is no class ${to + 1}` })
  return cluster
}

function nameOf({ kind }: CorrectionShape, { classes }: Scheme, to: CorrectionTarget): string {
  if (to === 'model') return 'Restore model labels'
  if (to === 'none') return 'Remove labels'
  const name = classes.find(({ id }) => id === to)?.name
  return kind === 'fill' ? `Fill with ${name}` : kind === 'polygon' ? `Draw polygon: ${name}` : `Paint ${name}`
}
