import type { Backend } from '../../backends/program.ts'
import type { CommandOutput } from '../../contract/commands.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { SkippedFile } from '../../contract/imagery.ts'
import type { Recipe } from '../../contract/recipe.ts'
import { readCatalogue, warningsOf } from '../../imagery/catalogue.ts'
import { PictureReader } from '../../imagery/pictures.ts'
import { scoped } from '../../imagery/scoped.ts'
import { settledHeads } from '../../learning/methods/embedded.ts'
import { objectiveOf } from '../../learning/methods/table.ts'
import { isLearnt, recipeOf } from '../../learning/presets.ts'
import { type Uniform, uniformFrom } from '../../learning/random.ts'
import { type TrainingPosition, train, withoutJoint } from '../../learning/trainer.ts'
import { appliedWeights } from '../../learning/trainingStep.ts'
import { adoptRun, openOrCreateProject, removeUnlearnt, saveRun } from '../../project/project.ts'
import { type Job, type JobContext, exclusively, isLost } from '../job.ts'
import { sightOf } from '../labelling/prepareLabelling.ts'
import { type Chosen, inferenceBackend } from '../runtime/compute.ts'
import { type Conclusion, type SurveyedRun, clusteredWeights, concludingWeights } from '../training/conclusion.ts'
import { type ReadyRun, withTraining } from '../training/learning.ts'
import { resumable, prepareRun } from '../training/preparing.ts'
import { partOf, pretrainedTrunk } from '../training/pretraining.ts'
import { bestStart } from '../training/restarts.ts'
import { type OpenedRun, STREAMS, stepShape, cropsOf } from '../training/starting.ts'
import { memoryArrays } from '../training/trainingMemory.ts'
import { startWatch } from '../training/watching.ts'

type TrainInput = Parameters<Job<'train'>>[0]

interface Outcome {
  position: TrainingPosition
  backend: Backend
  chosen: Chosen
}

/** Trains a run on images, from the start or from where an unfinished run stopped. */
export const trainJob: Job<'train'> = async (input, context) => {
  const { settings, sources } = input
  const recipe = recipeOf(settings)
  if (recipe.method === 'features' && !settings.features)
    throw new SmaltiError('InvalidSetting', {
      setting: 'method',
      reason: 'features needs the ONNX file of a vision network'
    })
  if (settings.features && (settings.method ?? 'features') !== 'features')
    throw new SmaltiError('InvalidSetting', {
      setting: 'features',
      reason: `the method ${settings.method} doesn't use them`
    })
  const stage = 'Reading images'
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
      // Some methods ignore the row.
      upright: prepared.meta.upright && { ...prepared.meta.upright, used: prepared.meta.architecture.upright === true },
      report: lastReport && withoutJoint(lastReport)
    }
  }
  return exclusively(input.project, context, (own) =>
    work(own).finally(() => (isLost(own) ? undefined : removeUnlearnt(opened)))
  )
}

/** Clusters features that are not trained, or keeps the heads of an untrained network. */
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

/** Trains a network, saving checkpoints, and settles its clusters at the end. */
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
  // A resumed run already has its trunk, and ends where it would have ended without the interruption.
  const state =
    begins && meta.position.step === 0
      ? { ...prepared.state, ...(await pretrainedTrunk(prepared, recipe, settings, context, onSkipped)) }
      : prepared.state
  const wanted = begins ? partOf(settings, recipe, 1 - begins.share) : settings
  const crops = cropsOf(project, meta, recipe)
  // Without heads that train, there is nothing to show yet.
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
        // The run replaces the previous one once it has something to show.
        if (reached.step > 0) await adoptRun(project)
      }
    })
    context.onProgress({ stage: 'Refining clusters', share: 1 })
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

/** Methods that train no heads end with k-means on the trunk's features. */
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
