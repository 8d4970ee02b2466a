import { Worker } from 'node:worker_threads'
import { type ErrorName, SmaltiError } from '../contract/errors.ts'
import type { BandStatistics, CatalogueImage, SkippedFile } from '../contract/imagery.ts'
import type { ViewRecipe } from '../contract/recipe.ts'
import { KEPT_BYTES, type Sight } from '../imagery/pictures.ts'
import type { Batch, BatchShape } from '../learning/views/pairs.ts'
import { NO_WORKER_OF_GEOTIFF } from './windowSource.ts'

export interface CropSourceConfig {
  sight: Sight
  images: CatalogueImage[]
  statistics: BandStatistics
  shape: BatchShape
  views: ViewRecipe
  /** Whole images only: side of the smallest part shown, as a share of the image's. */
  smallestPart?: number
  seed: number
}

export interface CropperConfig extends CropSourceConfig {
  /** Decoded pixels that this one of the threads keeps at hand, in bytes. */
  keptBytes: number
}

export type CropRequest = { kind: 'configure'; config: CropperConfig } | { kind: 'cut'; step: number }

export interface CropReply {
  step: number
  batch?: Batch
  unreadable: SkippedFile[]
  error?: { name: ErrorName; details: Record<string, string | number | undefined> }
}

/** Batches cut ahead of the one that is asked for, at least. */
const AHEAD = 3

export interface CropSource {
  /** @throws Cancelled, and what ended a thread */
  next(step: number): Promise<Batch>
  stop(): Promise<void>
}

/**
 * Starts threads that cut the crops of each step, turn by turn. A batch depends on the seed and its step alone, not on
 * how many threads there are. An unreadable image is told once; whoever waits when the signal aborts is told so.
 */
export function startCropSource(config: CropSourceConfig, threads: number, signal: AbortSignal, onUnreadable: (file: SkippedFile) => void): CropSource {
  const workers = Array.from({ length: threads }, () => new Worker(new URL('./crops.js', import.meta.url), { workerData: NO_WORKER_OF_GEOTIFF }))
  let ended: Error | undefined
  const waiting = new Map<number, PromiseWithResolvers<Batch>>()
  const told = new Set<string>()
  const ask = (step: number): PromiseWithResolvers<Batch> => {
    const known = waiting.get(step)
    if (known) return known
    const made = withResolvers<Batch>()
    made.promise.catch(() => undefined)
    waiting.set(step, made)
    if (ended) made.reject(ended)
    workers[step % threads].postMessage({ kind: 'cut', step } satisfies CropRequest)
    return made
  }
  const failAll = (fault: Error): void => {
    ended ??= fault
    for (const { reject } of waiting.values()) reject(fault)
  }
  const receive = ({ step, batch, unreadable, error }: CropReply): void => {
    for (const file of unreadable.filter(({ path }) => !told.has(path))) {
      told.add(file.path)
      onUnreadable(file)
    }
    const request = waiting.get(step)
    if (batch) request?.resolve(batch)
    else request?.reject(new SmaltiError(error!.name, error!.details))
  }
  for (const worker of workers) {
    worker.on('message', receive)
    worker.on('error', failAll)
    worker.postMessage({ kind: 'configure', config: { ...config, keptBytes: KEPT_BYTES / threads } } satisfies CropRequest)
  }
  const leave = (): void => failAll(new SmaltiError('Cancelled'))
  signal.addEventListener('abort', leave)
  if (signal.aborted) leave()
  return {
    next(step) {
      for (const old of [...waiting.keys()].filter((key) => key < step)) waiting.delete(old)
      const wanted = ask(step)
      for (let ahead = 1; ahead <= Math.max(AHEAD, threads); ahead++) ask(step + ahead)
      return wanted.promise
    },
    async stop() {
      signal.removeEventListener('abort', leave)
      leave()
      await Promise.all(workers.map((worker) => worker.terminate()))
    }
  }
}

interface PromiseWithResolvers<T> {
  promise: Promise<T>
  resolve(value: T): void
  reject(fault: Error): void
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers<T>(): PromiseWithResolvers<T> {
  const made = {} as PromiseWithResolvers<T>
  made.promise = new Promise<T>((resolve, reject) => Object.assign(made, { resolve, reject }))
  return made
}
