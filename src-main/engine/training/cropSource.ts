import { Worker } from 'node:worker_threads'
import { type ErrorName, SmaltiError } from '../../contract/errors.ts'
import type { BandStatistics, CatalogueImage, SkippedFile } from '../../contract/imagery.ts'
import type { ViewRecipe } from '../../contract/recipe.ts'
import { KEPT_BYTES, type Sight } from '../../imagery/pictures.ts'
import type { Batch, BatchShape } from '../../learning/views/pairs.ts'
import { owedAnswers } from '../runtime/owedAnswers.ts'
import { NO_WORKER_OF_GEOTIFF } from '../labelling/windowSource.ts'

/** The images that crops are cut from, and the shape and views of the crops. */
export interface CropSourceConfig {
  sight: Sight
  images: CatalogueImage[]
  statistics: BandStatistics
  shape: BatchShape
  views: ViewRecipe
  /** For whole images only: side of the smallest part shown, as a share of the image's side. */
  smallestPart?: number
  seed: number
}

export interface CropperConfig extends CropSourceConfig {
  /** Bytes of decoded pixels that this thread may cache. */
  keptBytes: number
}

export type CropRequest = { kind: 'configure'; config: CropperConfig } | { kind: 'cut'; step: number }

export interface CropReply {
  step: number
  batch?: Batch
  unreadable: SkippedFile[]
  error?: { name: ErrorName; details: Record<string, string | number | undefined> }
}

/** The least number of batches cut ahead of the requested one. */
const AHEAD = 3

/** Training batches by step, cut ahead of time on threads. */
export interface CropSource {
  /** Returns the batch of a step. @throws Cancelled, or the fault that ended a thread */
  next(step: number): Promise<Batch>
  stop(): Promise<void>
}

/**
 * Starts threads that take turns to cut the crops of each step. A batch depends only on the seed and its step, not on
 * the number of threads. An unreadable image is reported once. Pending calls reject when the signal aborts.
 */
export function startCropSource(
  config: CropSourceConfig,
  threads: number,
  signal: AbortSignal,
  onUnreadable: (file: SkippedFile) => void
): CropSource {
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL('./crops.js', import.meta.url), { workerData: NO_WORKER_OF_GEOTIFF })
  )
  const batches = owedAnswers<Batch>(signal)
  const told = new Set<string>()
  const ask = (step: number): Promise<Batch> => {
    if (!batches.has(step)) workers[step % threads].postMessage({ kind: 'cut', step } satisfies CropRequest)
    return batches.to(step)
  }
  const receive = ({ step, batch, unreadable, error }: CropReply): void => {
    for (const file of unreadable.filter(({ path }) => !told.has(path))) {
      told.add(file.path)
      onUnreadable(file)
    }
    if (batch) batches.give(step, batch)
    else batches.refuse(step, new SmaltiError(error!.name, error!.details))
  }
  for (const worker of workers) {
    worker.on('message', receive)
    worker.on('error', batches.end)
    worker.postMessage({
      kind: 'configure',
      config: { ...config, keptBytes: KEPT_BYTES / threads }
    } satisfies CropRequest)
  }
  return {
    next(step) {
      batches.forget((old) => old < step)
      const wanted = ask(step)
      for (let ahead = 1; ahead <= Math.max(AHEAD, threads); ahead++) void ask(step + ahead)
      return wanted
    },
    async stop() {
      batches.close()
      await Promise.all(workers.map((worker) => worker.terminate()))
    }
  }
}
