import { SmaltiError } from '../contract/errors.ts'
import { withLock } from '../project/lock.ts'
import { machineOf } from '../project/machine.ts'
import type { CommandName, CommandOutput, Progress } from '../contract/commands.ts'
import type { COMMANDS } from '../contract/commands.ts'
import type { z } from 'zod'

export interface JobContext {
  signal: AbortSignal
  onProgress(progress: Progress): void
  /** Resolves at once, or when the user resumes. */
  whenResumed(): Promise<void>
}

/** A command's work: the same whether the window, the command line or a test asked for it. */
export type Job<N extends CommandName> = (
  input: z.output<(typeof COMMANDS)[N]['input']>,
  context: JobContext
) => Promise<CommandOutput<N>>

/**
 * Runs the part of a job that changes a project, or a part of one, while nobody else may.
 * @param name  of the part's lock; the project's own when absent
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
        stage: `Taking over from ${holder ? machineOf(holder) : 'another Smalti'}, which has stopped responding`
      })
  })
}

/** Whether another has taken over what a job had for itself: then it has nothing more to write there. */
export const isLost = ({ signal }: JobContext): boolean => signal.reason instanceof SmaltiError
