import { SmaltiError } from '../../contract/errors.ts'
import type { SkippedFile } from '../../contract/imagery.ts'
import type { Recipe } from '../../contract/recipe.ts'
import type { TrainingSettings } from '../../contract/settings.ts'
import { objectiveOf } from '../../learning/methods/table.ts'
import { initialWeights, outputStride } from '../../learning/network/architecture.ts'
import { pretrainingRecipe } from '../../learning/presets.ts'
import { normalFrom, uniformFrom } from '../../learning/random.ts'
import { train } from '../../learning/trainer.ts'
import { averageOf, initialState, trainingStep } from '../../learning/trainingStep.ts'
import type { JobContext } from '../job.ts'
import { type Learning, withTraining } from './learning.ts'
import { type Prepared, STREAMS, stepShape, cropsOf } from './starting.ts'

/** Returns a share of the wanted time or steps. */
export function partOf(
  { steps, minutes, backend }: TrainingSettings,
  recipe: Recipe,
  share: number
): Learning['wanted'] {
  return steps === undefined
    ? { minutes: (minutes ?? recipe.minutes) * share, backend }
    : { steps: Math.max(1, Math.round(steps * share)), backend }
}

/** Trains the trunk with another method first, and returns its weights. */
export async function pretrainedTrunk(
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
      reason: 'the network has no convolution to pretrain'
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
