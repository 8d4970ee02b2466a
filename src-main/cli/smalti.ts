/** Entry point of the command line under Node. */
import './interruption.ts'

const [{ startEngineProcess }, { runCommandLine }] = await Promise.all([
  import('../engine/runtime/childProcess.ts'),
  import('./commandLine.ts')
])
await runCommandLine(process.argv.slice(2), startEngineProcess, (code) => process.exit(code))
