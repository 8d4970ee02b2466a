import { Command, CommanderError } from 'commander'
import type { EngineProcess } from '../contract/engine/client.ts'
import { asSmaltiError } from '../contract/errors.ts'
import { addClassCommands } from './commands/classCommands.ts'
import { addGroupCommands } from './commands/groupCommands.ts'
import { insisted } from './interruption.ts'
import { EXIT, type Outcome, conclusionOf, lastOutcome, useEngines } from './perform.ts'
import { addTrainCommand } from './commands/trainCommand.ts'
import { addExportCommand, addLabelCommands } from './commands/labelCommands.ts'
import { addRunCommands } from './commands/runCommands.ts'
import { addEvaluateCommand } from './commands/evaluateCommand.ts'
import { addProgramCommands } from './commands/programCommands.ts'

/** The program with all its commands; `docs/command-line.md` is generated from it. */
export const program = new Command('smalti')
  .description('Finds the classes in your images without labels.')
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('(use --help for options and examples)')

addTrainCommand(program)
addGroupCommands(program)
addLabelCommands(program)
addRunCommands(program)
addClassCommands(program)
addEvaluateCommand(program)
addExportCommand(program)
addProgramCommands(program)

/** Milliseconds the engine may take to end after the user's second interruption. */
const PATIENCE = 3000

/**
 * Runs the command line with the arguments after the program's name, and ends the process. The outcome is decided and
 * printed in one go, so a signal either comes before it and counts, or finds nothing left to end.
 */
export async function runCommandLine(
  args: readonly string[],
  startEngine: () => EngineProcess,
  exit: (code: number) => void
): Promise<void> {
  useEngines(startEngine)
  // Work that waits for a file or a pipe, and not for an engine, ends with the process.
  insisted.addEventListener('abort', () => setTimeout(() => exit(EXIT.interrupted), PATIENCE))
  let usage: CommanderError | undefined
  let outcome: Outcome
  try {
    await program.parseAsync(args, { from: 'user' })
    outcome = lastOutcome()
  } catch (fault) {
    if (fault instanceof CommanderError) usage = fault
    outcome = usage ? {} : { error: asSmaltiError(fault) }
  }
  const { code, stdout, stderr } = conclusionOf(outcome)
  process.stderr.write(stderr)
  // Stdout may be a pipe, which is written only when its reader is ready.
  process.stdout.write(stdout, () => exit(usage && usage.exitCode !== 0 && code === EXIT.ok ? EXIT.badInput : code))
}
