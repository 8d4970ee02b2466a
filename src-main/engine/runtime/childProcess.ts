import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type EngineProcess, createClient } from '../../contract/client.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { parentPort, startSibling } from './siblings.ts'

/** Characters of the engine's own output that are kept, to be shown if it crashes. */
const KEPT_OUTPUT = 4000
/** Milliseconds that an engine which is to end may take. */
const PATIENCE = 10_000
/** Signals by which a user or the system ends a whole group of processes. */
const ENDING = new Set(['SIGINT', 'SIGTERM', 'SIGHUP'])

/** Starts the engine as a process of its own, for the command line or for a trial. */
export function startEngineProcess(): EngineProcess {
  if (parentPort) return startSibling(parentPort)
  const child = fork(fileURLToPath(new URL('./engine.js', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc']
  })
  // A message that finds nobody any more is answered by the end of the process.
  const client = createClient((message) => void child.send(message, () => undefined))
  let output = ''
  child.stderr!.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-KEPT_OUTPUT)))
  child.on('message', (message) => client.receive(message))
  const kill = (): void => void child.kill('SIGKILL')
  const ended = new Promise<void>((resolve) => {
    const end = (fault: SmaltiError): void => {
      client.fail(fault)
      resolve()
    }
    child.once('error', ({ message }) => end(new SmaltiError('EngineStopped', { reason: message })))
    const said = new Promise((all) => child.stderr!.once('close', all))
    child.once(
      'exit',
      (code, signal) =>
        void said.then(() =>
          end(
            signal !== null && ENDING.has(signal)
              ? new SmaltiError('Cancelled')
              : new SmaltiError('EngineStopped', {
                  reason: signal ?? `exit code ${code}`,
                  output: code ? output : undefined
                })
          )
        )
    )
  })
  return {
    ...client,
    kill,
    async stop() {
      if (child.connected) child.disconnect()
      const late = setTimeout(kill, PATIENCE)
      await ended
      clearTimeout(late)
    }
  }
}
