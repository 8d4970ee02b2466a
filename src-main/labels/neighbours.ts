import { SmaltiError } from '../contract/errors.ts'
import { NO_LABEL } from '../contract/labels.ts'
import { type LabelSource, stripes } from './source.ts'

/** How often labels occur, and how often one lies beside another. */
export interface LabelCounts {
  /** Pixels of each label. */
  pixels: Float64Array
  /** Pairs of pixels that touch along an edge, by their labels, symmetric, [count, count]; the diagonal holds pairs of one label twice. */
  pairs: Float64Array
}

/** Counts labels 0…count − 1 over an image of any size, stripe by stripe. @throws Cancelled, UnreadableImage */
export async function countNeighbours(labels: LabelSource, count: number, signal: AbortSignal): Promise<LabelCounts> {
  const pixels = new Float64Array(256)
  const pairs = new Float64Array(256 * 256)
  let above: Uint8Array | undefined
  for (const window of stripes(labels)) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const stripe = await labels.read(window, signal)
    const { width } = window
    for (const label of stripe) pixels[label]++
    for (let r = 0; r < window.height; r++) {
      const row = r * width
      for (let c = 1; c < width; c++) pairs[stripe[row + c - 1] * 256 + stripe[row + c]]++
      const [former, from] = r > 0 ? [stripe, row - width] : [above, 0]
      if (former) for (let c = 0; c < width; c++) pairs[former[from + c] * 256 + stripe[row + c]]++
    }
    above = stripe.slice((window.height - 1) * width)
  }
  const symmetric = new Float64Array(count * count)
  for (let a = 0; a < Math.min(count, NO_LABEL); a++) for (let b = 0; b < count; b++) symmetric[a * count + b] = pairs[a * 256 + b] + pairs[b * 256 + a]
  return { pixels: pixels.slice(0, count), pairs: symmetric }
}
