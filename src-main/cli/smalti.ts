/** The command line under Node. */
import { startEngineProcess } from '../engine/childProcess.ts'
import { runCommandLine } from './commandLine.ts'

await runCommandLine(process.argv.slice(2), startEngineProcess)
