import type { Progress } from '../../src-main/contract/commands.ts'
import { type SmaltiError, asSmaltiError } from '../../src-main/contract/errors.ts'
import { run } from '../engine.ts'

export type JobKind = 'read' | 'train' | 'group' | 'segment' | 'export' | 'evaluate' | 'diagnose'

export interface RunningJob {
  kind: JobKind
  progress: Progress
  paused: boolean
  /** Asked to pause or to stop, and not there yet. */
  asked?: 'pause' | 'stop'
  startedAt: number
  controller: AbortController
}

const STAGES: Record<JobKind, string> = {
  read: 'Reading the images',
  train: 'Getting ready',
  group: 'Getting ready',
  segment: 'Getting ready',
  export: 'Exporting',
  evaluate: 'Comparing with the truth',
  diagnose: 'Looking at pixels'
}

/** Milliseconds for which nobody watches a job. */
const LONG = 20_000

/** The job that runs, and what the last ones had to say. */
class Jobs {
  running = $state<RunningJob>()
  fault = $state<SmaltiError>()
  notice = $state<{ text: string; folder?: string }>()

  readonly pausable = $derived(this.running?.kind === 'train' || this.running?.kind === 'segment')
  readonly busy = $derived(this.running !== undefined)

  /** Runs one job at a time, with its progress shown; what goes wrong is shown too. @returns whether it came to its end */
  async perform(
    kind: JobKind,
    work: (signal: AbortSignal, onProgress: (progress: Progress) => void) => Promise<void>
  ): Promise<boolean> {
    if (this.running) return false
    const controller = new AbortController()
    const began = Date.now()
    this.fault = undefined
    this.notice = undefined
    this.running = { kind, progress: { stage: STAGES[kind] }, paused: false, startedAt: Date.now(), controller }
    try {
      await work(controller.signal, (progress) => {
        if (this.running && !progress.skipped) this.running.progress = progress
      })
      return true
    } catch (fault) {
      const named = asSmaltiError(fault)
      if (named.name !== 'Cancelled') this.fault = named
      return false
    } finally {
      this.running = undefined
      // What had to wait no longer has to.
      if (this.fault?.name === 'Busy') this.fault = undefined
      if (Date.now() - began > LONG && !document.hasFocus()) this.#tellAway()
    }
  }

  /** Tells whoever does something else meanwhile how it ended. */
  #tellAway(): void {
    const said = this.fault?.message ?? this.notice?.text
    if (said !== undefined) new Notification('Smalti', { body: said })
  }

  async setPaused(paused: boolean): Promise<void> {
    const job = this.running
    if (!job) return
    job.asked = paused ? 'pause' : undefined
    await run('pause', { paused })
    job.paused = paused
    job.asked = undefined
  }

  stop(): void {
    if (!this.running) return
    this.running.asked = 'stop'
    this.running.controller.abort()
  }

  /** Shows a fault of something that is no job. */
  complain(fault: unknown): void {
    this.fault = asSmaltiError(fault)
  }
}

export const jobs = new Jobs()
