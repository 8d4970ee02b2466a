import { type ForkOptions, fork } from 'node:child_process'
import { resolve } from 'node:path'
import { type EngineClient, createClient } from '../../src-main/contract/client.ts'
import { SmaltiError } from '../../src-main/contract/errors.ts'

export interface WatchedEngine extends Pick<EngineClient, 'call'> {
  pid: number
  /** How it ended, where it did. */
  ended(): string | undefined
  kill(): Promise<void>
}

/** The built engine in a process of its own. */
export function startBuiltEngine(options: Pick<ForkOptions, 'execArgv' | 'env'> = {}): WatchedEngine {
  const child = fork(resolve('out/main/engine.js'), { ...options, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  child.stderr!.resume()
  const client = createClient((message) => child.connected && child.send(message))
  let end: string | undefined
  child.on('message', (message) => client.receive(message))
  const exited = new Promise<void>((done) =>
    child.on('exit', (code, signal) => {
      end = String(signal ?? code)
      client.fail(new SmaltiError('EngineStopped', { reason: end }))
      done()
    })
  )
  return {
    call: client.call,
    pid: child.pid!,
    ended: () => end,
    async kill() {
      child.kill('SIGKILL')
      await exited
    }
  }
}
