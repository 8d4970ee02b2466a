import type { Backend } from '../../backends/program.ts'
import type { Catalogue, CatalogueImage, SkippedFile } from '../../contract/imagery.ts'
import { TesseraError } from '../../contract/errors.ts'
import type { Recipe } from '../../contract/recipe.ts'
import type { TrainingSettings } from '../../contract/settings.ts'
import { readCatalogue } from '../../imagery/catalogue.ts'
import { PictureReader, scaledSize } from '../../imagery/pictures.ts'
import { sampleStatistics } from '../../imagery/statistics.ts'
import { ASSIGNMENT_TEMPERATURE, kMeansHeads, warmHeads } from '../../learning/clusterHeads.ts'
import { type Architecture, initialWeights, outputStride } from '../../learning/network/architecture.ts'
import { architectureOf, recipeOf } from '../../learning/presets.ts'
import { normalFrom, uniformFrom } from '../../learning/random.ts'
import { type TrainingPosition, train } from '../../learning/trainer.ts'
import { type StepShape, initialState, trainingStep } from '../../learning/trainingStep.ts'
import { displacementCount, drawnOf, isWarped } from '../../learning/views/pairs.ts'
import { withLock } from '../../project/lock.ts'
import { type Project, type RunMeta, loadRun, openOrCreateProject, saveProject, saveRun, startRun } from '../../project/project.ts'
import { inferenceBackend } from '../compute.ts'
import { type SurveyedRun, concludingWeights, surveyRun } from '../conclusion.ts'
import type { Job, JobContext } from '../job.ts'
import { type ReadyRun, withTraining } from '../learning.ts'

/** Streams of random numbers that depend on the seed. */
const STREAMS = { weights: 1, clusters: 4 }
/** Crops narrower than this many coarse pixels hold no displacement worth the name. */
const SMALLEST_COARSE = 4
/** The trunk's share of a warm start. */
const WARM_TRUNK_SHARE = 0.1

interface Prepared {
  project: Project
  meta: RunMeta
  state: Record<string, Float32Array>
  skipped: SkippedFile[]
  reader: PictureReader
}

interface Outcome {
  position: TrainingPosition
  backend: Backend
}

export const trainJob: Job<'train'> = async (input, context) => {
  const { settings, folder } = input
  const recipe = recipeOf(settings)
  context.onProgress({ stage: 'Reading the folder' })
  const catalogue = await readCatalogue(folder, context.signal, (done, total) => context.onProgress({ stage: 'Reading the folder', share: done / total }))
  const opened = await openOrCreateProject(input.project, folder)
  return withLock(input.project, async () => {
    const prepared = (await resumable(opened, settings, folder)) ?? (await prepareRun(opened, recipe, settings, catalogue, context))
    const skipped = [...prepared.skipped]
    const onSkipped = (file: SkippedFile): void => {
      skipped.push(file)
      context.onProgress({ stage: 'Training', skipped: file })
    }
    const learn = recipe.method === 'information' ? learnInformation : clusterFeatures
    const { backend, position } = await learn(prepared, recipe, settings, context, onSkipped)
    return {
      project: prepared.project.folder,
      run: prepared.project.run!,
      method: recipe.method,
      backend: backend.name,
      device: backend.device,
      resumedFrom: prepared.meta.position.step,
      steps: position.step,
      seconds: position.seconds,
      images: prepared.meta.catalogue.images.length,
      skipped,
      report: position.history.at(-1)
    }
  })
}

/** The unfinished run of the same settings, if the project holds one. */
async function resumable(project: Project, settings: TrainingSettings, folder: string): Promise<Prepared | undefined> {
  const loaded = await loadRun(project)
  if (!loaded || loaded.meta.finished || loaded.meta.catalogue.folder !== folder) return undefined
  const decisive = ({ classes, over, preset, method, recipe, seed, scale }: TrainingSettings): string => JSON.stringify([classes, over, preset, method, recipe, seed, scale])
  const same = decisive(loaded.meta.settings) === decisive(settings)
  if (!same) return undefined
  const { meta, arrays } = loaded
  return { project, meta, state: arrays, skipped: meta.catalogue.skipped, reader: new PictureReader(folder, settings.scale, meta.bands) }
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
  context.onProgress({ stage: 'Finding the first clusters' })
  const state = await startingState({ meta, reader }, recipe, 0, context.signal)
  await saveRun(started, meta, state)
  await saveProject(started)
  return { project: started, meta, state, skipped: meta.catalogue.skipped, reader }
}

function stepShape({ crop }: Pick<RunMeta, 'crop'>, recipe: Recipe): StepShape {
  const { pairs, radius, clip, averaging, views } = recipe
  return { pairs, crop, displacements: displacementCount({ radius, drawn: drawnOf(recipe) }), warped: isWarped(views), clip, averaging }
}

/** Weights and moments before the first step; other trials start from other random weights. */
async function startingState({ meta, reader }: SurveyedRun, recipe: Recipe, trial: number, signal: AbortSignal): Promise<Record<string, Float32Array>> {
  const { architecture, settings: { seed } } = meta
  const weights = initialWeights(architecture, normalFrom(uniformFrom(seed, STREAMS.weights, trial)))
  const program = trainingStep(architecture, stepShape(meta, recipe))
  if (recipe.method !== 'information' || recipe.warmStart === 0 || recipe.statistics.length === 0) return initialState(program, weights)
  const pixels = await surveyRun({ meta, reader }, weights, { statistics: recipe.statistics }, signal)
  const heads = warmHeads(architecture, weights, pixels.statistics, recipe.warmStart, WARM_TRUNK_SHARE, uniformFrom(seed, STREAMS.clusters, trial))
  return initialState(program, { ...weights, ...heads })
}

/** k-means on features that are not learnt, and the heads of an untrained network. */
async function clusterFeatures({ project, meta, state, reader }: Prepared, recipe: Recipe, settings: TrainingSettings, context: JobContext): Promise<Outcome> {
  const started = performance.now()
  const backend = await inferenceBackend(settings.backend)
  if (recipe.method !== 'random-cnn') {
    context.onProgress({ stage: 'Clustering' })
    const { features } = await surveyRun({ meta, reader }, state, {}, context.signal)
    Object.assign(state, kMeansHeads(meta.architecture, features, ASSIGNMENT_TEMPERATURE, uniformFrom(settings.seed, STREAMS.clusters)))
  }
  const position = { ...meta.position, seconds: (performance.now() - started) / 1e3 }
  await saveRun(project, { ...meta, position, finished: true }, state)
  return { backend, position }
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

async function learnInformation(prepared: Prepared, recipe: Recipe, settings: TrainingSettings, context: JobContext, onSkipped: (file: SkippedFile) => void): Promise<Outcome> {
  const { project, meta, reader, state } = prepared
  const { architecture, bands, crop, catalogue, statistics } = meta
  const { pairs, radius, views } = recipe
  const shape = { pairs, bands, crop, coarse: crop / outputStride(architecture), radius, drawn: drawnOf(recipe), warped: isWarped(views) }
  const crops = { folder: catalogue.folder, scale: settings.scale, images: catalogue.images, statistics, shape, views, seed: settings.seed }
  return withTraining({ architecture, recipe, shape: stepShape(meta, recipe), state, crops, wanted: settings }, context, onSkipped, async (run, backend) => {
    const position = meta.position.step > 0 ? meta.position : await bestStart(prepared, recipe, run)
    let saved = { position, state }
    const save = (weights: Record<string, Float32Array>, reached: TrainingPosition, finished: boolean): Promise<void> =>
      saveRun(project, { ...meta, settings, position: reached, finished }, weights)
    await train({
      ...run,
      position,
      onCheckpoint: async (reached, weights) => {
        saved = { position: reached, state: weights }
        await save(weights, reached, false)
      }
    })
    context.onProgress({ stage: 'Settling the clusters', share: 1 })
    const concluding = await concludingWeights({ meta: { ...meta, position: saved.position }, reader }, recipe, saved.state, context.signal)
    await save({ ...saved.state, ...concluding }, saved.position, true)
    return { backend, position: saved.position }
  })
}

/**
 * Of several random starts, each trained for a while, the one whose first head tells most goes on: information needs
 * no labels, and clusters that lie idle lower it. The time of all counts.
 */
async function bestStart({ meta, state, reader }: Prepared, recipe: Recipe, run: ReadyRun): Promise<TrainingPosition> {
  const { trials, share } = recipe.restarts
  if (trials === 1) return meta.position
  let best: { position: TrainingPosition; state: Record<string, Float32Array>; information: number } | undefined
  let spent = 0
  for (let trial = 0; trial < trials; trial++) {
    const start = trial === 0 ? state : await startingState({ meta, reader }, recipe, trial, run.signal)
    await run.execution.writeState(start)
    let reached = start
    const position = await train({
      ...run,
      until: share,
      position: meta.position,
      onCheckpoint: (_, found) => Promise.resolve(void (reached = found))
    })
    spent += position.seconds
    const information = position.history.at(-1)?.heads[0].information ?? 0
    if (!best || information > best.information) best = { position, state: reached, information }
  }
  await run.execution.writeState(best!.state)
  return { ...best!.position, seconds: spent }
}

