import { Worker } from 'node:worker_threads'
import { type ErrorName, SmaltiError } from '../../contract/errors.ts'
import type { BandStatistics, CatalogueImage } from '../../contract/imagery.ts'
import type { Sight } from '../../imagery/pictures.ts'
import type { Window } from '../../imagery/raster.ts'
import type { ReadWindow } from '../../segmentation/segment.ts'
import { owedAnswers } from '../runtime/owedAnswers.ts'

/** How windows are read and standardised. */
export interface WindowSourceConfig {
  sight: Sight
  statistics: BandStatistics
  keptBytes: number
}

export type WindowRequest =
  | { kind: 'configure'; config: WindowSourceConfig }
  | { kind: 'read'; number: number; image: CatalogueImage; window: Window }

export type WindowReply =
  | { kind: 'read'; number: number; window: ReadWindow }
  | { kind: 'failed'; number: number; error: { name: ErrorName; details: Record<string, string | number | undefined> } }
  | { kind: 'copying'; path: string; share: number }

/** geotiff.js takes a worker thread without such data for one of its own. */
export const NO_WORKER_OF_GEOTIFF = {}
/** Windows read ahead of the network: enough to keep it busy, few enough to bound memory. */
const AHEAD = 3

/** Windows of images in order, read ahead on a thread. */
export interface WindowSource {
  /**
   * Returns the next window in the order of the requests.
   * @throws UnreadableImage and whatever reading throws; Cancelled
   */
  next(): Promise<ReadWindow>
  /** Switches to other requests, from the next window on. */
  restart(requests: Iterator<{ image: CatalogueImage; window: Window }>): void
  stop(): Promise<void>
}

/** Reads windows on a thread of its own, ahead of the network. */
export function startWindowSource(
  config: WindowSourceConfig,
  signal: AbortSignal,
  onCopying: (path: string, share: number) => void
): WindowSource {
  const worker = new Worker(new URL('./windows.js', import.meta.url), { workerData: NO_WORKER_OF_GEOTIFF })
  const windows = owedAnswers<ReadWindow>(signal)
  let queue: Promise<ReadWindow>[] = []
  let requests: Iterator<{ image: CatalogueImage; window: Window }> = [][Symbol.iterator]()
  let last = 0
  worker.on('message', (reply: WindowReply) => {
    if (reply.kind === 'copying') {
      onCopying(reply.path, reply.share)
      return
    }
    if (reply.kind === 'read') windows.give(reply.number, reply.window)
    else windows.refuse(reply.number, new SmaltiError(reply.error.name, reply.error.details))
    windows.forget((number) => number === reply.number)
  })
  worker.on('error', windows.end)
  worker.postMessage({ kind: 'configure', config } satisfies WindowRequest)

  function fill(): void {
    while (queue.length < AHEAD) {
      const { value, done } = requests.next()
      if (done) return
      const number = ++last
      queue.push(windows.to(number))
      worker.postMessage({ kind: 'read', number, ...value } satisfies WindowRequest)
    }
  }

  return {
    async next() {
      fill()
      const window = queue.shift()
      if (!window) throw new Error('a window was read that nobody requested')
      fill()
      return window
    },
    restart(others) {
      requests = others
      queue = []
    },
    async stop() {
      windows.close()
      await worker.terminate()
    }
  }
}
