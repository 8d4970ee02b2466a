import { SmaltiError } from '../../contract/errors.ts'
import type { BandStatistics, Catalogue, CatalogueImage, SkippedFile } from '../../contract/imagery.ts'
import type { Recipe } from '../../contract/recipe.ts'
import type { TrainingSettings } from '../../contract/settings.ts'
import type { Upright } from '../../contract/training.ts'
import { readArea } from '../../imagery/area/areaFile.ts'
import { chooseBands } from '../../imagery/bands.ts'
import { PictureReader, type Scale, type Sight, scaledSize } from '../../imagery/pictures.ts'
import { scoped } from '../../imagery/scoped.ts'
import { sampleStatistics } from '../../imagery/statistics.ts'
import { type Architecture, outputStride } from '../../learning/network/architecture.ts'
import { architectureOf } from '../../learning/presets.ts'
import { type Project, type RunMeta, loadRun, saveCatalogue, saveRun, startRun } from '../../project/project.ts'
import { openFeatures } from '../features/frozenTrunk.ts'
import type { JobContext } from '../job.ts'
import { scaleOf, sightOf } from '../labelling/prepareLabelling.ts'
import { type Prepared, startingState } from './starting.ts'
import { recalled } from './trainingMemory.ts'
import { judgeUpright } from './upright.ts'

/** Crops narrower than this many coarse pixels have no room for displacements. */
const SMALLEST_COARSE = 4

/** Returns the project's unfinished run with the same settings, if there is one. */
export async function resumable(
  project: Project,
  settings: TrainingSettings,
  sources: readonly string[]
): Promise<Prepared | undefined> {
  const loaded = await loadRun(project)
  if (!loaded || loaded.meta.finished || loaded.meta.catalogue.sources.join('\n') !== sources.join('\n'))
    return undefined
  const decisive = ({
    classes,
    over,
    preset,
    method,
    features,
    recipe,
    seed,
    scale,
    gsd,
    bands,
    page,
    area,
    upright
  }: TrainingSettings): string =>
    JSON.stringify([classes, over, preset, method, features, recipe, seed, scale, gsd, bands, page, area, upright])
  const same = decisive(loaded.meta.settings) === decisive(settings)
  if (!same) return undefined
  const { meta } = loaded
  const { state, memory } = recalled(meta, loaded.arrays)
  return { project, meta, state, memory, skipped: meta.catalogue.skipped }
}

/** Prepares a new run: chooses bands, crop and images, measures the bands, and draws the first weights. */
export async function prepareRun(
  project: Project,
  recipe: Recipe,
  settings: TrainingSettings,
  catalogue: Catalogue,
  context: JobContext
): Promise<Prepared> {
  const area = settings.area === undefined ? undefined : await readArea(settings.area, 'area')
  const placed = withPlaces(catalogue.images, settings, area !== undefined)
  const { choice, images: banded, skipped: lacking } = chooseBands(placed.images, settings.bands)
  const { crop, images, tooSmall } = chooseCrop(
    banded,
    scaleOf(settings),
    recipe,
    architectureOf(recipe, choice.roles.length, settings)
  )
  const skipped = [...catalogue.skipped, ...placed.skipped, ...lacking, ...tooSmall]
  const stage = 'Measuring bands'
  context.onProgress({ stage })
  const unreadable: SkippedFile[] = []
  const backbone = settings.features && (await openFeatures(settings.features, choice))
  const sight = sightOf(project, { settings, bands: choice, area })
  const statistics = await sampleStatistics(
    sight,
    images,
    context.signal,
    (image, fault) => {
      const file = { path: image.path, reason: String(fault.details.reason) }
      unreadable.push(file)
      context.onProgress({ stage, skipped: file })
    },
    (share, copying) =>
      context.onProgress({ stage: copying ? `Preparing a tiled copy of ${copying.path}` : stage, share })
  )
  const usable = images.filter(({ path }) => !unreadable.some((file) => file.path === path))
  const upright = await judgedUpright({ ...sight, ranges: statistics }, usable, settings.upright, context.signal)
  const meta: RunMeta = {
    settings,
    backend: settings.backend,
    catalogue: { sources: catalogue.sources, images: usable, skipped: [...skipped, ...unreadable] },
    statistics,
    bands: choice,
    area,
    crop,
    architecture: architectureOf(recipe, choice.roles.length, settings, upright.used, backbone?.network),
    upright,
    position: { step: 0, seconds: 0, rateFactor: 1, history: [] },
    finished: false
  }
  const started = await startRun(project)
  context.onProgress({ stage: 'Finding initial clusters' })
  await using reader = scoped(new PictureReader(sightOf(project, meta)))
  const state = await startingState({ meta, reader }, recipe, 0, context.signal)
  await saveCatalogue(started, meta.catalogue)
  await saveRun(started, meta, state)
  return { project: started, meta, state, skipped: meta.catalogue.skipped }
}

/** Decides whether a pixel's row counts in these images. */
async function judgedUpright(
  sight: Sight & { ranges: BandStatistics },
  images: readonly CatalogueImage[],
  asked: TrainingSettings['upright'],
  signal: AbortSignal
): Promise<Upright> {
  await using reader = scoped(new PictureReader(sight))
  return await judgeUpright(asked, images, reader, sight.ranges, signal)
}

/**
 * Returns the images whose place on the ground is known, where the settings need it. Pixels outside an area of interest
 * count as missing.
 */
function withPlaces(
  images: readonly CatalogueImage[],
  { gsd }: TrainingSettings,
  hasArea: boolean
): { images: CatalogueImage[]; skipped: SkippedFile[] } {
  const reasonOf = (image: CatalogueImage): string | undefined =>
    gsd !== undefined && image.gsd === undefined
      ? 'its pixel size on the ground is unknown'
      : hasArea && !image.placed
        ? 'the area of interest needs its location, which is unknown'
        : undefined
  const usable = images
    .filter((image) => reasonOf(image) === undefined)
    .map((image) => (hasArea ? { ...image, gaps: true } : image))
  if (usable.length === 0)
    throw new SmaltiError('InvalidSetting', {
      setting: gsd !== undefined ? 'gsd' : 'area',
      reason: `none of the images can be used (${images[0].path}: ${reasonOf(images[0])})`
    })
  return {
    images: usable,
    skipped: images.flatMap((image) =>
      reasonOf(image) === undefined ? [] : [{ path: image.path, reason: reasonOf(image)! }]
    )
  }
}

/**
 * Returns the recipe's crop, or the largest one that fits half of the images; smaller images are skipped.
 * @throws NotEnoughPixels
 */
function chooseCrop(
  images: readonly CatalogueImage[],
  scale: Scale,
  recipe: Recipe,
  architecture: Architecture
): { crop: number; images: CatalogueImage[]; tooSmall: SkippedFile[] } {
  const stride = outputStride(architecture)
  const smallest = SMALLEST_COARSE * stride
  const shortSides = images.map((image) => Math.min(...Object.values(scaledSize(image, scale)))).sort((a, b) => a - b)
  const fits = shortSides.filter((side) => side >= smallest)
  if (fits.length === 0) {
    const advice = scale !== 1 ? 'Increase the scale.' : undefined
    throw new SmaltiError('NotEnoughPixels', { have: shortSides[shortSides.length - 1], need: smallest, advice })
  }
  const crop = Math.floor(Math.min(recipe.crop, fits[Math.floor(fits.length / 2)]) / stride) * stride
  const large = (image: CatalogueImage): boolean => Math.min(...Object.values(scaledSize(image, scale))) >= crop
  const tooSmall = images
    .filter((image) => !large(image))
    .map(({ path }) => ({ path, reason: `it is smaller than the training crop (${crop} pixels)` }))
  return { crop, images: images.filter(large), tooSmall }
}
