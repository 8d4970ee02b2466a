import type { z } from 'zod'
import { CLASS_COMMANDS } from './commands/classes.ts'
import { EVALUATION_COMMANDS } from './commands/evaluation.ts'
import { EXPORT_COMMANDS } from './commands/export.ts'
import { GROUP_COMMANDS } from './commands/groups.ts'
import { IMAGE_COMMANDS } from './commands/images.ts'
import { LABELLING_COMMANDS } from './commands/labelling.ts'
import { PROGRAM_COMMANDS } from './commands/program.ts'
import { PROJECT_COMMANDS } from './commands/project.ts'
import { TRAINING_COMMANDS } from './commands/training.ts'
import { SmaltiError } from './errors.ts'
import { requirementOf } from './words/validation.ts'

/** Every command of the engine, with the schemas of its input and output. */
export const COMMANDS = {
  ...IMAGE_COMMANDS,
  ...PROJECT_COMMANDS,
  ...TRAINING_COMMANDS,
  ...LABELLING_COMMANDS,
  ...CLASS_COMMANDS,
  ...GROUP_COMMANDS,
  ...EVALUATION_COMMANDS,
  ...EXPORT_COMMANDS,
  ...PROGRAM_COMMANDS
} as const

export type CommandName = keyof typeof COMMANDS
export type CommandInput<N extends CommandName> = z.input<(typeof COMMANDS)[N]['input']>
export type CommandOutput<N extends CommandName> = z.output<(typeof COMMANDS)[N]['output']>

/** Checks the input of a command and fills in the defaults. @throws InvalidSetting */
export function parsedInput<N extends CommandName>(name: N, input: unknown): z.output<(typeof COMMANDS)[N]['input']> {
  const parsed = COMMANDS[name].input.safeParse(input)
  if (parsed.success) return parsed.data as z.output<(typeof COMMANDS)[N]['input']>
  const [issue] = parsed.error.issues
  throw new SmaltiError('InvalidSetting', {
    setting: issue.path.join('.') || name,
    reason: requirementOf(issue)
  })
}
