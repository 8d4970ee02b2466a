import type { EngineProcess } from '../contract/client.ts'
import type { CommandInput, CommandName, CommandOutput } from '../contract/commands.ts'
import { asSmaltiError } from '../contract/errors.ts'
import { progressPrinter } from './progressLine.ts'

/** Faults that lie with what was asked for, rather than with the work itself. */
export const INPUT_FAULTS = new Set<string>([
  'FolderNotFound', 'EmptyFolder', 'NoReadableImages', 'UnreadableImage', 'NotEnoughPixels', 'NotEnoughImages', 'FolderUnreadable', 'NothingValid', 'MixedImages', 'AreaUnreachable', 'PlaceUnknown', 'LabelsUnreadable', 'CorrectionsUnreadable', 'ClassesChanged', 'TooManyPatches', 'ShardMissing', 'WouldOverwrite', 'AmongImages', 'ProjectNotFound', 'ProjectUnreadable', 'OtherImages', 'ProjectTooNew',
  'ProjectLocked', 'FolderNotWritable', 'DiskFull', 'NothingTrained', 'NothingSegmented', 'HeatmapsMissing', 'CheckpointUnreadable', 'CheckpointMismatch',
  'BackendUnavailable', 'RuntimeUnavailable', 'FeaturesUnusable', 'TruthMissing', 'TruthInColour', 'TruthMismatch', 'TruthAmbiguous', 'TruthUnusable', 'NothingScored', 'InvalidSetting'
])
export const EXIT = { ok: 0, failed: 1, badInput: 2, interrupted: 130 }

/** How engines are started: by Node, or by Electron. */
let startEngine: (() => EngineProcess) | undefined
export const useEngines = (start: () => EngineProcess): void => void (startEngine = start)

/** Runs a command in the engine with a progress line, and prints its result. */
export async function perform<N extends CommandName>(
  name: N,
  input: CommandInput<N>,
  json: boolean | undefined,
  print: (output: CommandOutput<N>) => string
): Promise<void> {
  const engine = startEngine!()
  const controller = new AbortController()
  const interrupt = (): void => controller.abort()
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  const line = progressPrinter(process.stderr)
  try {
    const output = await engine.call(name, input, { signal: controller.signal, onProgress: (progress) => line.show(progress) })
    line.end()
    process.stdout.write(json ? `${JSON.stringify(output)}\n` : `${print(output)}\n`)
  } catch (fault) {
    line.end()
    const error = asSmaltiError(fault)
    process.stderr.write(`${error.message}\n`)
    if (json) process.stdout.write(`${JSON.stringify({ error })}\n`)
    process.exitCode = error.name === 'Cancelled' ? EXIT.interrupted : INPUT_FAULTS.has(error.name) ? EXIT.badInput : EXIT.failed
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    engine.stop()
  }
}
