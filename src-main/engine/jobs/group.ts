import type { Backend, NamedArrays } from '../../backends/program.ts'
import { type BandStatistics, type CatalogueImage, type SkippedFile, inVisibleColours } from '../../contract/imagery.ts'
import type { Recipe } from '../../contract/recipe.ts'
import type { TrainingReport } from '../../contract/training.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { GroupedImage } from '../../contract/groups.ts'
import { checkGroupsFolder, writeGroups } from '../../export/groups.ts'
import { groupsNow } from '../../classes/groups.ts'
import { readCatalogue } from '../../imagery/catalogue.ts'
import { chooseBands } from '../../imagery/bands.ts'
import { PictureReader, type Sight } from '../../imagery/pictures.ts'
import { sampleStatistics, standardise } from '../../imagery/statistics.ts'
import { wholeImageProgram } from '../../learning/inference.ts'
import { type Points, columnMoments, kMeans, pointsOf, squaredDistance, standardised } from '../../learning/kMeans.ts'
import { type Architecture, featureChannels, initialWeights } from '../../learning/network/architecture.ts'
import { foldWeights } from '../../learning/network/forward.ts'
import { GROUP_CROPS, GROUP_RECIPE, GROUP_SIDES, groupArchitecture } from '../../learning/presets.ts'
import { normalFrom, uniformFrom } from '../../learning/random.ts'
import { train } from '../../learning/trainer.ts'
import { initialState, trainingStep } from '../../learning/trainingStep.ts'
import { transformPlanar } from '../../learning/views/geometry.ts'
import { GROUPS_LOCK, saveFoundGroups } from '../../project/groups.ts'
import { withLock } from '../../project/lock.ts'
import { openOrCreateProject } from '../../project/project.ts'
import type { Job, JobContext } from '../job.ts'
import { withTraining } from '../learning.ts'

type Input = Parameters<Job<'group'>>[0]

const STREAMS = { weights: 1, clusters: 4 }
/** Images labelled at a time. */
const BATCH = 64

/** All that grouping needs to know of the images. */
interface Gallery {
  sight: Sight
  images: CatalogueImage[]
  /** Planar values 0…1 of each image, brought to a square of `side` pixels. */
  pixels: Float32Array[]
  side: number
  bands: number
  statistics: BandStatistics
  skipped: SkippedFile[]
}

type Assignment = Pick<GroupedImage, 'group' | 'confidence'>

interface Grouping {
  assigned: Assignment[]
  backend: string
  steps: number
  report?: TrainingReport
}

export const groupJob: Job<'group'> = async (input, context) => {
  const started = performance.now()
  const { project: folder, out, copies, overwrite, sources } = input
  if (folder === undefined && out === undefined) throw new SmaltiError('InvalidSetting', { setting: 'group', reason: 'a project that keeps the groups is needed, or a folder for their table' })
  const gallery = await readGallery(input, context)
  const territory = { sources, images: gallery.images.map(({ file }) => file), project: folder }
  // Before the time is spent.
  if (out !== undefined) await checkGroupsFolder(out, gallery.images, input.groups, { copies, overwrite, territory })
  const { assigned, ...outcome } = await (input.method === 'kmeans-pixels' ? groupPixels : groupByInformation)(gallery, input, context)
  context.onProgress({ stage: 'Writing the groups' })
  const images = gallery.images.map(({ path, file }, i) => ({ path, file, ...assigned[i] }))
  if (folder !== undefined) {
    const project = await openOrCreateProject(folder, sources)
    await withLock(folder, () => saveFoundGroups(project, { groups: input.groups, images }), GROUPS_LOCK.name, GROUPS_LOCK.patience)
  }
  const groups = groupsNow({ groups: input.groups, images, edits: [], done: 0 })
  if (out !== undefined) gallery.skipped.push(...(await writeGroups(groups, out, { copies, overwrite, territory })).skipped)
  const sizes = groups.groups.map(({ id }) => images.filter(({ group }) => group === id).length)
  return { project: folder, out, ...outcome, images: images.length, sizes, skipped: gallery.skipped, seconds: (performance.now() - started) / 1e3 }
}

/** @throws NotEnoughImages when there are fewer than groups */
async function readGallery({ sources, groups }: Input, { signal, onProgress }: JobContext): Promise<Gallery> {
  onProgress({ stage: 'Reading the images' })
  const catalogue = await readCatalogue(sources, signal)
  const { choice, images } = chooseBands(catalogue.images)
  const shortSides = catalogue.images.map(({ width, height }) => Math.min(width, height)).sort((a, b) => a - b)
  const side = shortSides[Math.floor(shortSides.length / 2)] < GROUP_SIDES.large ? GROUP_SIDES.small : GROUP_SIDES.large
  const seen: Sight = { scale: { side }, bands: choice }
  const statistics = await sampleStatistics(seen, images, signal, () => undefined)
  const sight = { ...seen, ranges: statistics }
  const reader = new PictureReader(sight)
  const gallery: Gallery = { sight, images: [], pixels: [], side, bands: choice.roles.length, statistics, skipped: [...catalogue.skipped] }
  for (const [done, image] of images.entries()) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    try {
      gallery.pixels.push((await reader.whole(image)).values)
      gallery.images.push(image)
    } catch (fault) {
      if (!(fault instanceof SmaltiError) || fault.name !== 'UnreadableImage') throw fault
      gallery.skipped.push({ path: image.path, reason: String(fault.details.reason) })
    }
    onProgress({ stage: 'Reading the images', share: (done + 1) / images.length })
  }
  if (gallery.images.length < groups) throw new SmaltiError('NotEnoughImages', { have: gallery.images.length, need: groups })
  await reader.close()
  return gallery
}

/** The baseline: k-means on the pixels of the small images. */
function groupPixels(gallery: Gallery, { groups, seed }: Input): Promise<Grouping> {
  const points = pointsOf(gallery.pixels.map((picture) => zScored(picture, gallery)))
  return Promise.resolve({ assigned: cluster(points, groups, seed), backend: 'k-means', steps: 0 })
}

function zScored(picture: Float32Array, { statistics }: Gallery): Float32Array {
  const values = Float32Array.from(picture)
  standardise(values, statistics)
  return values
}

/** k-means; the confidence is 0 where two groups are equally near and 1 at a centre. */
function cluster(points: Points, groups: number, seed: number): Assignment[] {
  const { centres, assigned } = kMeans(points, groups, uniformFrom(seed, STREAMS.clusters))
  return Array.from(assigned, (group, i) => {
    const { values, width } = points
    const distances = Array.from({ length: groups }, (_, g) => Math.sqrt(squaredDistance(values, i * width, centres, g * width, width)))
    const second = Math.min(...distances.filter((_, g) => g !== group))
    return { group, confidence: second > 0 ? Math.max(0, 1 - distances[group] / second) : 0 }
  })
}

/** Learns features by information, then clusters them; images of one group point the same way. */
async function groupByInformation(gallery: Gallery, input: Input, context: JobContext): Promise<Grouping> {
  const { sight, images, side, bands, statistics } = gallery
  const recipe: Recipe = { ...GROUP_RECIPE, crop: Math.round(GROUP_CROPS.size * side) }
  const { crop, radius, views } = recipe
  const pairs = Math.min(recipe.pairs, images.length)
  const architecture = groupArchitecture(bands, input.groups)
  const shape = { pairs, crop }
  const state = initialState(trainingStep(architecture, shape), initialWeights(architecture, normalFrom(uniformFrom(input.seed, STREAMS.weights))))
  const crops = {
    sight,
    images,
    statistics,
    shape: { ...shape, bands, coloured: inVisibleColours(sight.bands), coarse: 1, radius, warped: false, wholeImage: true },
    views,
    smallestPart: GROUP_CROPS.smallestPart,
    seed: input.seed
  }
  const onSkipped = (file: SkippedFile): void => void gallery.skipped.push(file)
  return withTraining({ architecture, recipe, shape, state, crops, wanted: input }, context, onSkipped, async (run, backend) => {
    let weights: NamedArrays = {}
    const position = await train({
      ...run,
      position: { step: 0, seconds: 0, rateFactor: 1, history: [] },
      onCheckpoint: (_, reached) => Promise.resolve(void (weights = reached))
    })
    context.onProgress({ stage: 'Grouping' })
    const features = await featuresOf(gallery, architecture, weights, backend)
    const points = ofLengthOne(standardised(features, columnMoments(features)))
    return { assigned: cluster(points, input.groups, input.seed), backend: backend.name, steps: position.step, report: position.history.at(-1) }
  })
}

function ofLengthOne({ values, count, width }: Points): Points {
  const scaled = Float32Array.from(values)
  for (let i = 0; i < count; i++) {
    const row = scaled.subarray(i * width, (i + 1) * width)
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0)) || 1
    row.forEach((value, d) => (row[d] = value / length))
  }
  return { values: scaled, count, width }
}

/** Features of every image, the mean of the image's and its mirror image's. */
async function featuresOf(gallery: Gallery, architecture: Architecture, weights: NamedArrays, backend: Backend): Promise<Points> {
  const { pixels, bands, side } = gallery
  const program = wholeImageProgram(architecture, { images: 2 * BATCH, side })
  const execution = await backend.compile(program, foldWeights(architecture, weights))
  const width = featureChannels(architecture)
  const rows: Float32Array[] = []
  try {
    for (let from = 0; from < pixels.length; from += BATCH) {
      const part = pixels.slice(from, from + BATCH)
      const size = bands * side * side
      const images = new Float32Array(2 * BATCH * size)
      part.forEach((picture, i) => {
        const values = zScored(picture, gallery)
        images.set(values, i * size)
        transformPlanar({ transposed: false, flipRows: false, flipColumns: true }, values, bands, side, images.subarray((BATCH + i) * size, (BATCH + i + 1) * size))
      })
      const { features } = await execution.run({ images })
      part.forEach((_, i) => rows.push(Float32Array.from({ length: width }, (_, d) => (features[i * width + d] + features[(BATCH + i) * width + d]) / 2)))
    }
    return pointsOf(rows)
  } finally {
    await execution.dispose()
  }
}
