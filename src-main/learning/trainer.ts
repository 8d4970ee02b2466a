import type { Execution, NamedArrays } from '../backends/program.ts'
import { TesseraError } from '../contract/errors.ts'
import type { TrainingReport } from '../contract/training.ts'
import type { Architecture } from './network/architecture.ts'
import { summariseJoint } from './objective/information.ts'
import type { Recipe } from './presets.ts'
import { correctedRate, jointOutput } from './trainingStep.ts'
import type { Batch } from './views/pairs.ts'

/** Reports, checkpoints and patience are counted in seconds, so that they mean the same on every machine. */
const REPORT_SECONDS = 0.5
const CHECKPOINT_SECONDS = 10
/** Share of the learning that warms up, and the share of the rate that is left at the end of the cosine. */
const WARM_UP_STEPS = 10
const FINAL_RATE = 0.1
/** Share of the averaged joint that one step keeps. */
const JOINT_DECAY = 0.98
const FAILURES_ALLOWED = 5
/** Reports kept; of the older half every other one goes when there are more. */
const REPORTS_KEPT = 1000

/** Where training stands; a checkpoint holds it with the execution's state. */
export interface TrainingPosition {
  step: number
  seconds: number
  /** Factor on the learning rate, halved after each set-back. */
  rateFactor: number
  history: TrainingReport[]
}

export interface TrainingRun {
  architecture: Architecture
  recipe: Recipe
  execution: Execution
  limit: { seconds: number } | { steps: number }
  position: TrainingPosition
  nextBatch(step: number): Promise<Batch>
  onReport(report: TrainingReport): void
  /** Called with a copy of the state now and then, and at the end. */
  onCheckpoint(position: TrainingPosition, state: NamedArrays): Promise<void>
  /** Resolves at once, or when a pause ends. */
  whenResumed(): Promise<void>
  signal: AbortSignal
}

/**
 * Trains until the limit, then saves. Stopping by the signal also saves, and throws.
 * Numbers that are not finite lead back to the last checkpoint with half the rate.
 *
 * @throws Cancelled, TrainingDiverged
 */
export async function train(run: TrainingRun): Promise<TrainingPosition> {
  const { architecture, execution, limit, recipe, signal } = run
  const position = { ...run.position, history: [...run.position.history] }
  const joints = averagedJoints(architecture, recipe.subHeads)
  let saved = { position: { ...position, history: [...position.history] }, state: await execution.readState() }
  let [lastReport, lastCheckpoint, failures, waited] = [-Infinity, position.seconds, 0, 0]
  const progress = (): number => ('steps' in limit ? position.step / limit.steps : position.seconds / limit.seconds)
  const save = async (): Promise<void> => {
    saved = { position: { ...position, history: [...position.history] }, state: await execution.readState() }
    await run.onCheckpoint(saved.position, saved.state)
    lastCheckpoint = position.seconds
  }

  let next = progress() < 1 ? run.nextBatch(position.step + 1) : undefined
  while (next && progress() < 1) {
    if (signal.aborted) {
      await save()
      throw new TesseraError('Cancelled')
    }
    const paused = performance.now()
    await run.whenResumed()
    const started = performance.now()
    if (started - paused > 1e3) lastReport = -Infinity
    const batch = await next
    const fed = performance.now()
    waited += fed - started
    next = run.nextBatch(position.step + 2)
    next.catch(() => undefined)
    const outputs = await execution.run(feedOf(batch, recipe, position, progress()))
    position.step++
    position.seconds += (performance.now() - started) / 1e3
    if (!outputs.loss.every(Number.isFinite)) {
      if (++failures > FAILURES_ALLOWED) throw new TesseraError('TrainingDiverged', { step: position.step, times: failures })
      Object.assign(position, saved.position, { history: [...saved.position.history], rateFactor: position.rateFactor / 2 })
      await execution.writeState(saved.state)
      next = run.nextBatch(position.step + 1)
      continue
    }
    joints.add(outputs)
    if (position.seconds - lastReport >= REPORT_SECONDS || progress() >= 1) {
      const report = { ...joints.report(), step: position.step, seconds: position.seconds, progress: Math.min(progress(), 1), waitingShare: waited / 1e3 / position.seconds, rateFactor: position.rateFactor }
      position.history = thinned([...position.history, report])
      run.onReport(report)
      lastReport = position.seconds
    }
    if (position.seconds - lastCheckpoint >= CHECKPOINT_SECONDS && progress() < 1) {
      failures = 0
      await save()
    }
  }
  await save()
  return position
}

function thinned(history: TrainingReport[]): TrainingReport[] {
  const half = REPORTS_KEPT / 2
  return history.length <= REPORTS_KEPT ? history : history.filter((_, i) => i >= half || i % 2 === 0)
}

function feedOf(batch: Batch, recipe: Recipe, position: TrainingPosition, progress: number): NamedArrays {
  const warm = Math.min(1, (position.step + 1) / WARM_UP_STEPS)
  const cosine = FINAL_RATE + ((1 - FINAL_RATE) * (1 + Math.cos(Math.PI * Math.min(progress, 1)))) / 2
  const rate = recipe.rate * position.rateFactor * warm * cosine
  return {
    ...batch,
    rate: Float32Array.of(correctedRate(rate, position.step + 1)),
    lambdaA: Float32Array.of(recipe.lambda.A),
    lambdaB: Float32Array.of(recipe.lambda.B)
  }
}

interface AveragedJoints {
  add(outputs: NamedArrays): void
  report(): Pick<TrainingReport, 'heads'>
}

/** The joints of the last steps, averaged, and what they say of each head's most informative sub-head. */
function averagedJoints(architecture: Architecture, subHeads: number): AveragedJoints {
  const averages: Record<string, Float32Array> = {}
  return {
    add(outputs) {
      for (const [name, joint] of Object.entries(outputs)) {
        if (name === 'loss') continue
        const average = averages[name]
        averages[name] = average ? average.map((value, i) => JOINT_DECAY * value + (1 - JOINT_DECAY) * joint[i]) : Float32Array.from(joint)
      }
    },
    report() {
      return {
        heads: architecture.heads.map(({ name, clusters }) => {
          const summaries = Array.from({ length: subHeads }, (_, s) => summariseJoint(averages[jointOutput(name, s)]))
          const best = summaries.reduce((top, summary, s) => (summary.information > summaries[top].information ? s : top), 0)
          return { name, subHead: best, ceiling: Math.log(clusters), ...summaries[best] }
        })
      }
    }
  }
}
