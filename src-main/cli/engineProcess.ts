import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type EngineClient, createClient } from '../contract/client.ts'
import { TesseraError } from '../contract/errors.ts'

export interface EngineProcess extends EngineClient {
  stop(): void
}

/** Starts the engine as a child process of the command line. */
export function startEngineProcess(): EngineProcess {
  const child = fork(fileURLToPath(new URL('./engine.js', import.meta.url)), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const client = createClient((message) => child.send(message))
  child.on('message', (message) => client.receive(message))
  child.on('exit', (code, signal) => client.fail(new TesseraError('EngineStopped', { reason: signal ?? `exit code ${code}` })))
  return { ...client, stop: () => child.disconnect() }
}
