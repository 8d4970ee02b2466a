import { labelSetOf, loadLabelIndex } from '../../project/labelSets.ts'
import { loadTrainedRun, openProject } from '../../project/project.ts'
import { recountCorrections } from '../labelling/correcting.ts'
import { type Job, exclusively } from '../job.ts'
import { prepareLabelling, visibleImages } from '../labelling/prepareLabelling.ts'
import { mergeShards } from '../labelling/mergeShards.ts'
import { shardsToMerge } from '../labelling/shards.ts'

/** Merges the label rasters of all shards of a segmentation. */
export const mergeShardsJob: Job<'mergeShards'> = async (input, context) => {
  const project = await openProject(input.project)
  const loaded = await loadTrainedRun(project)
  const set = labelSetOf(project, input.images)
  const sources = input.images ?? loaded.meta.catalogue.sources
  return exclusively(input.project, context, async (own) => {
    const shards = await shardsToMerge(set, loaded.meta.position.step)
    const { asked } = shards.shards[0]
    const labelling = await prepareLabelling(project, loaded, asked, own)
    const { images, skipped } = await visibleImages(labelling, sources, own, asked.page)
    const merged = await mergeShards(labelling, set, shards, sources, images, skipped, own)
    await recountCorrections(project, set, (await loadLabelIndex(project, set))!, own.signal)
    return { project: project.folder, labels: set.folder, ...merged }
  })
}
