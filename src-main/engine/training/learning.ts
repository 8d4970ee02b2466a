import { availableParallelism } from 'node:os'
import type { Backend } from '../../backends/program.ts'
import type { SkippedFile } from '../../contract/imagery.ts'
import type { Recipe } from '../../contract/recipe.ts'
import type { TrainingSettings } from '../../contract/settings.ts'
import type { Architecture } from '../../learning/network/architecture.ts'
import { disposed, stopped } from '../../imagery/scoped.ts'
import type { TrainingRun } from '../../learning/trainer.ts'
import { methodOf } from '../../learning/methods/table.ts'
import { uniformFrom } from '../../learning/random.ts'
import { type StepShape, trainingStep } from '../../learning/trainingStep.ts'
import { type Chosen, chooseBackend } from '../runtime/compute.ts'
import { type CropSourceConfig, startCropSource } from './cropSource.ts'
import type { JobContext } from '../job.ts'

/** Stream of the random numbers that methods are fed. */
const FEED_STREAM = 7

/** Everything that training needs besides where it starts and where it is saved. */
export interface Learning {
  architecture: Architecture
  recipe: Recipe
  shape: StepShape
  /** Weights and moments to start from. */
  state: Record<string, Float32Array>
  crops: CropSourceConfig
  /** How long to train, and on which backend. Without steps or minutes, the recipe decides. */
  wanted: Pick<TrainingSettings, 'steps' | 'minutes' | 'backend'>
  /** Measure again which backend is fastest. */
  retime?: boolean
}

/** A run that lacks only where it starts and where it is saved. */
export type ReadyRun = Omit<TrainingRun, 'position' | 'onCheckpoint'>

/** The user's steps alone, or else the user's (or the recipe's) minutes together with the recipe's steps. */
function limitOf({ steps, minutes }: Learning['wanted'], recipe: Recipe): TrainingRun['limit'] {
  if (steps !== undefined) return { steps }
  return { seconds: 60 * (minutes ?? recipe.minutes), steps: recipe.steps || undefined }
}

/** A GPU takes batches faster than one thread cuts them; a processor that trains needs its cores itself. */
const MOST_CROP_THREADS = 8
const cropThreads = ({ onGpu }: Backend): number =>
  onGpu ? Math.max(1, Math.min(MOST_CROP_THREADS, availableParallelism() - 1)) : 1

/**
 * Prepares what `train` needs, a backend with the compiled step and threads that cut crops, and releases both when
 * `work` is done.
 * @throws BackendUnavailable, Cancelled and whatever `work` throws
 */
export async function withTraining<T>(
  { architecture, recipe, shape, state, crops, wanted, retime = false }: Learning,
  context: JobContext,
  onSkipped: (file: SkippedFile) => void,
  work: (run: ReadyRun, backend: Backend, chosen: Chosen) => Promise<T>
): Promise<T> {
  context.onProgress({ stage: 'Choosing a backend' })
  const { backend, chosen } = await chooseBackend(wanted.backend, { architecture, shape }, retime, context.signal)
  await using execution = disposed(await backend.compile(trainingStep(architecture, shape), state))
  await using source = stopped(startCropSource(crops, cropThreads(backend), context.signal, onSkipped))
  const method = methodOf(shape)
  const run: ReadyRun = {
    architecture,
    recipe,
    execution,
    limit: limitOf(wanted, recipe),
    nextBatch: (step) => source.next(step),
    feed:
      method.feed &&
      ((batch, step, progress) =>
        method.feed!(batch, { architecture, shape, recipe }, uniformFrom(crops.seed, FEED_STREAM, step), progress)),
    ceiling: method.objective(architecture, shape).ceiling,
    onReport: (report) => {
      const { progress, rateFactor, seconds } = report
      const stage =
        rateFactor < 1
          ? `Training (diverged; restarted from the last checkpoint with the learning rate × ${rateFactor})`
          : 'Training'
      context.onProgress({ stage, share: progress, remaining: (seconds * (1 - progress)) / progress, report })
    },
    whenResumed: () => context.whenResumed(),
    signal: context.signal
  }
  return await work(run, backend, chosen)
}
