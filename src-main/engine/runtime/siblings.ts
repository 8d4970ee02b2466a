import { type EngineClient, type EngineProcess, createClient } from '../../contract/client.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { type SiblingRequest, siblingNews } from '../../contract/messages.ts'

/** The channel of a utility process to Electron's main process. */
export interface ParentPort {
  on(event: 'message', listener: (event: { data: unknown }) => void): void
  postMessage(message: unknown): void
}
/** Undefined where no Electron started this process. */
export const { parentPort } = process as unknown as { parentPort?: ParentPort }

const siblings = new Map<number, EngineClient & { ended(): void }>()
let last = 0

/** Another engine, started by the shell. */
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

/** Takes what the shell tells of a sibling; false for any other message. */
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
