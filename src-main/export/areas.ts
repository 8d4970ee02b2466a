import { SmaltiError } from '../contract/errors.ts'
import { type LabelSource, stripes } from '../labels/source.ts'

/** Pixels of each label 0…255, counted stripe by stripe. @throws Cancelled, UnreadableImage */
export async function countLabels(labels: LabelSource, signal: AbortSignal): Promise<Float64Array> {
  const counts = new Float64Array(256)
  for (const window of stripes(labels)) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    for (const label of await labels.read(window, signal)) counts[label]++
  }
  return counts
}

/** Opens an item's labels for as long as `work` needs them. */
export async function withLabels<T>(item: { open(): Promise<LabelSource> }, work: (labels: LabelSource) => Promise<T>): Promise<T> {
  const labels = await item.open()
  try {
    return await work(labels)
  } finally {
    await labels.close()
  }
}
