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
import { type Describer, describeSet, measureAgain, openDescriber } from '../labelling/describing.ts'
import { type Labeller, type Task, classesOf, entryOf, labelTasks, taskOf } from '../labelling/labelling.ts'
import { prepareLabelling, visibleImages } from '../labelling/prepareLabelling.ts'
import { type Job, type JobContext, exclusively, isLost } from '../job.ts'
import { areOutdated, labelShard, removeShards, shardLock } from '../labelling/shards.ts'

type Input = Parameters<Job<'segment'>>[0]

/** Labels images with a trained run, whole or one shard of the work. */
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
        labelAll({ project, set, labeller: labelling.labeller, meta: loaded.meta, images, skipped, input }, own)
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

/** The images to label, and the set that their labels belong to. */
interface Assignment {
  project: Project
  set: LabelSet
  labeller: Labeller
  meta: RunMeta
  images: readonly CatalogueImage[]
  skipped: readonly SkippedFile[]
  input: Input
}

/** Labels images whose labels are missing or outdated, and updates the set's index. */
async function labelAll(assignment: Assignment, context: JobContext): Promise<Outcome> {
  const { project, set, labeller, meta, images, input } = assignment
  const former = await loadLabelIndex(project, set)
  const { finished, todo } = dividedWork(images, await labelledSoFar(set, labeller.key, former), input.heatmaps)
  const passed: SkippedFile[] = [...assignment.skipped]
  const save = async (partial: boolean): Promise<void> => {
    await saveLabelIndex(set, {
      step: meta.position.step,
      key: labeller.key,
      sources: input.images ?? meta.catalogue.sources,
      images: images.flatMap(({ path }) => finished.get(path) ?? []),
      skipped: passed,
      partial,
      cleanUp: input.cleanUp,
      classes: classesOf(labeller),
      cuts: labeller.cuts
    })
    await describeSet(labeller, set, new Set(finished.keys()))
  }
  let waitingShare = 0
  try {
    waitingShare = await labelRest(assignment, todo, finished, (file) => void passed.push(file), context)
  } catch (fault) {
    // Labels of an earlier state of the run stay until the new ones are complete. If there are none, partial labels are
    // better than nothing.
    const first = (former === undefined || former.key === labeller.key) && !isLost(context)
    if (fault instanceof SmaltiError && fault.name === 'Cancelled' && first && finished.size > 0) await save(true)
    throw fault
  }
  if (finished.size === 0)
    throw new SmaltiError('NoReadableImages', {
      path: (input.images ?? project.sources).join(', '),
      files: images.length,
      reason: passed.at(-1) && `${passed.at(-1)!.path}: ${passed.at(-1)!.reason}.`
    })
  if (former?.key === labeller.key) await removeOrphans(set, former, new Set(finished.keys()))
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

/** Divides the images into those whose labels can stay and those to label. */
function dividedWork(
  images: readonly CatalogueImage[],
  known: ReadonlyMap<string, LabelledImage>,
  heatmaps: boolean | undefined
): { finished: Map<string, LabelledImage>; todo: CatalogueImage[] } {
  const finished = new Map<string, LabelledImage>()
  const todo = images.filter((image) => {
    const found = known.get(image.path)
    const enough = found && isUnchanged(found, image) && (!heatmaps || found.heatmaps !== undefined)
    if (enough) finished.set(image.path, found)
    return !enough
  })
  return { finished, todo }
}

const isUnchanged = (found: LabelledImage, image: CatalogueImage): boolean =>
  found.file === image.file &&
  found.page === image.page &&
  found.size === image.size &&
  found.modified === image.modified &&
  found.width === image.width &&
  found.height === image.height

/**
 * Labels the remaining images, and records each one as finished once its files are written. Returns the share of the
 * time in which the network waited.
 */
async function labelRest(
  { set, labeller, images, input }: Assignment,
  todo: readonly CatalogueImage[],
  finished: Map<string, LabelledImage>,
  onSkipped: (file: SkippedFile) => void,
  context: JobContext
): Promise<number> {
  const { key, model } = labeller
  const heads = model.architecture.heads.map(({ name }) => name)
  const names = rasterNames(images.map(({ path }) => path))
  const filesOf = (image: string): Pick<Task, 'rasters' | 'heatmaps'> => ({
    rasters: rasterPaths(key, heads, names.get(image)!),
    heatmaps: input.heatmaps ? heatmapPaths(key, heads, names.get(image)!) : undefined
  })
  const inSet = (paths: Record<string, string>): Record<string, string> => mapped(paths, (path) => placeOf(set, path))
  const cleaning = input.cleanUp
  const tasks = todo.map((image) => {
    const files = filesOf(image.path)
    const places = inSet(files.rasters)
    return taskOf(labeller, image, {
      rasters: cleaning ? mapped(places, rawPath) : places,
      heatmaps: files.heatmaps && inSet(files.heatmaps)
    })
  })
  const finish = async ({ image }: Task, sums: Parameters<Describer['add']>[2]): Promise<void> => {
    const files = filesOf(image.path)
    if (cleaning) await cleanRasters(inSet(files.rasters), labeller, image, cleaning, context.signal)
    // Heatmaps of an earlier state would not match the image's new labels.
    if (!files.heatmaps)
      for (const path of Object.values(inSet(heatmapPaths(key, heads, names.get(image.path)!))))
        await rm(path, { force: true })
    const entry = entryOf(labeller, image, files.rasters, files.heatmaps)
    await describer.add(image, entry, sums, context.signal)
    await done.add(entry)
    finished.set(image.path, entry)
  }
  await using describer = scoped(await openDescriber(labeller, set))
  await using done = scoped(await openDoneList(set, key))
  const kept = images.flatMap((image) =>
    finished.has(image.path) ? [{ image, entry: finished.get(image.path)! }] : []
  )
  await measureAgain(describer, labeller, set, kept, context.signal)
  return (await labelTasks(labeller, tasks, context, finish, onSkipped)).waitingShare
}

const mapped = (paths: Record<string, string>, change: (path: string) => string): Record<string, string> =>
  Object.fromEntries(Object.entries(paths).map(([head, path]) => [head, change(path)]))
