import { SmaltiError } from '../contract/errors.ts'
import { withLock } from '../project/lock.ts'
import { machineOf } from '../project/machine.ts'
import type { CommandName, CommandOutput } from '../contract/commands.ts'
import type { Progress } from '../contract/engine/progress.ts'
import type { COMMANDS } from '../contract/commands.ts'
import type { z } from 'zod'

/** Lets a job be cancelled and paused, and report its progress. */
export interface JobContext {
  signal: AbortSignal
  onProgress(progress: Progress): void
  /** Resolves at once, or when the user resumes. */
  whenResumed(): Promise<void>
}

/** The work behind a command. It is the same for the window, the command line and the tests. */
export type Job<N extends CommandName> = (
  input: z.output<(typeof COMMANDS)[N]['input']>,
  context: JobContext
) => Promise<CommandOutput<N>>

/**
 * Runs the part of a job that changes a project (or one part of it) under a lock.
 * @param name  name of the lock; the project's own lock when absent
 * @throws ProjectLocked, Cancelled and whatever `work` throws
 */
export function exclusively<T>(
  folder: string,
  context: JobContext,
  work: (context: JobContext) => Promise<T>,
  name?: string
): Promise<T> {
  return withLock(folder, (lost) => work({ ...context, signal: AbortSignal.any([context.signal, lost]) }), {
    name,
    onTakeover: (holder) =>
      context.onProgress({
        stage: `Taking over from ${holder ? machineOf(holder) : 'another Smalti'}, which stopped responding`
      })
  })
}

/** Whether another process has taken over the job's lock. The job must then write nothing more there. */
export const isLost = ({ signal }: JobContext): boolean => signal.reason instanceof SmaltiError
