import type { Execution, NamedArrays } from '../backends/program.ts'
import { SmaltiError } from '../contract/errors.ts'
import type { Recipe } from '../contract/recipe.ts'
import type { TrainingReport } from '../contract/training.ts'
import type { Architecture } from './network/architecture.ts'
import { summariseJoint } from './objective/information.ts'
import { jointOutput, lambdaInput } from './methods/information.ts'
import { ESTIMATE } from './methods/method.ts'
import { correctedRate } from './trainingStep.ts'
import type { Batch } from './views/pairs.ts'

/** Reports, looks and checkpoints are timed in seconds, so that they mean the same on every machine. */
const REPORT_SECONDS = 0.5
const CHECKPOINT_SECONDS = 10
const LOOK_SECONDS = 3
/** Steps of warm-up, and the share of the rate that is left at the end of the cosine. */
const WARM_UP_STEPS = 10
const FINAL_RATE = 0.1
/** Share of the averaged joint that one step keeps. */
const JOINT_DECAY = 0.98
const FAILURES_ALLOWED = 5
/**
 * How many times during training weights are considered for the result. Counted by progress, not by the clock, so that
 * the same steps keep the same weights on every machine.
 */
const CANDIDATES = 20
/** Earlier weights replace the last ones if their head's information was higher by at least this factor. */
export const WORTH_GOING_BACK = 1.02
/** Smallest relative rise of information that counts as one. */
const SMALLEST_RISE = 0.002
/** Most reports to keep; beyond that, every other one of the older half is dropped. */
const REPORTS_KEPT = 1000

/** Position of training; a checkpoint stores it with the execution's state. */
export interface TrainingPosition {
  step: number
  seconds: number
  /** Factor on the learning rate, halved after each setback. */
  rateFactor: number
  history: TrainingReport[]
}

/** State of training besides its weights, which lets a resumed run end like an uninterrupted one. */
export interface TrainingMemory {
  /** The averaged joints, by output name. */
  joints: NamedArrays
  /** The most informative weights considered so far. */
  best: { state: NamedArrays; information: number }
  /** Information at its last rise, and the progress at that point. */
  risen: { information: number; progress: number }
}

/** Everything that training needs, and whom it reports to. */
export interface TrainingRun {
  architecture: Architecture
  recipe: Recipe
  execution: Execution
  /** Training ends at the limit that is reached first. */
  limit: { seconds?: number; steps?: number }
  /** Share of the limit at which to stop, for trials; 1 when absent. */
  until?: number
  position: TrainingPosition
  /** Memory of an earlier part of the run. */
  memory?: TrainingMemory
  nextBatch(step: number): Promise<Batch>
  /**
   * Returns the method's inputs that change from step to step.
   * @param progress  0…1
   */
  feed?(batch: Batch, step: number, progress: number): NamedArrays
  /** Upper limit of the method's estimate, in nats, where it does not measure joints. */
  ceiling?: number
  onReport(report: TrainingReport): void
  /** Receives a copy of the state every few seconds; its time is not counted. */
  onLook?(state: NamedArrays, report: TrainingReport): Promise<void>
  /** Receives a copy of the state now and then, and at the end. */
  onCheckpoint(position: TrainingPosition, state: NamedArrays, finished: boolean, memory: TrainingMemory): Promise<void>
  /** Resolves at once, or when a pause ends. */
  whenResumed(): Promise<void>
  signal: AbortSignal
}

interface Saved {
  position: TrainingPosition
  state: NamedArrays
}

/**
 * Trains until the limit or, with patience, until information has not risen for a while, then saves. Cancelling saves
 * too, and throws. When the loss is not finite, training returns to the last checkpoint with half the rate. The result
 * is chosen without labels: the last weights, or earlier ones whose first head was clearly more informative; and of
 * each head the most informative sub-head.
 *
 * @throws Cancelled, TrainingDiverged
 */
export async function train(run: TrainingRun): Promise<TrainingPosition> {
  const { architecture, execution, limit, recipe, signal, until = 1 } = run
  const position = { ...run.position, history: [...run.position.history] }
  const joints = averagedJoints(architecture, run.ceiling, run.memory?.joints)
  let saved: Saved = { position: { ...position, history: [...position.history] }, state: await execution.readState() }
  let mostInformative = run.memory?.best ?? { state: saved.state, information: 0 }
  let risen = run.memory?.risen ?? { information: 0, progress: 0 }
  let [lastReport, lastLook, lastCheckpoint, failures, waited] = [-Infinity, -Infinity, position.seconds, 0, 0]
  const progress = (): number =>
    Math.max(position.step / (limit.steps ?? Infinity), position.seconds / (limit.seconds ?? Infinity))
  const save = async (finished: boolean): Promise<void> => {
    saved = { position: { ...position, history: [...position.history] }, state: await execution.readState() }
    const information = position.history.at(-1)?.heads[0].information ?? 0
    const goesBack = finished && mostInformative.information > WORTH_GOING_BACK * information
    await run.onCheckpoint(saved.position, goesBack ? mostInformative.state : saved.state, finished, {
      joints: joints.copy(),
      best: mostInformative,
      risen
    })
    lastCheckpoint = position.seconds
  }
  let candidates = Math.floor(progress() * CANDIDATES)
  let onPlateau = false

  const batchOf = (step: number): Promise<Batch> => {
    const batch = run.nextBatch(step)
    // The batch may be abandoned before anyone awaits it.
    batch.catch(() => undefined)
    return batch
  }
  let next = progress() < until ? batchOf(position.step + 1) : undefined
  while (next && progress() < until && !onPlateau) {
    if (signal.aborted) {
      await save(false)
      throw new SmaltiError('Cancelled')
    }
    const paused = performance.now()
    await run.whenResumed()
    const started = performance.now()
    if (started - paused > 1e3) lastReport = -Infinity
    const batch = await next.catch((fault: unknown) => {
      if (!signal.aborted) throw fault
    })
    if (!batch) continue
    const fed = performance.now()
    waited += fed - started
    next = batchOf(position.step + 2)
    const outputs = await execution.run(feedOf(run, batch, position, progress()))
    // A runtime that computes in this thread blocks messages in the meantime; a request to pause must not wait for it.
    await new Promise((resolve) => setTimeout(resolve))
    position.step++
    position.seconds += (performance.now() - started) / 1e3
    if (!outputs.loss.every(Number.isFinite)) {
      if (++failures > FAILURES_ALLOWED)
        throw new SmaltiError('TrainingDiverged', { step: position.step, times: failures })
      Object.assign(position, saved.position, {
        history: [...saved.position.history],
        rateFactor: position.rateFactor / 2
      })
      await execution.writeState(saved.state)
      next = batchOf(position.step + 1)
      continue
    }
    joints.add(outputs)
    if (Math.floor(progress() * CANDIDATES) > candidates) {
      candidates = Math.floor(progress() * CANDIDATES)
      const { information } = joints.report().heads[0]
      if (information >= mostInformative.information)
        mostInformative = { state: await execution.readState(), information }
    }
    if (position.seconds - lastReport >= REPORT_SECONDS || progress() >= until) {
      const report = {
        ...joints.report(),
        step: position.step,
        seconds: position.seconds,
        progress: Math.min(progress(), 1),
        waitingShare: waited / 1e3 / position.seconds,
        rateFactor: position.rateFactor
      }
      position.history = thinned([...position.history.map(withoutJoint), report])
      run.onReport(report)
      const { information } = report.heads[0]
      if (information > risen.information * (1 + SMALLEST_RISE)) risen = { information, progress: report.progress }
      onPlateau = recipe.patience > 0 && report.progress - risen.progress > recipe.patience
      lastReport = position.seconds
      if (run.onLook && position.seconds - lastLook >= LOOK_SECONDS) {
        await run.onLook(await execution.readState(), report)
        lastLook = position.seconds
      }
    }
    if (position.seconds - lastCheckpoint >= CHECKPOINT_SECONDS && progress() < until) {
      failures = 0
      await save(false)
    }
  }
  await save(true)
  return position
}

/** Drops the joint from a report; only the latest report keeps it. */
export function withoutJoint(report: TrainingReport): TrainingReport {
  return report.heads.some(({ joint }) => joint)
    ? { ...report, heads: report.heads.map((head) => ({ ...head, joint: undefined })) }
    : report
}

function thinned(history: TrainingReport[]): TrainingReport[] {
  const half = REPORTS_KEPT / 2
  return history.length <= REPORTS_KEPT ? history : history.filter((_, i) => i >= half || i % 2 === 0)
}

function feedOf(
  { architecture, recipe, feed: own }: TrainingRun,
  batch: Batch,
  position: TrainingPosition,
  progress: number
): NamedArrays {
  const warm = Math.min(1, (position.step + 1) / WARM_UP_STEPS)
  const through = Math.min(progress, 1)
  const cosine = FINAL_RATE + ((1 - FINAL_RATE) * (1 + Math.cos(Math.PI * through))) / 2
  const rate = recipe.rate * position.rateFactor * warm * cosine
  const feed: NamedArrays = {
    ...batch,
    rate: Float32Array.of(correctedRate(rate, position.step + 1)),
    ...own?.(batch, position.step + 1, through)
  }
  if (own) return feed
  for (const { name } of architecture.heads) {
    const lambda = name === 'B' ? recipe.lambda.B : recipe.lambda.A
    feed[lambdaInput(name)] = Float32Array.of(
      typeof lambda === 'number' ? lambda : lambda[0] + through * (lambda[1] - lambda[0])
    )
  }
  return feed
}

interface AveragedJoints {
  copy(): NamedArrays
  add(outputs: NamedArrays): void
  report(): Pick<TrainingReport, 'heads'>
}

/** Averages the joints of the last steps and summarises each head's most informative sub-head. */
function averagedJoints(
  architecture: Architecture,
  ceiling: number | undefined,
  known: NamedArrays = {}
): AveragedJoints {
  const averages: NamedArrays = { ...known }
  const trained = architecture.heads.filter(({ mergedFrom }) => mergedFrom === undefined)
  return {
    copy: () => ({ ...averages }),
    add(outputs) {
      for (const [name, joint] of Object.entries(outputs)) {
        if (name === 'loss') continue
        const average = averages[name]
        averages[name] = average
          ? average.map((value, i) => JOINT_DECAY * value + (1 - JOINT_DECAY) * joint[i])
          : Float32Array.from(joint)
      }
    },
    report() {
      // Without joints there is one number, which stands for the first head.
      if (ceiling !== undefined)
        return {
          heads: [
            {
              name: trained[0].name,
              subHead: 0,
              information: averages[ESTIMATE][0],
              ceiling,
              entropy: ceiling,
              conditionalEntropy: ceiling - averages[ESTIMATE][0],
              masses: []
            }
          ]
        }
      return {
        heads: trained.map(({ name, clusters, subHeads }) => {
          const summaries = Array.from({ length: subHeads }, (_, s) => summariseJoint(averages[jointOutput(name, s)]))
          const best = summaries.reduce(
            (top, summary, s) => (summary.information > summaries[top].information ? s : top),
            0
          )
          return {
            name,
            subHead: best,
            ceiling: Math.log(clusters),
            ...summaries[best],
            joint: Array.from(averages[jointOutput(name, best)])
          }
        })
      }
    }
  }
}
