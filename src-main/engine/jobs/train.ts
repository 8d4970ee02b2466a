import type { Catalogue, CatalogueImage, SkippedFile } from '../../contract/imagery.ts'
import { TesseraError } from '../../contract/errors.ts'
import type { TrainingSettings } from '../../contract/settings.ts'
import { readCatalogue } from '../../imagery/catalogue.ts'
import { PictureReader, scaledSize } from '../../imagery/pictures.ts'
import { sampleStatistics } from '../../imagery/statistics.ts'
import { type Architecture, initialWeights, outputStride } from '../../learning/network/architecture.ts'
import { architectureOf, recipeOf, type Recipe } from '../../learning/presets.ts'
import { normalFrom, uniformFrom } from '../../learning/random.ts'
import { type TrainingRun, train } from '../../learning/trainer.ts'
import { initialState, trainingStep } from '../../learning/trainingStep.ts'
import { withLock } from '../../project/lock.ts'
import { type Project, type RunMeta, loadRun, openOrCreateProject, saveProject, saveRun, startRun } from '../../project/project.ts'
import { chooseBackend } from '../compute.ts'
import { startCropSource } from '../cropSource.ts'
import type { Job, JobContext } from '../job.ts'

const WEIGHT_STREAM = 1
/** Crops narrower than this many coarse pixels hold no displacement worth the name. */
const SMALLEST_COARSE = 4

interface Prepared {
  project: Project
  meta: RunMeta
  state: Record<string, Float32Array>
  skipped: SkippedFile[]
}

export const trainJob: Job<'train'> = (input, context) => trainWith(recipeOf(input.settings), input, context)

/** Trains by a recipe of the caller's; `trainJob` takes the preset's. */
export async function trainWith(recipe: Recipe, input: Parameters<Job<'train'>>[0], context: JobContext): ReturnType<Job<'train'>> {
  context.onProgress({ stage: 'Reading the folder' })
  const catalogue = await readCatalogue(input.folder, context.signal, (done, total) =>
    context.onProgress({ stage: 'Reading the folder', share: done / total })
  )
  const opened = await openOrCreateProject(input.project, input.folder)
  return withLock(input.project, async () => {
    const prepared = (await resumable(opened, input.settings, input.folder)) ?? (await prepareRun(opened, recipe, input.settings, catalogue, context))
    return run(prepared, recipe, input.settings, context)
  })
}

/** The unfinished run of the same settings, if the project holds one. */
async function resumable(project: Project, settings: TrainingSettings, folder: string): Promise<Prepared | undefined> {
  const loaded = await loadRun(project)
  if (!loaded || loaded.meta.finished || loaded.meta.catalogue.folder !== folder) return undefined
  const same = (['classes', 'over', 'preset', 'seed', 'scale'] as const).every((key) => loaded.meta.settings[key] === settings[key])
  return same ? { project, meta: loaded.meta, state: loaded.arrays, skipped: loaded.meta.catalogue.skipped } : undefined
}

async function prepareRun(project: Project, recipe: Recipe, settings: TrainingSettings, catalogue: Catalogue, context: JobContext): Promise<Prepared> {
  const bands = Math.max(...catalogue.images.map((image) => image.bands))
  const architecture = architectureOf(recipe, bands, settings)
  const { crop, images, tooSmall } = chooseCrop(catalogue.images, settings.scale, recipe, architecture)
  const skipped = [...catalogue.skipped, ...tooSmall]
  context.onProgress({ stage: 'Measuring the bands' })
  const reader = new PictureReader(catalogue.folder, settings.scale, bands)
  const unreadable: SkippedFile[] = []
  const statistics = await sampleStatistics(reader, images, context.signal, (image, fault) => {
    const file = { path: image.path, reason: String(fault.details.reason) }
    unreadable.push(file)
    context.onProgress({ stage: 'Measuring the bands', skipped: file })
  })
  const usable = images.filter(({ path }) => !unreadable.some((file) => file.path === path))
  const program = trainingStep(architecture, { pairs: recipe.pairs, crop })
  const state = initialState(program, initialWeights(architecture, normalFrom(uniformFrom(settings.seed, WEIGHT_STREAM))))
  const meta: RunMeta = {
    settings,
    backend: settings.backend,
    catalogue: { folder: catalogue.folder, images: usable, skipped: [...skipped, ...unreadable] },
    statistics,
    bands,
    crop,
    architecture,
    position: { step: 0, seconds: 0, rateFactor: 1, history: [] },
    finished: false
  }
  const started = await startRun(project)
  await saveRun(started, meta, state)
  await saveProject(started)
  return { project: started, meta, state, skipped: meta.catalogue.skipped }
}

/**
 * The recipe's crop, or the largest that fits half of the images; smaller images are set aside.
 * @throws NotEnoughPixels
 */
function chooseCrop(
  images: readonly CatalogueImage[],
  scale: number,
  recipe: Recipe,
  architecture: Architecture
): { crop: number; images: CatalogueImage[]; tooSmall: SkippedFile[] } {
  const stride = outputStride(architecture)
  const smallest = SMALLEST_COARSE * stride
  const shortSides = images.map((image) => Math.min(...Object.values(scaledSize(image, scale)))).sort((a, b) => a - b)
  const fits = shortSides.filter((side) => side >= smallest)
  if (fits.length === 0) {
    const advice = scale < 1 ? 'Use a larger scale.' : undefined
    throw new TesseraError('NotEnoughPixels', { have: shortSides[shortSides.length - 1], need: smallest, advice })
  }
  const crop = Math.floor(Math.min(recipe.crop, fits[Math.floor(fits.length / 2)]) / stride) * stride
  const large = (image: CatalogueImage): boolean => Math.min(...Object.values(scaledSize(image, scale))) >= crop
  const tooSmall = images.filter((image) => !large(image)).map(({ path }) => ({ path, reason: `smaller than a crop of ${crop} pixels` }))
  return { crop, images: images.filter(large), tooSmall }
}

async function run({ project, meta, state, skipped }: Prepared, recipe: Recipe, settings: TrainingSettings, context: JobContext): ReturnType<Job<'train'>> {
  const { architecture } = meta
  const program = trainingStep(architecture, { pairs: recipe.pairs, crop: meta.crop })
  context.onProgress({ stage: 'Choosing the backend' })
  const backend = await chooseBackend(settings.backend, { architecture, pairs: recipe.pairs, crop: meta.crop })
  const execution = await backend.compile(program, state)
  const allSkipped = [...skipped]
  const source = startCropSource(
    {
      folder: meta.catalogue.folder,
      scale: settings.scale,
      images: meta.catalogue.images,
      statistics: meta.statistics,
      shape: { pairs: recipe.pairs, bands: meta.bands, crop: meta.crop, coarse: meta.crop / outputStride(architecture), radius: recipe.radius },
      recipe: { flips: recipe.flips, quarterTurns: recipe.quarterTurns, shift: recipe.shift, jitter: recipe.jitter },
      seed: settings.seed
    },
    (file) => {
      allSkipped.push(file)
      context.onProgress({ stage: 'Training', skipped: file })
    }
  )
  const limit: TrainingRun['limit'] = settings.steps !== undefined ? { steps: settings.steps } : { seconds: 60 * (settings.minutes ?? recipe.minutes) }
  const reached = (position: RunMeta['position']): boolean =>
    'steps' in limit ? position.step >= limit.steps : position.seconds >= limit.seconds
  try {
    const position = await train({
      architecture,
      recipe,
      execution,
      limit,
      position: meta.position,
      nextBatch: (step) => source.next(step),
      onReport: (report) => {
        const remaining = 'steps' in limit ? ((limit.steps - report.step) * report.seconds) / report.step : limit.seconds - report.seconds
        context.onProgress({ stage: 'Training', share: report.progress, remaining: Math.max(0, remaining), report })
      },
      onCheckpoint: (position, arrays) => saveRun(project, { ...meta, settings, position, finished: reached(position) }, arrays),
      whenResumed: () => context.whenResumed(),
      signal: context.signal
    })
    return {
      project: project.folder,
      run: project.run!,
      backend: backend.name,
      device: backend.device,
      resumedFrom: meta.position.step,
      steps: position.step,
      seconds: position.seconds,
      images: meta.catalogue.images.length,
      skipped: allSkipped,
      report: position.history.at(-1)
    }
  } finally {
    await source.stop()
    await execution.dispose()
  }
}
