import { SmaltiError } from '../../contract/errors.ts'
import { labelSetOf, loadLabelIndex } from '../../project/labelSets.ts'
import { openProject } from '../../project/project.ts'
import { loadDescriptions } from '../labelling/describing.ts'
import type { Job } from '../job.ts'

/** Returns the size, bands and neighbours of the clusters in a segmentation. */
export const describeJob: Job<'describe'> = async ({ project: folder, images, head }) => {
  const project = await openProject(folder)
  const set = labelSetOf(project, images)
  const index = await loadLabelIndex(project, set)
  const described = index && (await loadDescriptions(project, set, index))
  if (!described) throw new SmaltiError('NothingSegmented', { path: folder })
  return { head, names: index.classes[head].map(({ name }) => name), ...described[head] }
}
