import type { Backend } from '../../backends/program.ts'
import {
  type BandStatistics,
  type Catalogue,
  type CatalogueImage,
  type SkippedFile,
  inVisibleColours
} from '../../contract/imagery.ts'
import type { CommandOutput } from '../../contract/commands.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { Recipe } from '../../contract/recipe.ts'
import type { TrainingSettings } from '../../contract/settings.ts'
import type { Upright } from '../../contract/training.ts'
import { readArea } from '../../imagery/area/areaFile.ts'
import { chooseBands } from '../../imagery/bands.ts'
import { readCatalogue, warningsOf } from '../../imagery/catalogue.ts'
import { PictureReader, type Scale, type Sight, scaledSize } from '../../imagery/pictures.ts'
import { scoped } from '../../imagery/scoped.ts'
import { sampleStatistics } from '../../imagery/statistics.ts'
import { warmHeads } from '../../learning/clusterHeads.ts'
import { type Architecture, initialWeights, outputStride } from '../../learning/network/architecture.ts'
import { architectureOf, isLearnt, pretrainingRecipe, recipeOf } from '../../learning/presets.ts'
import { type Uniform, normalFrom, uniformFrom } from '../../learning/random.ts'
import { type TrainingMemory, type TrainingPosition, train, withoutJoint } from '../../learning/trainer.ts'
import { settledHeads, startingHeads } from '../../learning/methods/embedded.ts'
import { objectiveOf } from '../../learning/methods/table.ts'
import { type StepShape, appliedWeights, averageOf, initialState, trainingStep } from '../../learning/trainingStep.ts'
import { displacementCount, drawnOf, isWarped } from '../../learning/views/pairs.ts'
import {
  type Project,
  type RunMeta,
  adoptRun,
  loadRun,
  openOrCreateProject,
  removeUnlearnt,
  saveCatalogue,
  saveRun,
  startRun
} from '../../project/project.ts'
import { type Chosen, inferenceBackend } from '../runtime/compute.ts'
import {
  type Conclusion,
  type SurveyedRun,
  clusteredWeights,
  concludingWeights,
  surveyRun
} from '../training/conclusion.ts'
import type { CropSourceConfig } from '../training/cropSource.ts'
import { openFeatures } from '../features/frozenTrunk.ts'
import { type Job, type JobContext, exclusively, isLost } from '../job.ts'
import { scaleOf, sightOf } from '../labelling/prepareLabelling.ts'
import { judgeUpright } from '../training/upright.ts'
import { startWatch } from '../training/watching.ts'
import { memoryArrays, recalled } from '../training/trainingMemory.ts'
import { type Learning, type ReadyRun, withTraining } from '../training/learning.ts'

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
  /** Of a run that goes on. */
  memory?: TrainingMemory
}

/** A run and the reader of its images, for as long as it learns. */
type OpenedRun = Prepared & { reader: PictureReader }

type TrainInput = Parameters<Job<'train'>>[0]

interface Outcome {
  position: TrainingPosition
  backend: Backend
  chosen: Chosen
}

export const trainJob: Job<'train'> = async (input, context) => {
  const { settings, sources } = input
  const recipe = recipeOf(settings)
  if (recipe.method === 'features' && !settings.features)
    throw new SmaltiError('InvalidSetting', {
      setting: 'method',
      reason: 'features needs the file of the network that gives them (--features)'
    })
  if (settings.features && (settings.method ?? 'features') !== 'features')
    throw new SmaltiError('InvalidSetting', {
      setting: 'features',
      reason: `the method ${settings.method} does without them`
    })
  const stage = 'Reading the images'
  context.onProgress({ stage })
  const catalogue = await readCatalogue(
    sources,
    context.signal,
    (done, total) => context.onProgress({ stage, share: done / total }),
    settings.page
  )
  const opened = await openOrCreateProject(input.project, sources)
  const work = async (context: JobContext): Promise<CommandOutput<'train'>> => {
    await removeUnlearnt(opened)
    const prepared =
      (await resumable(opened, settings, sources)) ?? (await prepareRun(opened, recipe, settings, catalogue, context))
    await using reader = scoped(new PictureReader(sightOf(prepared.project, prepared.meta)))
    const skipped = [...prepared.skipped]
    const onSkipped = (file: SkippedFile): void => {
      skipped.push(file)
      context.onProgress({ stage: 'Training', skipped: file })
    }
    const learn = isLearnt(recipe.method) ? learnTrunk : clusterFeatures
    const { backend, chosen, position } = await learn({ ...prepared, reader }, recipe, input, context, onSkipped)
    const lastReport = position.history.at(-1)
    return {
      project: prepared.project.folder,
      run: prepared.project.run!,
      method: recipe.method,
      backend: backend.name,
      backendChosen: chosen,
      device: backend.device,
      resumedFrom: prepared.meta.position.step,
      steps: position.step,
      seconds: position.seconds,
      images: prepared.meta.catalogue.images.length,
      skipped,
      warnings: warningsOf(prepared.meta.catalogue.images),
      // Some methods have no use for the row.
      upright: prepared.meta.upright && { ...prepared.meta.upright, used: prepared.meta.architecture.upright === true },
      report: lastReport && withoutJoint(lastReport)
    }
  }
  return exclusively(input.project, context, (own) =>
    work(own).finally(() => (isLost(own) ? undefined : removeUnlearnt(opened)))
  )
}

/** The unfinished run of the same settings, if the project holds one. */
async function resumable(
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

async function prepareRun(
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
  const stage = 'Measuring the bands'
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
      context.onProgress({ stage: copying ? `Preparing ${copying.path}, which cannot be read in parts` : stage, share })
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
  context.onProgress({ stage: 'Finding the first clusters' })
  await using reader = scoped(new PictureReader(sightOf(project, meta)))
  const state = await startingState({ meta, reader }, recipe, 0, context.signal)
  await saveCatalogue(started, meta.catalogue)
  await saveRun(started, meta, state)
  return { project: started, meta, state, skipped: meta.catalogue.skipped }
}

/** Whether a pixel's row counts in images that are seen like this. */
async function judgedUpright(
  sight: Sight & { ranges: BandStatistics },
  images: readonly CatalogueImage[],
  asked: TrainingSettings['upright'],
  signal: AbortSignal
): Promise<Upright> {
  await using reader = scoped(new PictureReader(sight))
  return await judgeUpright(asked, images, reader, sight.ranges, signal)
}

/** Images whose place on the ground is known as far as it is needed; the outside of an area is a gap like any other. */
function withPlaces(
  images: readonly CatalogueImage[],
  { gsd }: TrainingSettings,
  hasArea: boolean
): { images: CatalogueImage[]; skipped: SkippedFile[] } {
  const reasonOf = (image: CatalogueImage): string | undefined =>
    gsd !== undefined && image.gsd === undefined
      ? 'its ground sampling distance is not known'
      : hasArea && !image.placed
        ? 'its place on the ground is not known, which the area of interest needs'
        : undefined
  const usable = images
    .filter((image) => reasonOf(image) === undefined)
    .map((image) => (hasArea ? { ...image, gaps: true } : image))
  if (usable.length === 0)
    throw new SmaltiError('InvalidSetting', {
      setting: gsd !== undefined ? 'gsd' : 'area',
      reason: `none of the images can be used: ${reasonOf(images[0])}`
    })
  return {
    images: usable,
    skipped: images.flatMap((image) =>
      reasonOf(image) === undefined ? [] : [{ path: image.path, reason: reasonOf(image)! }]
    )
  }
}

const isMasked = ({ catalogue }: Pick<RunMeta, 'catalogue'>): boolean => catalogue.images.some(({ gaps }) => gaps)

function stepShape(meta: Pick<RunMeta, 'crop' | 'catalogue'>, recipe: Recipe): StepShape {
  const { pairs, radius, clip, averaging, views, deepInfomax } = recipe
  const method = isLearnt(recipe.method) && recipe.method !== 'information' ? recipe.method : undefined
  return {
    ...(method && { method, deepInfomax }),
    pairs,
    crop: meta.crop,
    displacements: displacementCount({ radius, drawn: drawnOf(recipe) }),
    warped: isWarped(views),
    masked: isMasked(meta) || undefined,
    clip,
    averaging
  }
}

/** Weights and moments before the first step; other trials start from other random weights. */
async function startingState(
  { meta, reader }: SurveyedRun,
  recipe: Recipe,
  trial: number,
  signal: AbortSignal
): Promise<Record<string, Float32Array>> {
  const {
    architecture,
    settings: { seed }
  } = meta
  const shape = stepShape(meta, recipe)
  const weights = initialWeights(
    architecture,
    normalFrom(uniformFrom(seed, STREAMS.weights, trial)),
    objectiveOf(architecture, shape).parameters
  )
  const program = trainingStep(architecture, shape)
  if (recipe.method === 'embedded') {
    const { features } = await surveyRun({ meta, reader }, weights, {}, signal)
    return initialState(program, {
      ...weights,
      ...startingHeads(architecture, features, uniformFrom(seed, STREAMS.clusters, trial))
    })
  }
  if (recipe.method !== 'information' || recipe.warmStart === 0 || recipe.statistics.length === 0)
    return initialState(program, weights)
  const pixels = await surveyRun({ meta, reader }, weights, { statistics: recipe.statistics }, signal)
  const heads = warmHeads(
    architecture,
    weights,
    pixels.statistics,
    recipe.warmStart,
    WARM_TRUNK_SHARE,
    uniformFrom(seed, STREAMS.clusters, trial)
  )
  return initialState(program, { ...weights, ...heads })
}

/** k-means on features that are not learnt, and the heads of an untrained network. */
async function clusterFeatures(
  { project, meta, state, reader }: OpenedRun,
  recipe: Recipe,
  { settings }: TrainInput,
  context: JobContext
): Promise<Outcome> {
  const started = performance.now()
  const backend = await inferenceBackend(settings.backend)
  context.onProgress({ stage: 'Clustering' })
  const uniform = uniformFrom(settings.seed, STREAMS.clusters)
  const { weights, tree, map } = await clustersOf({ meta, reader }, recipe, state, uniform, context.signal)
  const position = { ...meta.position, seconds: (performance.now() - started) / 1e3 }
  await saveRun(project, { ...meta, position, tree, map, finished: true }, { ...state, ...weights })
  await adoptRun(project)
  return { backend, chosen: settings.backend === 'auto' ? 'embedded' : 'asked', position }
}

function clustersOf(
  run: SurveyedRun,
  recipe: Recipe,
  state: Record<string, Float32Array>,
  uniform: Uniform,
  signal: AbortSignal
): Promise<Conclusion> | Conclusion {
  if (recipe.method === 'random-cnn') return { weights: {} }
  return recipe.method === 'features' && recipe.refit
    ? concludingWeights(run, recipe, state, signal)
    : clusteredWeights(run, state, uniform, signal)
}

/**
 * The recipe's crop, or the largest that fits half of the images; smaller images are set aside.
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
    const advice = scale !== 1 ? 'Use a larger scale.' : undefined
    throw new SmaltiError('NotEnoughPixels', { have: shortSides[shortSides.length - 1], need: smallest, advice })
  }
  const crop = Math.floor(Math.min(recipe.crop, fits[Math.floor(fits.length / 2)]) / stride) * stride
  const large = (image: CatalogueImage): boolean => Math.min(...Object.values(scaledSize(image, scale))) >= crop
  const tooSmall = images
    .filter((image) => !large(image))
    .map(({ path }) => ({ path, reason: `smaller than a crop of ${crop} pixels` }))
  return { crop, images: images.filter(large), tooSmall }
}

async function learnTrunk(
  prepared: OpenedRun,
  recipe: Recipe,
  { settings, retime, watch }: TrainInput,
  context: JobContext,
  onSkipped: (file: SkippedFile) => void
): Promise<Outcome> {
  const { project, meta, reader } = prepared
  const { architecture } = meta
  const begins = recipe.method === 'information' ? recipe.pretrain : null
  // One that goes on has its trunk, and ends where one that nobody stopped does.
  const state =
    begins && meta.position.step === 0
      ? { ...prepared.state, ...(await pretrainedTrunk(prepared, recipe, settings, context, onSkipped)) }
      : prepared.state
  const wanted = begins ? partOf(settings, recipe, 1 - begins.share) : settings
  const crops = cropsOf(project, meta, recipe)
  // Heads that do not learn have nothing to show yet.
  const watching =
    watch === undefined || objectiveOf(architecture, stepShape(meta, recipe)).headParts.length < 2
      ? undefined
      : await startWatch({ meta, reader }, watch)
  const onLook: ReadyRun['onLook'] =
    watching &&
    (async (weights, report) =>
      context.onProgress({
        stage: 'Training',
        share: report.progress,
        remaining: (report.seconds * (1 - report.progress)) / report.progress,
        watched: await watching.look(weights, report)
      }))
  const learning = { architecture, recipe, shape: stepShape(meta, recipe), state, crops, wanted, retime }
  return withTraining(learning, context, onSkipped, async (ready, backend, chosen) => {
    const run = { ...ready, onLook }
    const position = meta.position.step > 0 ? meta.position : await bestStart({ ...prepared, state }, recipe, run)
    let saved = { position, state }
    await train({
      ...run,
      position,
      memory: prepared.memory,
      onCheckpoint: async (reached, weights, _, memory) => {
        if (isLost(context)) throw context.signal.reason
        saved = { position: reached, state: weights }
        const notes = { bestInformation: memory.best.information, risen: memory.risen }
        await saveRun(
          project,
          { ...meta, settings, position: reached, memory: notes, finished: false },
          { ...weights, ...memoryArrays(memory) }
        )
        // A run takes the former one's place when there is something to see.
        if (reached.step > 0) await adoptRun(project)
      }
    })
    context.onProgress({ stage: 'Settling the clusters', share: 1 })
    const {
      weights: concluding,
      tree,
      map
    } = await conclusionOf({ meta: { ...meta, position: saved.position }, reader }, recipe, saved.state, context.signal)
    await saveRun(
      project,
      { ...meta, settings, position: saved.position, memory: undefined, tree, map, finished: true },
      { ...saved.state, ...concluding }
    )
    await adoptRun(project)
    return { backend, chosen, position: saved.position }
  }).finally(() => watching?.stop())
}

/** What is cut from the images, and how the views of a pair differ. */
function cropsOf(project: Project, meta: RunMeta, recipe: Recipe): CropSourceConfig {
  const { architecture, bands, crop, catalogue, statistics, settings } = meta
  const { pairs, radius, views } = recipe
  const shape = {
    pairs,
    bands: architecture.bands,
    coloured: inVisibleColours(bands),
    masked: isMasked(meta),
    crop,
    coarse: crop / outputStride(architecture),
    radius,
    drawn: drawnOf(recipe),
    warped: isWarped(views)
  }
  return { sight: sightOf(project, meta), images: catalogue.images, statistics, shape, views, seed: settings.seed }
}

/** A share of the time or of the steps that are meant. */
function partOf({ steps, minutes, backend }: TrainingSettings, recipe: Recipe, share: number): Learning['wanted'] {
  return steps === undefined
    ? { minutes: (minutes ?? recipe.minutes) * share, backend }
    : { steps: Math.max(1, Math.round(steps * share)), backend }
}

/** The trunk as another method learns it first. */
async function pretrainedTrunk(
  { meta, state, project }: Prepared,
  recipe: Recipe,
  settings: TrainingSettings,
  context: JobContext,
  onSkipped: (file: SkippedFile) => void
): Promise<Record<string, Float32Array>> {
  const other = pretrainingRecipe(recipe)!
  if (!meta.architecture.layers.some(({ kind }) => kind === 'convolution'))
    throw new SmaltiError('InvalidSetting', {
      setting: 'recipe.pretrain',
      reason: 'there is no convolution that could learn'
    })
  const stride = outputStride(meta.architecture)
  const crop = Math.min(Math.floor(other.crop / stride) * stride, meta.crop)
  const architecture = { ...meta.architecture, statistics: undefined }
  const shape = stepShape({ ...meta, crop }, other)
  const weights = initialWeights(
    architecture,
    normalFrom(uniformFrom(settings.seed, STREAMS.weights)),
    objectiveOf(architecture, shape).parameters
  )
  const trunkOf = (arrays: Record<string, Float32Array>): Record<string, Float32Array> =>
    Object.fromEntries(Object.entries(arrays).filter(([name]) => /^trunk\d+\/[^/]+$/.test(name)))
  const start = initialState(trainingStep(architecture, shape), { ...weights, ...trunkOf(state) })
  const learning = {
    architecture,
    recipe: other,
    shape,
    state: start,
    crops: cropsOf(project, { ...meta, crop }, other),
    wanted: partOf(settings, recipe, recipe.pretrain!.share)
  }
  let reached = state
  await withTraining(learning, context, onSkipped, async (run) => {
    await train({
      ...run,
      position: { step: 0, seconds: 0, rateFactor: 1, history: [] },
      onCheckpoint: (_, found) => Promise.resolve(void (reached = found))
    })
  })
  const learnt = trunkOf(reached)
  return {
    ...learnt,
    ...Object.fromEntries(
      Object.entries(learnt)
        .map(([name, values]) => [averageOf(name), values])
        .filter(([name]) => (name as string) in state)
    )
  }
}

/** Methods that train no heads end with k-means on what the trunk has learnt. */
function conclusionOf(
  run: SurveyedRun,
  recipe: Recipe,
  state: Record<string, Float32Array>,
  signal: AbortSignal
): Promise<Conclusion> {
  const { architecture, settings } = run.meta
  const weights = appliedWeights(state)
  if (recipe.method === 'embedded') return Promise.resolve({ weights: settledHeads(architecture, weights) })
  return objectiveOf(architecture, stepShape(run.meta, recipe)).headParts.length > 0
    ? concludingWeights(run, recipe, state, signal)
    : clusteredWeights(run, weights, uniformFrom(settings.seed, STREAMS.clusters), signal)
}

/**
 * Of several random starts, each trained for a while, the one whose first head tells most goes on: information needs
 * no labels, and clusters that lie idle lower it. The time of all counts.
 */
async function bestStart({ meta, state, reader }: OpenedRun, recipe: Recipe, run: ReadyRun): Promise<TrainingPosition> {
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
