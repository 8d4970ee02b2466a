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
