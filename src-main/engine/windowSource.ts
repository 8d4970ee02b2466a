import { Worker } from 'node:worker_threads'
import { type ErrorName, SmaltiError } from '../contract/errors.ts'
import type { BandStatistics, CatalogueImage } from '../contract/imagery.ts'
import type { Sight } from '../imagery/pictures.ts'
import type { Window } from '../imagery/raster.ts'
import type { ReadWindow } from '../segmentation/segment.ts'

export interface WindowSourceConfig {
  sight: Sight
  statistics: BandStatistics
  keptBytes: number
}

export type WindowRequest = { kind: 'configure'; config: WindowSourceConfig } | { kind: 'read'; number: number; image: CatalogueImage; window: Window }

export type WindowReply =
  | { kind: 'read'; number: number; window: ReadWindow }
  | { kind: 'failed'; number: number; error: { name: ErrorName; details: Record<string, string | number | undefined> } }
  | { kind: 'copying'; path: string; share: number }

/** geotiff.js takes a thread without such data for one of its own. */
export const NO_WORKER_OF_GEOTIFF = {}
/** Windows read ahead of the network: enough that it need not wait, few enough that memory stays bounded. */
const AHEAD = 3

export interface WindowSource {
  /** The next window in the order of the requests. @throws UnreadableImage and what reading throws; Cancelled */
  next(): Promise<ReadWindow>
  /** Takes up another order of requests, from the next window on. */
  restart(requests: Iterator<{ image: CatalogueImage; window: Window }>): void
  stop(): Promise<void>
}

/** Reads windows on a thread of its own, ahead of who takes them. */
export function startWindowSource(config: WindowSourceConfig, signal: AbortSignal, onCopying: (path: string, share: number) => void): WindowSource {
  const worker = new Worker(new URL('./windows.js', import.meta.url), { workerData: NO_WORKER_OF_GEOTIFF })
  const waiting = new Map<number, { resolve(window: ReadWindow): void; reject(fault: Error): void }>()
  let queue: Promise<ReadWindow>[] = []
  let requests: Iterator<{ image: CatalogueImage; window: Window }> = [][Symbol.iterator]()
  let last = 0
  let ended: Error | undefined
  worker.on('message', (reply: WindowReply) => {
    if (reply.kind === 'copying') {
      onCopying(reply.path, reply.share)
      return
    }
    const asked = waiting.get(reply.number)
    waiting.delete(reply.number)
    if (reply.kind === 'read') asked?.resolve(reply.window)
    else asked?.reject(new SmaltiError(reply.error.name, reply.error.details))
  })
  const failAll = (fault: Error): void => {
    ended ??= fault
    for (const { reject } of waiting.values()) reject(fault)
    waiting.clear()
  }
  worker.on('error', failAll)
  const leave = (): void => failAll(new SmaltiError('Cancelled'))
  signal.addEventListener('abort', leave)
  if (signal.aborted) leave()
  worker.postMessage({ kind: 'configure', config } satisfies WindowRequest)

  function fill(): void {
    while (queue.length < AHEAD) {
      const { value, done } = requests.next()
      if (done) return
      const number = ++last
      const read = ended ? Promise.reject(ended) : new Promise<ReadWindow>((resolve, reject) => waiting.set(number, { resolve, reject }))
      read.catch(() => undefined)
      queue.push(read)
      worker.postMessage({ kind: 'read', number, ...value } satisfies WindowRequest)
    }
  }

  return {
    async next() {
      fill()
      const window = queue.shift()
      if (!window) throw new Error('a window was asked for that nobody requested')
      fill()
      return window
    },
    restart(others) {
      requests = others
      queue = []
    },
    async stop() {
      signal.removeEventListener('abort', leave)
      await worker.terminate()
    }
  }
}
