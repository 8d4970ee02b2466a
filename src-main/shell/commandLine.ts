import { join } from 'node:path'
import { app } from 'electron'
import { heedSignals } from '../cli/interruption.ts'
import { startEngine } from './engine.ts'

const FLAG = '--cli'

/** Returns the arguments after `--cli`; undefined for a program with a window. */
export function commandLineArguments(argv: readonly string[]): string[] | undefined {
  const at = argv.indexOf(FLAG)
  return at < 0 ? undefined : argv.slice(at + 1)
}

/** Runs the command line instead of opening a window. It works next to an open window, and without a display. */
export async function runAsCommandLine(args: readonly string[]): Promise<void> {
  app.setPath('userData', join(app.getPath('userData'), 'command-line'))
  await app.whenReady()
  heedSignals()
  const { runCommandLine } = await import('../cli/commandLine.ts')
  await runCommandLine(
    args,
    () => startEngine({ quiet: true }),
    (code) => app.exit(code)
  )
}
