import type { Backend, NamedArrays } from '../../backends/program.ts'
import { type BandStatistics, type CatalogueImage, type SkippedFile, inVisibleColours } from '../../contract/imagery.ts'
import type { GroupMethod, Recipe, RecipeChanges } from '../../contract/recipe.ts'
import type { TrainingReport } from '../../contract/training.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { readCatalogue } from '../../imagery/catalogue.ts'
import { chooseBands } from '../../imagery/bands.ts'
import { PictureReader, type Sight } from '../../imagery/pictures.ts'
import { scoped } from '../../imagery/scoped.ts'
import { sampleStatistics, standardise } from '../../imagery/statistics.ts'
import { wholeImageProgram } from '../../learning/inference.ts'
import { type Points, pointsOf } from '../../learning/kMeans.ts'
import { globalVectors } from '../../learning/methods/deepInfomax.ts'
import { objectiveOf } from '../../learning/methods/table.ts'
import {
  type Architecture,
  featureChannels,
  initialWeights,
  outputStride,
  trunk
} from '../../learning/network/architecture.ts'
import { foldWeights } from '../../learning/network/forward.ts'
import { GROUP_CROPS, GROUP_SIDES, groupArchitecture, groupRecipe, isLearnt } from '../../learning/presets.ts'
import { normalFrom, uniformFrom } from '../../learning/random.ts'
import { train } from '../../learning/trainer.ts'
import { type StepShape, initialState, trainingStep } from '../../learning/trainingStep.ts'
import { transformPlanar } from '../../learning/views/geometry.ts'
import { inferenceBackend } from '../runtime/compute.ts'
import type { JobContext } from '../job.ts'
import { type Learning, withTraining } from '../training/learning.ts'

const WEIGHTS_STREAM = 1
/** Images processed at a time. */
const BATCH = 64

/** Whole images, resized to squares of one size. */
export interface Gallery {
  sight: Sight
  images: CatalogueImage[]
  /** Planar values 0…1 of each image, resized to a square of `side` pixels. */
  pixels: Float32Array[]
  side: number
  bands: number
  statistics: BandStatistics
  skipped: SkippedFile[]
}

/** Reads whole images from folders and files. @throws NotEnoughImages when there are fewer than `least` */
export async function readGallery(
  sources: readonly string[],
  least: number,
  { signal, onProgress }: JobContext
): Promise<Gallery> {
  onProgress({ stage: 'Reading images' })
  const catalogue = await readCatalogue(sources, signal)
  const { choice, images } = chooseBands(catalogue.images)
  const shortSides = catalogue.images.map(({ width, height }) => Math.min(width, height)).sort((a, b) => a - b)
  const side = shortSides[Math.floor(shortSides.length / 2)] < GROUP_SIDES.large ? GROUP_SIDES.small : GROUP_SIDES.large
  const seen: Sight = { scale: { side }, bands: choice }
  const statistics = await sampleStatistics(seen, images, signal, () => undefined)
  const sight = { ...seen, ranges: statistics }
  await using reader = scoped(new PictureReader(sight))
  const gallery: Gallery = {
    sight,
    images: [],
    pixels: [],
    side,
    bands: choice.roles.length,
    statistics,
    skipped: [...catalogue.skipped]
  }
  for (const [done, image] of images.entries()) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    try {
      gallery.pixels.push((await reader.whole(image)).values)
      gallery.images.push(image)
      await reader.forget(image)
    } catch (fault) {
      if (!(fault instanceof SmaltiError) || fault.name !== 'UnreadableImage') throw fault
      gallery.skipped.push({ path: image.path, reason: String(fault.details.reason) })
    }
    onProgress({ stage: 'Reading images', share: (done + 1) / images.length })
  }
  if (gallery.images.length < least)
    throw new SmaltiError('NotEnoughImages', { have: gallery.images.length, need: least })
  return gallery
}

/** Features of images, one row per image. */
export interface ImageFeatures {
  points: Points
  /** The global vectors of Deep InfoMax. */
  global?: Points
  backend: string
  steps: number
  report?: TrainingReport
}

interface Wanted extends Pick<Learning['wanted'], 'steps' | 'minutes' | 'backend'> {
  method: GroupMethod
  groups: number
  seed: number
  /** Overrides for the method's recipe. */
  changes?: Omit<RecipeChanges, 'views'>
}

/**
 * Computes features of whole images with a method: either their pixels, or the output of a trunk, trained on these
 * images or random.
 * @throws Cancelled, BackendUnavailable, TrainingDiverged
 */
export function imageFeatures(gallery: Gallery, wanted: Wanted, context: JobContext): Promise<ImageFeatures> {
  if (wanted.method !== 'kmeans-pixels') return trunkFeatures(gallery, wanted, context)
  return Promise.resolve({
    points: pointsOf(gallery.pixels.map((picture) => zScored(picture, gallery))),
    backend: 'k-means',
    steps: 0
  })
}

function zScored(picture: Float32Array, { statistics }: Gallery): Float32Array {
  const values = Float32Array.from(picture)
  standardise(values, statistics)
  return values
}

async function trunkFeatures(gallery: Gallery, wanted: Wanted, context: JobContext): Promise<ImageFeatures> {
  const { sight, images, side, bands, statistics } = gallery
  const chosen = { ...groupRecipe(wanted.method), ...wanted.changes }
  const stride = outputStride({ layers: trunk(chosen.layers, chosen.width) })
  const recipe: Recipe = { ...chosen, crop: stride * Math.round((GROUP_CROPS.size * side) / stride) }
  const { crop, radius, views, method, deepInfomax } = recipe
  const pairs = Math.min(recipe.pairs, images.length)
  const architecture = groupArchitecture(recipe, bands, wanted.groups)
  const shape: StepShape = { pairs, crop, ...(isLearnt(method) && method !== 'information' && { method, deepInfomax }) }
  const state = initialState(
    trainingStep(architecture, shape),
    initialWeights(
      architecture,
      normalFrom(uniformFrom(wanted.seed, WEIGHTS_STREAM)),
      objectiveOf(architecture, shape).parameters
    )
  )
  const crops = {
    sight,
    images,
    statistics,
    shape: {
      ...shape,
      bands,
      coloured: inVisibleColours(sight.bands),
      coarse: 1,
      radius,
      warped: false,
      wholeImage: true
    },
    views,
    smallestPart: GROUP_CROPS.smallestPart,
    seed: wanted.seed
  }
  const seen = async (weights: NamedArrays, backend: Backend): Promise<Points> => {
    context.onProgress({ stage: 'Extracting features' })
    return featuresOf(gallery, architecture, weights, backend)
  }
  if (wanted.method === 'random-cnn') {
    const backend = await inferenceBackend(wanted.backend)
    return { points: await seen(state, backend), backend: backend.name, steps: 0 }
  }
  const onSkipped = (file: SkippedFile): void => void gallery.skipped.push(file)
  return withTraining(
    { architecture, recipe, shape, state, crops, wanted },
    context,
    onSkipped,
    async (run, backend) => {
      let weights: NamedArrays = {}
      const position = await train({
        ...run,
        position: { step: 0, seconds: 0, rateFactor: 1, history: [] },
        onCheckpoint: (_, reached) => Promise.resolve(void (weights = reached))
      })
      const points = await seen(weights, backend)
      return {
        points,
        global: method === 'deep-infomax' ? globalVectors(weights, points) : undefined,
        backend: backend.name,
        steps: position.step,
        report: position.history.at(-1)
      }
    }
  )
}

/** Returns the features of every image, averaged over the image and its mirror image. */
async function featuresOf(
  gallery: Gallery,
  architecture: Architecture,
  weights: NamedArrays,
  backend: Backend
): Promise<Points> {
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
        transformPlanar(
          { transposed: false, flipRows: false, flipColumns: true },
          values,
          bands,
          side,
          images.subarray((BATCH + i) * size, (BATCH + i + 1) * size)
        )
      })
      const { features } = await execution.run({ images })
      part.forEach((_, i) =>
        rows.push(
          Float32Array.from(
            { length: width },
            (_, d) => (features[i * width + d] + features[(BATCH + i) * width + d]) / 2
          )
        )
      )
    }
    return pointsOf(rows)
  } finally {
    await execution.dispose()
  }
}
