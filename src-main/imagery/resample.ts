import { SmaltiError } from '../contract/errors.ts'
import type { BandView } from './bandView.ts'
import type { Patch, Raster, Samples, Size, Window } from './raster.ts'

/** Planar values of a window in the file's units, and which of them are valid. */
export interface Values extends Size {
  bands: (Uint8Array | Float32Array)[]
  valid?: Uint8Array
}

/** Pixels read at a time while an image is reduced. */
const AT_ONCE = 4 * 2 ** 20
/** Share of a pixel's weight that must be valid for the pixel to be valid. */
const VALID_SHARE = 0.5

/**
 * Reads a window of a raster on another grid. Starts from the coarsest stored level that is fine enough, takes means of
 * whole boxes, then interpolates (Catmull–Rom, widened when pixels get larger). Every box and weight depends only on
 * the position in the image, so adjacent windows match exactly.
 *
 * @param size    size of the whole image on the target grid
 * @param window  a window inside that grid
 */
export async function readScaled(
  raster: Raster,
  view: BandView,
  size: Size,
  window: Window,
  signal?: AbortSignal
): Promise<Values> {
  const level = levelFor(raster, size)
  const stored = raster.levels[level]
  const [ratioX, ratioY] = [stored.width / size.width, stored.height / size.height]
  if (ratioX === 1 && ratioY === 1)
    return asValues(await raster.read(window, { level, bands: view.needed, signal }), view)
  const [boxX, boxY] = [ratioX, ratioY].map((ratio) => Math.max(1, Math.floor(ratio + 1e-9)))
  const columns = kernels(window.left, window.width, ratioX / boxX, Math.ceil(stored.width / boxX))
  const rows = kernels(window.top, window.height, ratioY / boxY, Math.ceil(stored.height / boxY))
  const boxes = { left: columns.from, top: rows.from, width: columns.to - columns.from, height: rows.to - rows.from }
  const reduced = await readBoxes(raster, view, level, boxes, { x: boxX, y: boxY }, signal)
  return interpolated(reduced, columns, rows)
}

/** Finds the coarsest level whose pixels are no larger than the target grid's. */
function levelFor({ levels }: Raster, size: Size): number {
  let best = 0
  levels.forEach((level, i) => {
    if (level.width >= size.width && level.height >= size.height) best = i
  })
  return best
}

function asValues(patch: Patch, view: BandView): Values {
  return { width: patch.width, height: patch.height, bands: view.make(patch).map(plain), valid: patch.valid }
}

/** Returns 8-bit values unchanged and all others as floating point. */
function plain(samples: Samples): Uint8Array | Float32Array {
  return samples instanceof Uint8Array || samples instanceof Float32Array ? samples : Float32Array.from(samples)
}

/** Averages valid pixels over boxes, some rows at a time. */
async function readBoxes(
  raster: Raster,
  view: BandView,
  level: number,
  boxes: Window,
  box: { x: number; y: number },
  signal?: AbortSignal
): Promise<Values> {
  const stored = raster.levels[level]
  const pixels = boxes.width * boxes.height
  const result: Values = { width: boxes.width, height: boxes.height, bands: [] }
  const left = boxes.left * box.x
  const width = Math.min((boxes.left + boxes.width) * box.x, stored.width) - left
  const rowsAtOnce = Math.max(1, Math.floor(AT_ONCE / (width * box.y)))
  for (let from = 0; from < boxes.height; from += rowsAtOnce) {
    if (signal?.aborted) throw new SmaltiError('Cancelled')
    const rows = Math.min(rowsAtOnce, boxes.height - from)
    const top = (boxes.top + from) * box.y
    const height = Math.min(top + rows * box.y, stored.height) - top
    const part = asValues(await raster.read({ left, top, width, height }, { level, bands: view.needed, signal }), view)
    if (box.x === 1 && box.y === 1 && rows === boxes.height) return part
    if (result.bands.length === 0) result.bands = part.bands.map(() => new Float32Array(pixels))
    if (part.valid && !result.valid) result.valid = new Uint8Array(pixels).fill(1)
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < boxes.width; c++)
        meanOfBox(part, result, { row: r * box.y, column: c * box.x, to: (from + r) * boxes.width + c }, box)
    }
  }
  return result
}

function meanOfBox(
  part: Values,
  result: Values,
  at: { row: number; column: number; to: number },
  box: { x: number; y: number }
): void {
  const [bottom, right] = [Math.min(at.row + box.y, part.height), Math.min(at.column + box.x, part.width)]
  const { valid } = part
  const all = (bottom - at.row) * (right - at.column)
  let count = all
  if (valid) {
    count = 0
    for (let r = at.row; r < bottom; r++)
      for (let i = r * part.width + at.column; i < r * part.width + right; i++) count += valid[i]
    if (count < VALID_SHARE * all) result.valid![at.to] = 0
  }
  part.bands.forEach((band, b) => {
    let sum = 0
    for (let r = at.row; r < bottom; r++) {
      const row = r * part.width
      if (valid && count < all) for (let i = row + at.column; i < row + right; i++) sum += valid[i] ? band[i] : 0
      else for (let i = row + at.column; i < row + right; i++) sum += band[i]
    }
    result.bands[b][at.to] = count > 0 ? sum / count : 0
  })
}

interface Kernels {
  /** Range of samples needed. */
  from: number
  to: number
  /** First sample of each result, and the weights from there on. */
  starts: Int32Array
  weights: Float32Array[]
}

/** Computes Catmull–Rom weights of samples for each pixel of a window along one axis, clamped to the image. */
function kernels(start: number, length: number, ratio: number, samples: number): Kernels {
  const width = Math.max(ratio, 1)
  const starts = new Int32Array(length)
  const weights: Float32Array[] = []
  let [from, to] = [Infinity, 0]
  for (let i = 0; i < length; i++) {
    const centre = (start + i + 0.5) * ratio - 0.5
    const [first, last] = [Math.ceil(centre - 2 * width), Math.floor(centre + 2 * width)]
    const [low, high] = [Math.min(Math.max(first, 0), samples - 1), Math.min(Math.max(last, 0), samples - 1)]
    const row = new Float32Array(high - low + 1)
    let sum = 0
    for (let k = first; k <= last; k++) {
      const weight = catmullRom((k - centre) / width)
      row[Math.min(Math.max(k, 0), samples - 1) - low] += weight
      sum += weight
    }
    for (let k = 0; k < row.length; k++) row[k] /= sum
    starts[i] = low
    weights.push(row)
    ;[from, to] = [Math.min(from, low), Math.max(to, high + 1)]
  }
  return { from, to, starts, weights }
}

function catmullRom(x: number): number {
  const t = Math.abs(x)
  if (t >= 2) return 0
  return t < 1 ? 1.5 * t ** 3 - 2.5 * t ** 2 + 1 : -0.5 * t ** 3 + 2.5 * t ** 2 - 4 * t + 2
}

function interpolated({ width: across, height: down, bands, valid }: Values, columns: Kernels, rows: Kernels): Values {
  const [width, height] = [columns.starts.length, rows.starts.length]
  const share = valid && convolved(Float32Array.from(valid), across, down, columns, rows)
  const eightBit = bands[0] instanceof Uint8Array
  const results = bands.map((band) => {
    const values = convolved(
      valid ? Float32Array.from(band, (value, i) => (valid[i] ? value : 0)) : band,
      across,
      down,
      columns,
      rows
    )
    if (share) for (let i = 0; i < values.length; i++) values[i] = share[i] >= VALID_SHARE ? values[i] / share[i] : 0
    // Rounded and clamped to the range of the file's type.
    return eightBit ? Uint8Array.from(new Uint8ClampedArray(values)) : values
  })
  return {
    width,
    height,
    bands: results,
    valid: share?.some((value) => value < VALID_SHARE)
      ? Uint8Array.from(share, (value) => Number(value >= VALID_SHARE))
      : undefined
  }
}

function convolved(
  plane: Uint8Array | Float32Array,
  across: number,
  down: number,
  columns: Kernels,
  rows: Kernels
): Float32Array {
  const [width, height] = [columns.starts.length, rows.starts.length]
  const narrowed = new Float32Array(width * down)
  for (let c = 0; c < width; c++) {
    const weights = columns.weights[c]
    const start = columns.starts[c] - columns.from
    for (let r = 0; r < down; r++) {
      let sum = 0
      for (let k = 0, at = r * across + start; k < weights.length; k++, at++) sum += weights[k] * plane[at]
      narrowed[r * width + c] = sum
    }
  }
  const result = new Float32Array(width * height)
  for (let r = 0; r < height; r++) {
    const weights = rows.weights[r]
    const start = rows.starts[r] - rows.from
    const out = result.subarray(r * width, (r + 1) * width)
    for (let k = 0; k < weights.length; k++) {
      const row = (start + k) * width
      const weight = weights[k]
      for (let c = 0; c < width; c++) out[c] += weight * narrowed[row + c]
    }
  }
  return result
}
