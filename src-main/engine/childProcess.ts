import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type EngineProcess, createClient } from '../contract/client.ts'
import { SmaltiError } from '../contract/errors.ts'
import { parentPort, startSibling } from './siblings.ts'

/** Characters of the engine's own output that are kept, to be shown if it crashes. */
const KEPT_OUTPUT = 4000

/** Starts the engine as a process of its own, for the command line or for a trial. */
export function startEngineProcess(): EngineProcess {
  if (parentPort) return startSibling(parentPort)
  const child = fork(fileURLToPath(new URL('./engine.js', import.meta.url)), { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const client = createClient((message) => child.send(message))
  let output = ''
  child.stderr!.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-KEPT_OUTPUT)))
  child.on('message', (message) => client.receive(message))
  child.on('exit', (code, signal) => {
    if (code) process.stderr.write(output)
    client.fail(new SmaltiError('EngineStopped', { reason: signal ?? `exit code ${code}` }))
  })
  return { ...client, stop: () => child.connected && child.disconnect(), kill: () => void child.kill('SIGKILL') }
}
