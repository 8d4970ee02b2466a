import { labelSetOf, loadLabelIndex } from '../../project/labelSets.ts'
import { withLock } from '../../project/lock.ts'
import { loadTrainedRun, openProject } from '../../project/project.ts'
import { recountCorrections } from '../correcting.ts'
import type { Job } from '../job.ts'
import { prepareLabelling, visibleImages } from '../labellingOf.ts'
import { mergeShards, shardOptions } from '../shards.ts'

export const mergeShardsJob: Job<'mergeShards'> = async (input, context) => {
  const project = await openProject(input.project)
  const loaded = await loadTrainedRun(project)
  const set = labelSetOf(project, input.images)
  const sources = input.images ?? loaded.meta.catalogue.sources
  return withLock(input.project, async () => {
    const asked = await shardOptions(set)
    const labelling = await prepareLabelling(project, loaded, asked, context)
    const { images, skipped } = await visibleImages(labelling, sources, context, asked.page)
    const merged = await mergeShards(labelling, set, sources, images, skipped, asked, context)
    await recountCorrections(project, set, (await loadLabelIndex(project, set))!, context.signal)
    return { project: project.folder, labels: set.folder, ...merged }
  })
}
