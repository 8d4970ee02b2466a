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

/** Reports, checkpoints and patience are counted in seconds, so that they mean the same on every machine. */
const REPORT_SECONDS = 0.5
const CHECKPOINT_SECONDS = 10
const LOOK_SECONDS = 3
/** Share of the learning that warms up, and the share of the rate that is left at the end of the cosine. */
const WARM_UP_STEPS = 10
const FINAL_RATE = 0.1
/** Share of the averaged joint that one step keeps. */
const JOINT_DECAY = 0.98
const FAILURES_ALLOWED = 5
/**
 * Weights that may be kept in the end are looked at this often in a training, and not by the clock, so that the same
 * steps keep the same weights on every machine.
 */
const CANDIDATES = 20
/** Earlier weights are preferred to the last ones when their head told at least this factor more. */
export const WORTH_GOING_BACK = 1.02
/** A rise of information below this share does not count as one. */
const SMALLEST_RISE = 0.002
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

/** What training knows besides its weights, so that a resumed one ends as an undisturbed one. */
export interface TrainingMemory {
  /** The averaged joints, by their outputs' names. */
  joints: NamedArrays
  /** The earlier weights whose head told most, of those looked at so far. */
  best: { state: NamedArrays; information: number }
  /** The last rise of information, and at which share of the training. */
  risen: { information: number; progress: number }
}

export interface TrainingRun {
  architecture: Architecture
  recipe: Recipe
  execution: Execution
  /** Training ends at whichever is reached first. */
  limit: { seconds?: number; steps?: number }
  /** Share of the limit at which to stop, for trials; 1 when absent. */
  until?: number
  position: TrainingPosition
  /** What an earlier part of the training remembered. */
  memory?: TrainingMemory
  nextBatch(step: number): Promise<Batch>
  /** What the method is fed besides, from step to step. @param progress  0…1 */
  feed?(batch: Batch, step: number, progress: number): NamedArrays
  /** The most that what the method measures can be, in nats, where that is no joint. */
  ceiling?: number
  onReport(report: TrainingReport): void
  /** Called with a copy of the state every few seconds, which do not count. */
  onLook?(state: NamedArrays, report: TrainingReport): Promise<void>
  /** Called with a copy of the state now and then, and at the end. */
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
 * Trains until the limit or, with patience, until information has not risen for long, then saves. Stopping by the
 * signal also saves, and throws. Numbers that are not finite lead back to the last checkpoint with half the rate.
 * What is kept in the end is chosen without labels: the last weights, or earlier ones whose first head told
 * clearly more; of each head the sub-head that tells most.
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
    // It may be given up before anybody waits for it.
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
    // A runtime that computes in this thread lets no message in between: whoever wants to pause must not wait for it.
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

/** What stays of a report when a newer one comes. */
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

/** The joints of the last steps, averaged, and what they say of each head's most informative sub-head. */
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
