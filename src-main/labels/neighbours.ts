import { SmaltiError } from '../contract/errors.ts'
import { NO_LABEL } from '../contract/labels.ts'
import type { GroundAreas } from '../imagery/crs/groundArea.ts'
import { type LabelSource, stripes } from './source.ts'

/** How often labels occur, and how often each pair of labels is adjacent. */
export interface LabelCounts {
  /** Number of pixels of each label. */
  pixels: Float64Array
  /**
   * Pairs of pixels that share an edge, by their labels, symmetric, [count, count]. The diagonal counts pairs of the
   * same label twice.
   */
  pairs: Float64Array
  /** Area of each label on the ground in square metres, if known. */
  squareMetres?: Float64Array
}

/** Counts labels 0…count − 1 in an image of any size, one stripe at a time. @throws Cancelled, UnreadableImage */
export async function countNeighbours(
  labels: LabelSource,
  count: number,
  ground: GroundAreas | undefined,
  signal: AbortSignal
): Promise<LabelCounts> {
  const pixels = new Float64Array(256)
  const pairs = new Float64Array(256 * 256)
  const squareMetres = ground && new Float64Array(256)
  let above: Uint8Array | undefined
  for (const window of stripes(labels)) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const stripe = await labels.read(window, signal)
    const { width } = window
    countRuns(pixels, stripe)
    if (squareMetres) ground.add(squareMetres, stripe, window)
    for (let r = 0; r < window.height; r++) {
      const row = r * width
      countPairs(pairs, stripe, row, stripe, row + 1, width - 1)
      if (r > 0) countPairs(pairs, stripe, row - width, stripe, row, width)
      else if (above) countPairs(pairs, above, 0, stripe, row, width)
    }
    above = stripe.slice((window.height - 1) * width)
  }
  const symmetric = new Float64Array(count * count)
  for (let a = 0; a < Math.min(count, NO_LABEL); a++)
    for (let b = 0; b < count; b++) symmetric[a * count + b] = pairs[a * 256 + b] + pairs[b * 256 + a]
  return { pixels: pixels.slice(0, count), pairs: symmetric, squareMetres: squareMetres?.slice(0, count) }
}

/** Counts runs of equal labels, because labels rarely change and incrementing one counter repeatedly is slow. */
function countRuns(counts: Float64Array, labels: Uint8Array): void {
  let begun = 0
  for (let i = 1; i <= labels.length; i++) {
    if (i < labels.length && labels[i] === labels[begun]) continue
    counts[labels[begun]] += i - begun
    begun = i
  }
}

function countPairs(
  pairs: Float64Array,
  a: Uint8Array,
  fromA: number,
  b: Uint8Array,
  fromB: number,
  length: number
): void {
  let [pair, begun] = [-1, 0]
  for (let i = 0; i < length; i++) {
    const next = a[fromA + i] * 256 + b[fromB + i]
    if (next === pair) continue
    if (pair >= 0) pairs[pair] += i - begun
    ;[pair, begun] = [next, i]
  }
  if (pair >= 0) pairs[pair] += length - begun
}
