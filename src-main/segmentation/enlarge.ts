import type { Placement } from '../imagery/grid.ts'
import type { Window } from '../imagery/raster.ts'

/** A heatmap of a window at the network's resolution. */
export interface Heatmap {
  /** Assignment probabilities, float32 [side, side, clusters]. */
  values: Float32Array
  side: number
  clusters: number
  /** How probabilities go on between pixels: value + slope · (guide there − guide here); float32 [side, side, clusters] and [side, side]. */
  models?: { slopes: Float32Array; guide: Float32Array }
}

/** The most probable cluster of each coarse pixel; the first of equally probable ones. */
export function strongest({ values, side, clusters }: Heatmap): Uint8Array {
  const winners = new Uint8Array(side * side)
  for (let i = 0, from = 0; i < winners.length; i++, from += clusters) {
    let best = 0
    for (let k = 1; k < clusters; k++) if (values[from + k] > values[from + best]) best = k
    winners[i] = best
  }
  return winners
}

/** The guide between the pixels of a heatmap: a plane that covers the same place, and where output pixels lie in it. */
export interface FullGuide {
  values: Float32Array
  side: number
  rows: Placement
  columns: Placement
}

/** Where output pixels lie in a heatmap, and in the guide if it has linear models. */
export interface Places {
  rows: Placement
  columns: Placement
  full?: FullGuide
}

/** Mean of the planes of an image, the guide of its heatmaps. */
export function meanOfPlanes(planes: Float32Array, pixels: number): Float32Array {
  const mean = planes.slice(0, pixels)
  for (let from = pixels; from < planes.length; from += pixels) for (let i = 0; i < pixels; i++) mean[i] += planes[from + i]
  const share = pixels / planes.length
  for (let i = 0; i < pixels; i++) mean[i] *= share
  return mean
}

/**
 * The most probable clusters of output pixels, of those that lead at one of the four coarse pixels about them: each
 * probability is interpolated bilinearly, as it is or, with linear models, as it follows the guide. Only where leaders
 * differ is anything interpolated.
 *
 * @param into  labels of a larger picture, row-major with `width`; `area` of it is written
 */
export function enlargeLabels({ values, side, clusters, models }: Heatmap, winners: Uint8Array, { rows, columns, full }: Places, into: Uint8Array, width: number, area: Window): void {
  const below = side > 1 ? side : 0
  const right = side > 1 ? 1 : 0
  const leaders = [0, 0, 0, 0]
  for (let r = 0; r < area.height; r++) {
    const row = rows.before[r] * side
    const down = rows.weight[r]
    let to = (area.top + r) * width + area.left
    for (let c = 0; c < area.width; c++, to++) {
      const at = row + columns.before[c]
      const winner = winners[at]
      if (winners[at + right] === winner && winners[at + below] === winner && winners[at + below + right] === winner) {
        into[to] = winner
        continue
      }
      const across = columns.weight[c]
      const [w00, w01, w10, w11] = [(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across]
      const [i00, i01, i10, i11] = [at * clusters, (at + right) * clusters, (at + below) * clusters, (at + below + right) * clusters]
      leaders[0] = winner
      leaders[1] = winners[at + right]
      leaders[2] = winners[at + below]
      leaders[3] = winners[at + below + right]
      let [best, most] = [winner, -Infinity]
      if (models && full) {
        const { slopes, guide } = models
        const here = guideAt(full, r, c)
        const [d00, d01, d10, d11] = [w00 * (here - guide[at]), w01 * (here - guide[at + right]), w10 * (here - guide[at + below]), w11 * (here - guide[at + below + right])]
        for (const k of leaders) {
          const value =
            w00 * values[i00 + k] + w01 * values[i01 + k] + w10 * values[i10 + k] + w11 * values[i11 + k] +
            d00 * slopes[i00 + k] + d01 * slopes[i01 + k] + d10 * slopes[i10 + k] + d11 * slopes[i11 + k]
          if (value > most) [most, best] = [value, k]
        }
      } else {
        for (const k of leaders) {
          const value = w00 * values[i00 + k] + w01 * values[i01 + k] + w10 * values[i10 + k] + w11 * values[i11 + k]
          if (value > most) [most, best] = [value, k]
        }
      }
      into[to] = best
    }
  }
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
