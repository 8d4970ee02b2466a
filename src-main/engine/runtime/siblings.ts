import { type EngineClient, type EngineProcess, createClient } from '../../contract/engine/client.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { type SiblingRequest, siblingNews } from '../../contract/engine/messages.ts'

/** The channel from a utility process to Electron's main process. */
export interface ParentPort {
  on(event: 'message', listener: (event: { data: unknown }) => void): void
  postMessage(message: unknown): void
}
/** The channel of this process; undefined when Electron did not start it. */
export const { parentPort } = process as unknown as { parentPort?: ParentPort }

const siblings = new Map<number, EngineClient & { ended(): void }>()
let last = 0

/** Starts another engine through the shell. */
export function startSibling(port: ParentPort): EngineProcess {
  const sibling = ++last
  const ask = (what: SiblingRequest['ask']): void =>
    port.postMessage({ kind: 'sibling', sibling, ask: what } satisfies SiblingRequest)
  const client = createClient((message) => ask({ message }))
  const end = (): void => ask('end')
  const gone = new Promise<void>((ended) => siblings.set(sibling, { ...client, ended }))
  ask('start')
  return {
    ...client,
    kill: end,
    stop() {
      end()
      return gone
    }
  }
}

/** Handles a message from the shell about a sibling; returns false for any other message. */
export function receiveFromSibling(message: unknown): boolean {
  const { success, data } = siblingNews.safeParse(message)
  if (!success) return false
  const client = siblings.get(data.sibling)
  if ('message' in data.news) client?.receive(data.news.message)
  else {
    siblings.delete(data.sibling)
    client?.fail(new SmaltiError('EngineStopped', { reason: data.news.ended }))
    client?.ended()
  }
  return true
}
