import type { EngineProcess } from '../contract/engine/client.ts'
import type { CommandInput, CommandName, CommandOutput } from '../contract/commands.ts'
import { SmaltiError, asSmaltiError, isLoss } from '../contract/errors.ts'
import { insisted, interrupted } from './interruption.ts'
import { progressPrinter } from './progressLine.ts'

/** Errors caused by the input rather than by the work itself. */
const INPUT_FAULTS = new Set<string>([
  'FolderNotFound',
  'EmptyFolder',
  'NoReadableImages',
  'UnreadableImage',
  'NotEnoughPixels',
  'NotEnoughImages',
  'FolderUnreadable',
  'NothingValid',
  'MixedImages',
  'AreaUnreachable',
  'PlaceUnknown',
  'LabelsUnreadable',
  'CorrectionsUnreadable',
  'ClassesChanged',
  'TooManyPatches',
  'ShardMissing',
  'WouldOverwrite',
  'AmongImages',
  'ProjectNotFound',
  'ProjectUnreadable',
  'OtherImages',
  'ProjectTooNew',
  'ProjectLocked',
  'FolderInUse',
  'FolderNotWritable',
  'DiskFull',
  'NothingTrained',
  'NothingSegmented',
  'HeatmapsMissing',
  'CheckpointUnreadable',
  'CheckpointMismatch',
  'BackendUnavailable',
  'RuntimeUnavailable',
  'FeaturesUnusable',
  'TruthMissing',
  'TruthInColour',
  'TruthMismatch',
  'TruthAmbiguous',
  'TruthUnusable',
  'NothingScored',
  'InvalidSetting'
])
export const EXIT = { ok: 0, failed: 1, badInput: 2, interrupted: 130 }

/** How engines are started: by Node, or by Electron. */
let startEngine: (() => EngineProcess) | undefined
export const useEngines = (start: () => EngineProcess): void => void (startEngine = start)

/** How a command ended. */
export interface Outcome {
  /** Its output, if it succeeded. */
  output?: string
  error?: SmaltiError
  json?: boolean
}

let outcome: Outcome = {}
/** How the last command ended. */
export const lastOutcome = (): Outcome => outcome

/** Runs a command in the engine with a progress line. It prints nothing else; `lastOutcome` returns the result. */
export async function perform<N extends CommandName>(
  name: N,
  input: CommandInput<N>,
  json: boolean | undefined,
  print: (output: CommandOutput<N>) => string
): Promise<void> {
  outcome = { error: new SmaltiError('Cancelled'), json }
  if (interrupted.aborted) return
  const engine = startEngine!()
  const line = progressPrinter(process.stderr)
  const cancelling = (): void => {
    if (process.stderr.isTTY) line.show({ stage: 'Cancelling… Press Ctrl-C again to quit at once' })
  }
  interrupted.addEventListener('abort', cancelling)
  insisted.addEventListener('abort', engine.kill)
  try {
    const output = await engine.call(name, input, {
      signal: interrupted,
      onProgress: (progress) => interrupted.aborted || line.show(progress)
    })
    outcome = { output: `${json ? JSON.stringify(output) : print(output)}\n`, json }
  } catch (fault) {
    outcome = { error: asSmaltiError(fault), json }
  } finally {
    await engine.stop()
    line.end()
  }
}

/** Returns the final output of a command and its exit code, which is always the same after an interruption. */
export function conclusionOf({ output = '', error, json }: Outcome): { code: number; stdout: string; stderr: string } {
  const told = interrupted.aborted && !isLoss(error) ? new SmaltiError('Cancelled') : error
  if (!told) return { code: EXIT.ok, stdout: output, stderr: '' }
  const code =
    interrupted.aborted || told.name === 'Cancelled'
      ? EXIT.interrupted
      : INPUT_FAULTS.has(told.name)
        ? EXIT.badInput
        : EXIT.failed
  return {
    code,
    stdout: json ? `${JSON.stringify({ error: told })}\n` : '',
    stderr: `${told.details.output ?? ''}${told.message}\n`
  }
}
