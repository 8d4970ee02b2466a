import { fileURLToPath } from 'node:url'
import { type UtilityProcess, utilityProcess } from 'electron'
import { type EngineClient, type EngineProcess, createClient } from '../contract/engine/client.ts'
import { SmaltiError } from '../contract/errors.ts'
import { type SiblingNews, siblingRequest } from '../contract/engine/messages.ts'

/** Characters of an engine's error output that are kept, to show if it crashes. */
const KEPT_OUTPUT = 4000

const fork = (stdio: 'inherit' | 'pipe'): UtilityProcess =>
  utilityProcess.fork(fileURLToPath(new URL('./engine.js', import.meta.url)), [], {
    serviceName: 'Smalti engine',
    stdio: stdio === 'inherit' ? stdio : ['ignore', 'ignore', 'pipe']
  })

/**
 * Starts an engine as a utility process, and the sibling engines it asks for.
 * @param quiet    shows its error output only if it crashes
 * @param onEnded  receives the exit code
 */
export function startEngine({
  quiet = false,
  onEnded
}: { quiet?: boolean; onEnded?: (code: number) => void } = {}): EngineProcess {
  const child = fork(quiet ? 'pipe' : 'inherit')
  const client = createClient((message) => child.postMessage(message))
  const siblings = serveSiblings(child)
  let output = ''
  child.stderr?.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-KEPT_OUTPUT)))
  child.on('message', (message) => siblings.receive(message) || client.receive(message))
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code) => {
      siblings.end()
      client.fail(new SmaltiError('EngineStopped', { reason: `exit code ${code}`, output: code ? output : undefined }))
      onEnded?.(code)
      resolve()
    })
  })
  const kill = (): void => void child.kill()
  return {
    ...client,
    kill,
    stop() {
      kill()
      return ended
    }
  }
}

/** Starts and ends sibling engines for an engine, and passes on their messages. */
function serveSiblings(engine: UtilityProcess): { receive(message: unknown): boolean; end(): void } {
  const running = new Map<number, UtilityProcess>()
  const start = (sibling: number): void => {
    const child = fork('pipe')
    const tell = (news: SiblingNews['news']): void =>
      engine.postMessage({ kind: 'sibling', sibling, news } satisfies SiblingNews)
    running.set(sibling, child)
    child.on('message', (message: unknown) => tell({ message }))
    child.on('exit', (code) => {
      if (running.delete(sibling)) tell({ ended: `exit code ${code}` })
    })
  }
  return {
    receive(message) {
      const { success, data } = siblingRequest.safeParse(message)
      if (!success) return false
      const { sibling, ask } = data
      if (ask === 'start') start(sibling)
      else if (ask === 'end') running.get(sibling)?.kill()
      else running.get(sibling)?.postMessage(ask.message)
      return true
    },
    end() {
      const left = [...running.values()]
      running.clear()
      for (const child of left) child.kill()
    }
  }
}

/** Starts the window's engine at the first call, and again after a crash. */
export function createEngineHost(): Pick<EngineClient, 'call'> & { stop(): Promise<void> } {
  let running: EngineProcess | undefined
  return {
    call(name, input, options) {
      running ??= startEngine({ onEnded: () => (running = undefined) })
      return running.call(name, input, options)
    },
    async stop() {
      await running?.stop()
    }
  }
}
