import { Worker } from 'node:worker_threads'
import { type ErrorName, SmaltiError } from '../../contract/errors.ts'
import type { BandStatistics, CatalogueImage, SkippedFile } from '../../contract/imagery.ts'
import type { ViewRecipe } from '../../contract/recipe.ts'
import { KEPT_BYTES, type Sight } from '../../imagery/pictures.ts'
import type { Batch, BatchShape } from '../../learning/views/pairs.ts'
import { owedAnswers } from '../runtime/owedAnswers.ts'
import { NO_WORKER_OF_GEOTIFF } from '../labelling/windowSource.ts'

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
