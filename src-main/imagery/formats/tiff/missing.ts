import type { SampleType } from '../../../contract/imagery.ts'
import { type Samples, rangeOf } from '../../raster.ts'

/**
 * Parses a nodata value as GDAL does: a leading number with a decimal point or comma, or NaN or infinity in any
 * spelling. Other text marks nothing.
 */
export function parseNodata(text: string | undefined): number | undefined {
  const trimmed = (text ?? '').trim()
  if (/^[+-]?nan|^-?1[.,]#(QNAN|SNAN|IND)/i.test(trimmed)) return NaN
  const infinite = /^([+-]?)(inf|1[.,]#INF)/i.exec(trimmed)
  if (infinite) return infinite[1] === '-' ? -Infinity : Infinity
  const number = /^[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?/i.exec(trimmed)
  return number ? Number(number[0].replace(',', '.')) : undefined
}

/**
 * Returns the value that marks missing pixels in samples of a type, or undefined if none can. As in GDAL, a value
 * outside an integer type's range marks nothing, and fractions are dropped.
 */
export function markOf(nodata: number | undefined, type: SampleType): number | undefined {
  if (nodata === undefined) return undefined
  if (type === 'float32') return Math.fround(nodata)
  if (type === 'float64') return nodata
  const { low, high } = rangeOf(type)
  return nodata >= low && nodata <= high ? Math.trunc(nodata) : undefined
}

/** Returns the sample value of blocks that the file omits: nodata, clamped to the type's range, or else 0. */
export function fillOf(nodata: number | undefined, type: SampleType): number {
  if (nodata === undefined || type.startsWith('float')) return nodata ?? 0
  const { low, high } = rangeOf(type)
  return Number.isNaN(nodata) ? 0 : Math.round(Math.min(Math.max(nodata, low), high))
}

const FLOAT_EPSILON = 2 ** -23
const DOUBLE_EPSILON = 2 ** -52

/** Counts the planes that mark each pixel as missing. */
function countMarked(plane: Samples, mark: number, marked: Uint16Array): void {
  if (Number.isNaN(mark)) return // NaN never counts, marked or not.
  if (plane instanceof Float32Array) {
    // Text keeps few digits, so GDAL treats nearly equal values as equal; like GDAL, let the sum overflow in single
    // precision.
    for (let i = 0; i < plane.length; i++) {
      const value = plane[i]
      if (
        value === mark ||
        Math.abs(Math.fround(value - mark)) < 2 * FLOAT_EPSILON * Math.abs(Math.fround(value + mark))
      )
        marked[i]++
    }
  } else if (plane instanceof Float64Array) {
    for (let i = 0; i < plane.length; i++)
      if (plane[i] === mark || Math.abs(plane[i] - mark) < 2 * DOUBLE_EPSILON * Math.abs(plane[i] + mark)) marked[i]++
  } else {
    for (let i = 0; i < plane.length; i++) if (plane[i] === mark) marked[i]++
  }
}

/** Everything that indicates missing pixels in a window. */
export interface Evidence {
  /** Bands except alpha, and the value that marks missing pixels in each. */
  planes: readonly Samples[]
  marks: readonly (number | undefined)[]
  /** Whether a pixel is missing only if all bands mark it. */
  allMustMatch: boolean
  /** 0 where transparent. */
  alpha?: Samples
  /** 0 where a mask hides the pixel. If there are masks, marks are ignored, as in GDAL. */
  masks: readonly Samples[]
  /** 0 where blocks have no value. */
  stored?: Uint8Array
}

/** Combines the evidence: 1 where a pixel is valid, undefined when all pixels are. */
export function validOf(
  { planes, marks, allMustMatch, alpha, masks, stored }: Evidence,
  pixels: number
): Uint8Array | undefined {
  const valid = stored?.slice() ?? new Uint8Array(pixels).fill(1)
  const marking = planes.flatMap((plane, i) => (marks[i] === undefined ? [] : [{ plane, mark: marks[i] }]))
  if (masks.length === 0 && marking.length > 0) {
    const marked = new Uint16Array(pixels)
    for (const { plane, mark } of marking) countMarked(plane, mark, marked)
    const enough = allMustMatch ? planes.length : 1
    for (let i = 0; i < pixels; i++) if (marked[i] >= enough) valid[i] = 0
  }
  for (const plane of planes) {
    if (!(plane instanceof Float32Array) && !(plane instanceof Float64Array)) continue
    for (let i = 0; i < pixels; i++) if (!Number.isFinite(plane[i])) valid[i] = 0
  }
  for (const hiding of alpha ? [alpha, ...masks] : masks)
    for (let i = 0; i < pixels; i++) if (hiding[i] === 0) valid[i] = 0
  return valid.includes(0) ? valid : undefined
}
