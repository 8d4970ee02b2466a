import { z } from 'zod'
import { type CommandName, parsedInput } from '../contract/commands.ts'
import { SmaltiError, asSmaltiError, isLoss } from '../contract/errors.ts'
import { type FromEngine, toEngine } from '../contract/engine/messages.ts'
import { listImages, readCatalogue } from '../imagery/catalogue.ts'
import { unlessAborted } from '../imagery/reading/sharedWork.ts'
import { recipeOf } from '../learning/presets.ts'
import { writeSample } from './sample/writeSample.ts'
import { trialJob } from './runtime/compute.ts'
import type { Job } from './job.ts'
import { areaJob } from './jobs/area.ts'
import { classesJob } from './jobs/classes.ts'
import { correctJob } from './jobs/correct.ts'
import { diagnoseJob } from './jobs/diagnose.ts'
import { detailsJob } from './jobs/details.ts'
import { describeJob } from './jobs/describe.ts'
import { evaluateJob } from './jobs/evaluate.ts'
import { exportJob } from './jobs/export.ts'
import { groupJob } from './jobs/group.ts'
import { groupsJob } from './jobs/groups.ts'
import { infoJob } from './jobs/info.ts'
import { mergeShardsJob } from './jobs/mergeShards.ts'
import { openProjectJob } from './jobs/openProject.ts'
import { relocateJob } from './jobs/relocate.ts'
import { runsJob } from './jobs/runs.ts'
import { runtimesJob } from './jobs/runtimes.ts'
import { segmentJob } from './jobs/segment.ts'
import { trainJob } from './jobs/train.ts'

/** Commands that run one at a time; a second one waits for the first. */
const EXCLUSIVE: ReadonlySet<CommandName> = new Set([
  'train',
  'group',
  'segment',
  'mergeShards',
  'evaluate',
  'export',
  'diagnose'
])

/** Creates the engine: it runs the commands that arrive as messages and answers through `send`. */
export function createEngine(send: (message: FromEngine) => void): { receive(message: unknown): void } {
  const running = new Map<number, AbortController>()
  const pause = createPause()
  let exclusive: Promise<unknown> = Promise.resolve()

  const jobs: { [N in CommandName]: Job<N> } = {
    info: infoJob,
    catalogue: ({ sources, page }, { signal, onProgress }) =>
      readCatalogue(
        sources,
        signal,
        (done, total) => onProgress({ stage: 'Reading images', share: done / total }),
        page
      ),
    listing: async ({ sources }) => ({ images: await listImages(sources) }),
    sample: ({ out }, { signal, onProgress }) =>
      writeSample(out, signal, (share) => onProgress({ stage: 'Creating the sample', share })),
    details: detailsJob,
    area: areaJob,
    recipe: (settings) => Promise.resolve(recipeOf(settings)),
    openProject: openProjectJob,
    train: trainJob,
    group: groupJob,
    groups: groupsJob,
    segment: segmentJob,
    mergeShards: mergeShardsJob,
    describe: describeJob,
    diagnose: diagnoseJob,
    classes: classesJob,
    correct: correctJob,
    runs: runsJob,
    relocate: relocateJob,
    evaluate: evaluateJob,
    export: exportJob,
    trial: trialJob,
    runtimes: runtimesJob,
    pause: ({ paused }) => {
      pause.set(paused)
      return Promise.resolve({ paused })
    }
  }

  async function perform(id: number, name: CommandName, input: unknown, signal: AbortSignal): Promise<unknown> {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const parsed = parsedInput(name, input)
    if (EXCLUSIVE.has(name)) pause.set(false)
    const job = jobs[name] as Job<CommandName>
    return job(parsed as never, {
      signal,
      onProgress: (progress) => send({ kind: 'progress', id, progress }),
      whenResumed: () => pause.whenResumed(signal)
    })
  }

  function start(id: number, name: CommandName, input: unknown): void {
    const controller = new AbortController()
    running.set(id, controller)
    const { signal } = controller
    const before = EXCLUSIVE.has(name) ? exclusive : undefined
    const done = (before ? unlessAborted(before, signal) : Promise.resolve()).then(() =>
      perform(id, name, input, signal)
    )
    // A command that is cancelled while it waits answers at once; the next one still waits for those before it.
    if (before) exclusive = Promise.allSettled([before, done])
    void done
      .then(
        (output) => send({ kind: 'reply', id, output }),
        (fault: unknown) => {
          const named =
            signal.aborted && !isLoss(asSmaltiError(fault)) ? new SmaltiError('Cancelled') : asSmaltiError(fault)
          if (named.name === 'InternalError') console.error(fault)
          send({ kind: 'error', id, error: named.toJSON() })
        }
      )
      .finally(() => running.delete(id))
  }

  return {
    receive(message) {
      const parsed = toEngine.safeParse(message)
      if (!parsed.success) {
        console.error(`Smalti received a message that it can't read: ${z.prettifyError(parsed.error)}`)
        return
      }
      if (parsed.data.kind === 'cancel') running.get(parsed.data.id)?.abort()
      else start(parsed.data.id, parsed.data.name, parsed.data.input)
    }
  }
}

function createPause(): { set(paused: boolean): void; whenResumed(signal: AbortSignal): Promise<void> } {
  let resumed: Promise<void> | undefined
  let resume: (() => void) | undefined
  return {
    set(paused) {
      if (paused && !resumed) resumed = new Promise((resolve) => (resume = resolve))
      if (!paused) {
        resume?.()
        resumed = undefined
      }
    },
    async whenResumed(signal) {
      if (!resumed) return
      // A job that is cancelled while paused goes on, so that it can save its results.
      await unlessAborted(resumed, signal).catch(() => undefined)
    }
  }
}
