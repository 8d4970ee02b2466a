import { COMMANDS, type CommandInput, type CommandName, type CommandOutput } from '../commands.ts'
import { type Progress } from './progress.ts'
import { SmaltiError } from '../errors.ts'
import { type ToEngine, fromEngine } from './messages.ts'

/** The asking side of an engine: it calls commands and receives their answers. */
export interface EngineClient {
  /** Runs a command. Aborting the signal cancels it; the promise then rejects with `Cancelled`. */
  call<N extends CommandName>(
    name: N,
    input: CommandInput<N>,
    options?: { signal?: AbortSignal; onProgress?: (progress: Progress) => void }
  ): Promise<CommandOutput<N>>
  /** Must be called with every message from the engine. */
  receive(message: unknown): void
  /** Rejects every pending call. */
  fail(fault: SmaltiError): void
}

/** An engine in a process of its own. */
export interface EngineProcess extends EngineClient {
  /** Ends the process once it is idle; resolves when it has ended. */
  stop(): Promise<void>
  /** Ends the process at once, even while it computes. */
  kill(): void
}

interface Pending {
  resolve(output: unknown): void
  reject(fault: SmaltiError): void
  onProgress?: (progress: Progress) => void
}

/** Creates the asking side of the contract over any channel that carries JSON. */
export function createClient(send: (message: ToEngine) => void): EngineClient {
  const pending = new Map<number, Pending>()
  let last = 0
  return {
    call(name, input, { signal, onProgress } = {}) {
      const id = ++last
      const cancel = (): void => send({ kind: 'cancel', id })
      return new Promise<unknown>((resolve, reject) => {
        pending.set(id, { resolve, reject, onProgress })
        signal?.addEventListener('abort', cancel, { once: true })
        send({ kind: 'command', id, name, input })
        if (signal?.aborted) cancel()
      })
        .finally(() => {
          pending.delete(id)
          signal?.removeEventListener('abort', cancel)
        })
        .then((output) => COMMANDS[name].output.parse(output) as CommandOutput<typeof name>)
    },
    receive(message) {
      const answer = fromEngine.parse(message)
      const request = pending.get(answer.id)
      if (!request) return
      if (answer.kind === 'progress') request.onProgress?.(answer.progress)
      else if (answer.kind === 'reply') request.resolve(answer.output)
      else request.reject(new SmaltiError(answer.error.name, answer.error.details))
    },
    fail(fault) {
      for (const { reject } of pending.values()) reject(fault)
    }
  }
}
