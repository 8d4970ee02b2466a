import { fileURLToPath } from 'node:url'
import { type UtilityProcess, utilityProcess } from 'electron'
import { type EngineClient, createClient } from '../contract/client.ts'
import { SmaltiError } from '../contract/errors.ts'

/** The engine as a utility process, started at the first call and again after a crash. */
export function createEngineHost(): Pick<EngineClient, 'call'> & { stop(): void } {
  let running: { child: UtilityProcess; client: EngineClient } | undefined

  function start(): { child: UtilityProcess; client: EngineClient } {
    const child = utilityProcess.fork(fileURLToPath(new URL('./engine.js', import.meta.url)), [], { serviceName: 'Smalti engine', stdio: 'inherit' })
    const client = createClient((message) => child.postMessage(message))
    child.on('message', (message) => client.receive(message))
    child.on('exit', (code) => {
      client.fail(new SmaltiError('EngineStopped', { reason: `exit code ${code}` }))
      if (running?.child === child) running = undefined
    })
    return { child, client }
  }

  return {
    call(name, input, options) {
      running ??= start()
      return running.client.call(name, input, options)
    },
    stop: () => running?.child.kill()
  }
}
