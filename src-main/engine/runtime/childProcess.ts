import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type EngineProcess, createClient } from '../../contract/engine/client.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { parentPort, startSibling } from './siblings.ts'

/** Characters of the engine's output that are kept, to show if it crashes. */
const KEPT_OUTPUT = 4000
/** Milliseconds the engine may take to shut down. */
const PATIENCE = 10_000
/** Signals with which a user or the system ends a whole process group. */
const ENDING = new Set(['SIGINT', 'SIGTERM', 'SIGHUP'])

/** Starts an engine in a process of its own, for the command line or for a trial. */
export function startEngineProcess(): EngineProcess {
  if (parentPort) return startSibling(parentPort)
  const child = fork(fileURLToPath(new URL('./engine.js', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc']
  })
  // A message sent to a process that has already exited needs no error: the exit answers it.
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
