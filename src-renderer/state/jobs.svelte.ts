import type { Progress } from '../../src-main/contract/engine/progress.ts'
import { type SmaltiError, asSmaltiError } from '../../src-main/contract/errors.ts'
import { run } from '../engine.ts'
import { jobs as words } from '../words/jobs.ts'

export type JobKind = 'read' | 'train' | 'group' | 'segment' | 'export' | 'evaluate' | 'diagnose'

export interface RunningJob {
  kind: JobKind
  progress: Progress
  paused: boolean
  /** Set while the job has been asked to pause or stop, but still runs. */
  asked?: 'pause' | 'stop'
  startedAt: number
  controller: AbortController
}

/** Milliseconds after which the user is assumed to be doing something else. */
const LONG = 20_000

/** The running job, and the fault or notice of the last one. */
class Jobs {
  running = $state<RunningJob>()
  fault = $state<SmaltiError>()
  notice = $state<{ text: string; folder?: string }>()

  readonly pausable = $derived(this.running?.kind === 'train' || this.running?.kind === 'segment')
  readonly busy = $derived(this.running !== undefined)

  /**
   * Runs one job at a time and shows its progress, and its fault if it fails.
   * @returns whether the job finished
   */
  async perform(
    kind: JobKind,
    work: (signal: AbortSignal, onProgress: (progress: Progress) => void) => Promise<void>
  ): Promise<boolean> {
    if (this.running) return false
    const controller = new AbortController()
    const began = Date.now()
    this.fault = undefined
    this.notice = undefined
    this.running = { kind, progress: { stage: words.stages[kind] }, paused: false, startedAt: Date.now(), controller }
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
      // The message that a job is in progress is out of date.
      if (this.fault?.name === 'Busy') this.fault = undefined
      if (Date.now() - began > LONG && !document.hasFocus()) this.#tellAway()
    }
  }

  /** Notifies a user who is in another window how the job ended. */
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

  /** Shows a fault that no job raised. */
  complain(fault: unknown): void {
    this.fault = asSmaltiError(fault)
  }
}

export const jobs = new Jobs()
