import type { Placement } from '../imagery/grid.ts'
import type { Window } from '../imagery/raster.ts'

/** A heatmap of a window at the network's resolution. */
export interface Heatmap {
  /** Assignment probabilities, float32 [side, side, clusters]. */
  values: Float32Array
  side: number
  clusters: number
  /**
   * Models that continue probabilities between pixels: value + slope · (guide there − guide here); float32 [side, side,
   * clusters] and [side, side].
   */
  models?: { slopes: Float32Array; guide: Float32Array }
}

/** Returns the most probable cluster of each coarse pixel, the first if several are equally probable. */
export function strongest({ values, side, clusters }: Heatmap): Uint8Array {
  const winners = new Uint8Array(side * side)
  for (let i = 0, from = 0; i < winners.length; i++, from += clusters) {
    let best = 0
    for (let k = 1; k < clusters; k++) if (values[from + k] > values[from + best]) best = k
    winners[i] = best
  }
  return winners
}

/** The guide between a heatmap's pixels: a plane over the same area, and the positions of output pixels in it. */
export interface FullGuide {
  values: Float32Array
  side: number
  rows: Placement
  columns: Placement
}

/** Positions of output pixels in a heatmap and, if it has linear models, in the guide. */
export interface Places {
  rows: Placement
  columns: Placement
  full?: FullGuide
}

/** Returns the mean of an image's planes, which guides its heatmaps. */
export function meanOfPlanes(planes: Float32Array, pixels: number): Float32Array {
  const mean = planes.slice(0, pixels)
  for (let from = pixels; from < planes.length; from += pixels)
    for (let i = 0; i < pixels; i++) mean[i] += planes[from + i]
  const share = pixels / planes.length
  for (let i = 0; i < pixels; i++) mean[i] *= share
  return mean
}

/**
 * Writes the most probable cluster of each output pixel, among those that lead at one of the four coarse pixels around
 * it. Probabilities are interpolated bilinearly, as they are or, with linear models, following the guide; where leaders
 * agree, nothing is interpolated.
 *
 * @param into  labels of a larger image, row-major with `width`; only `area` is written
 */
export function enlargeLabels(
  { values, side, clusters, models }: Heatmap,
  winners: Uint8Array,
  { rows, columns, full }: Places,
  into: Uint8Array,
  width: number,
  area: Window
): void {
  const below = side > 1 ? side : 0
  const right = side > 1 ? 1 : 0
  const runs = runsOf(columns.before, area.width)
  // For each leader, at the left and right end of a run: its offset and slope, interpolated vertically.
  const lines = new Float64Array(4 * LINE)
  for (let r = 0; r < area.height; r++) {
    const row = rows.before[r] * side
    const down = rows.weight[r]
    const start = (area.top + r) * width + area.left
    for (let run = 0; run + 1 < runs.length; run++) {
      const [from, to] = [runs[run], runs[run + 1]]
      const at = row + columns.before[from]
      const [k0, k1, k2, k3] = [winners[at], winners[at + right], winners[at + below], winners[at + below + right]]
      if (k0 === k1 && k0 === k2 && k0 === k3) {
        into.fill(k0, start + from, start + to)
        continue
      }
      let leaders = 0
      const line = (k: number): void => {
        for (let l = 0; l < leaders; l++) if (lines[l * LINE] === k) return
        const base = leaders++ * LINE
        lines[base] = k
        for (let end = 0; end < 2; end++) {
          const [upper, lower] = [at + end * right, at + end * right + below]
          const [u, l] = [upper * clusters + k, lower * clusters + k]
          const [su, sl] = models ? [models.slopes[u], models.slopes[l]] : [0, 0]
          const [vu, vl] = models
            ? [values[u] - su * models.guide[upper], values[l] - sl * models.guide[lower]]
            : [values[u], values[l]]
          lines[base + 1 + end] = vu + down * (vl - vu)
          lines[base + 3 + end] = su + down * (sl - su)
        }
      }
      line(k0)
      line(k1)
      line(k2)
      line(k3)
      for (let c = from; c < to; c++) {
        const across = columns.weight[c]
        const here = full ? guideAt(full, r, c) : 0
        let [best, most] = [k0, -Infinity]
        for (let base = 0; base < leaders * LINE; base += LINE) {
          const offset = lines[base + 1] + across * (lines[base + 2] - lines[base + 1])
          const slope = lines[base + 3] + across * (lines[base + 4] - lines[base + 3])
          const value = offset + slope * here
          if (value > most) [most, best] = [value, lines[base]]
        }
        into[start + c] = best
      }
    }
  }
}

/** Numbers stored per leader: its cluster, and offset and slope at both ends. */
const LINE = 5

/** Returns the starts of the runs of output pixels between the same coarse ones, and the end of the last. */
function runsOf(before: Int32Array, length: number): number[] {
  const runs: number[] = []
  for (let c = 0; c < length; c++) if (c === 0 || before[c] !== before[c - 1]) runs.push(c)
  return [...runs, length]
}

function guideAt({ values, side, rows, columns }: FullGuide, r: number, c: number): number {
  const at = rows.before[r] * side + columns.before[c]
  const [down, across] = [rows.weight[r], columns.weight[c]]
  if (down === 0 && across === 0) return values[at]
  const [right, below] = [across === 0 ? 0 : 1, down === 0 ? 0 : side]
  const upper = values[at] + across * (values[at + right] - values[at])
  const lower = values[at + below] + across * (values[at + below + right] - values[at + below])
  return upper + down * (lower - upper)
}
