import { SmaltiError } from '../contract/errors.ts'
import type { GroundAreas } from '../imagery/crs/groundArea.ts'
import { type LabelSource, stripes } from '../labels/source.ts'

/** The amount of each label 0…255. */
export interface LabelAreas {
  pixels: Float64Array
  /** Areas on the ellipsoid; absent when the scene's place is unknown. */
  squareMetres?: Float64Array
}

/** Measures labels one stripe at a time. @throws Cancelled, UnreadableImage */
export async function measureLabels(
  labels: LabelSource,
  ground: GroundAreas | undefined,
  signal: AbortSignal
): Promise<LabelAreas> {
  const pixels = new Float64Array(256)
  const squareMetres = ground && new Float64Array(256)
  for (const window of stripes(labels)) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const values = await labels.read(window, signal)
    for (const label of values) pixels[label]++
    if (squareMetres) ground.add(squareMetres, values, window)
  }
  return { pixels, squareMetres }
}

/** Opens an item's labels while `work` runs. */
export async function withLabels<T>(
  item: { open(): Promise<LabelSource> },
  work: (labels: LabelSource) => Promise<T>
): Promise<T> {
  const labels = await item.open()
  try {
    return await work(labels)
  } finally {
    await labels.close()
  }
}
