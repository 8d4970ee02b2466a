import { rm } from 'node:fs/promises'
import { SmaltiError } from '../../contract/errors.ts'
import type { CatalogueImage, SkippedFile } from '../../contract/imagery.ts'
import { warningsOf } from '../../imagery/catalogue.ts'
import { scoped } from '../../imagery/scoped.ts'
import {
  type LabelSet,
  type LabelledImage,
  heatmapPaths,
  labelSetOf,
  labelledSoFar,
  loadLabelIndex,
  openDoneList,
  placeOf,
  rasterNames,
  rasterPaths,
  removeOrphans,
  saveLabelIndex
} from '../../project/labelSets.ts'
import { loadTrainedRun, openProject, type Project, type RunMeta } from '../../project/project.ts'
import { cleanRasters, rawPath } from '../labelling/cleaning.ts'
import { recountCorrections } from '../labelling/correcting.ts'
import { describeSet, measureAgain, openDescriber } from '../labelling/describing.ts'
import { type Task, classesOf, entryOf, labelTasks, taskOf } from '../labelling/labelling.ts'
import { type PreparedLabelling, prepareLabelling, visibleImages } from '../labelling/prepareLabelling.ts'
import { type Job, type JobContext, exclusively, isLost } from '../job.ts'
import { areOutdated, labelShard, removeShards, shardLock } from '../labelling/shards.ts'

type Input = Parameters<Job<'segment'>>[0]

export const segmentJob: Job<'segment'> = async (input, context) => {
  const started = performance.now()
  const project = await openProject(input.project)
  const loaded = await loadTrainedRun(project)
  const set = labelSetOf(project, input.images)
  const labelling = await prepareLabelling(project, loaded, input, context)
  const { images, skipped } = await visibleImages(
    labelling,
    input.images ?? loaded.meta.catalogue.sources,
    context,
    input.page
  )
  if (images.length === 0)
    throw new SmaltiError('NoReadableImages', {
      path: (input.images ?? project.sources).join(', '),
      files: skipped.length,
      reason: skipped[0] && `${skipped[0].path}: ${skipped[0].reason}.`
    })
  const outcome = input.shard
    ? await exclusively(
        input.project,
        context,
        (own) =>
          labelShard(
            labelling,
            set,
            images,
            input.shard!,
            { cleanUp: input.cleanUp, area: input.area, heatmaps: input.heatmaps, page: input.page },
            own
          ),
        shardLock(input.shard)
      )
    : await exclusively(input.project, context, (own) =>
        labelAll(project, set, labelling, loaded.meta, images, skipped, input, own)
      )
  const seconds = (performance.now() - started) / 1e3
  return {
    project: project.folder,
    labels: set.folder,
    ...outcome,
    warnings: warningsOf(images),
    backend: labelling.labeller.backend.name,
    seconds
  }
}

interface Outcome {
  images: number
  labelled: number
  skipped: SkippedFile[]
  waitingShare: number
}

/** Labels what is missing or changed, and makes it the set's labels. */
async function labelAll(
  project: Project,
  set: LabelSet,
  { labeller }: PreparedLabelling,
  meta: RunMeta,
  images: readonly CatalogueImage[],
  skipped: readonly SkippedFile[],
  input: Input,
  context: JobContext
): Promise<Outcome> {
  const { key, model } = labeller
  const heads = model.architecture.heads.map(({ name }) => name)
  const former = await loadLabelIndex(project, set)
  const known = await labelledSoFar(set, key, former)
  const passed: SkippedFile[] = [...skipped]
  const finished = new Map<string, LabelledImage>()
  const todo = images.filter((image) => {
    const found = known.get(image.path)
    const same =
      found !== undefined &&
      found.file === image.file &&
      found.page === image.page &&
      found.size === image.size &&
      found.modified === image.modified &&
      found.width === image.width &&
      found.height === image.height
    const enough = same && (!input.heatmaps || found.heatmaps !== undefined)
    if (enough) finished.set(image.path, found)
    return !enough
  })
  const names = rasterNames(images.map(({ path }) => path))
  const filesOf = (image: string): Pick<Task, 'rasters' | 'heatmaps'> => ({
    rasters: rasterPaths(key, heads, names.get(image)!),
    heatmaps: input.heatmaps ? heatmapPaths(key, heads, names.get(image)!) : undefined
  })
  const inSet = (paths: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(paths).map(([head, path]) => [head, placeOf(set, path)]))
  const cleaning = input.cleanUp
  const tasks = todo.map((image) => {
    const files = filesOf(image.path)
    const places = inSet(files.rasters)
    return taskOf(labeller, image, {
      rasters: cleaning
        ? Object.fromEntries(Object.entries(places).map(([head, path]) => [head, rawPath(path)]))
        : places,
      heatmaps: files.heatmaps && inSet(files.heatmaps)
    })
  })
  const save = async (partial: boolean): Promise<void> => {
    await saveLabelIndex(set, {
      step: meta.position.step,
      key,
      sources: input.images ?? meta.catalogue.sources,
      images: images.flatMap(({ path }) => finished.get(path) ?? []),
      skipped: passed,
      partial,
      cleanUp: cleaning,
      classes: classesOf(labeller),
      cuts: labeller.cuts
    })
    await describeSet(labeller, set, new Set(finished.keys()))
  }
  let waitingShare = 0
  {
    await using describer = scoped(await openDescriber(labeller, set))
    await using done = scoped(await openDoneList(set, key))
    try {
      await measureAgain(
        describer,
        labeller,
        set,
        images.flatMap((image) => (finished.has(image.path) ? [{ image, entry: finished.get(image.path)! }] : [])),
        context.signal
      )
      ;({ waitingShare } = await labelTasks(
        labeller,
        tasks,
        context,
        async ({ image }, sums) => {
          const files = filesOf(image.path)
          if (cleaning) await cleanRasters(inSet(files.rasters), labeller, image, cleaning, context.signal)
          // Those of an image that has changed since would belong to the former one.
          if (!files.heatmaps)
            for (const path of Object.values(inSet(heatmapPaths(key, heads, names.get(image.path)!))))
              await rm(path, { force: true })
          const entry = entryOf(labeller, image, files.rasters, files.heatmaps)
          await describer.add(image, entry, sums, context.signal)
          await done.add(entry)
          finished.set(image.path, entry)
        },
        (file) => void passed.push(file)
      ))
    } catch (fault) {
      // Labels of an earlier state of the run stay until these are whole; without any, what there is counts.
      const first = (former === undefined || former.key === key) && !isLost(context)
      if (fault instanceof SmaltiError && fault.name === 'Cancelled' && first && finished.size > 0) await save(true)
      throw fault
    }
  }
  if (finished.size === 0)
    throw new SmaltiError('NoReadableImages', {
      path: (input.images ?? project.sources).join(', '),
      files: images.length,
      reason: passed.at(-1) && `${passed.at(-1)!.path}: ${passed.at(-1)!.reason}.`
    })
  if (former?.key === key) await removeOrphans(set, former, new Set(finished.keys()))
  await save(false)
  await removeShards(set, areOutdated(meta.position.step))
  await recountCorrections(project, set, (await loadLabelIndex(project, set))!, context.signal)
  return {
    images: finished.size,
    labelled: todo.length - (images.length - finished.size),
    skipped: passed,
    waitingShare
  }
}
