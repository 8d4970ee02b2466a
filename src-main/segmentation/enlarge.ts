import type { Placement } from '../imagery/grid.ts'
import type { Window } from '../imagery/raster.ts'

/** A heatmap of a window at the network's resolution. */
export interface Heatmap {
  /** Assignment probabilities, float32 [side, side, clusters]. */
  values: Float32Array
  side: number
  clusters: number
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

/**
 * Most probable clusters of output pixels after bilinear interpolation of the heatmap. A cluster that leads at all four
 * coarse pixels about an output pixel leads there too, for between them each probability is bilinear: only where they
 * differ is anything interpolated.
 *
 * @param into  labels of a larger picture, row-major with `width`; `area` of it is written
 */
export function enlargeLabels(heatmap: Heatmap, winners: Uint8Array, rows: Placement, columns: Placement, into: Uint8Array, width: number, area: Window): void {
  const { values, side, clusters } = heatmap
  const below = side > 1 ? side : 0
  const right = side > 1 ? 1 : 0
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
      let [best, most] = [0, -1]
      for (let k = 0; k < clusters; k++) {
        const value = w00 * values[i00 + k] + w01 * values[i01 + k] + w10 * values[i10 + k] + w11 * values[i11 + k]
        if (value > most) {
          most = value
          best = k
        }
      }
      into[to] = best
    }
  }
}
