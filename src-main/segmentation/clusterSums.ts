import { z } from 'zod'
import type { Size, Window } from '../imagery/raster.ts'
import type { Heatmap } from './enlarge.ts'

const patch = z.object({ x: z.number(), y: z.number(), score: z.number() })

/** Sums over the cells of an image in which a cluster leads, for clusters that lead any. */
export const clusterSums = z.array(
  z.object({
    cluster: z.int(),
    cells: z.number(),
    /** Sum of the cluster's probabilities. */
    confidence: z.number(),
    /** Sums of the z-scored bands. */
    bands: z.array(z.number()),
    /** Its places of highest confidence, in pixels of the image, best first. */
    patches: z.array(patch)
  })
)
export type ClusterSums = z.infer<typeof clusterSums>
type Sums = ClusterSums[number]
/** Sums by head. */
export const headSums = z.record(z.string(), clusterSums)
export type HeadSums = z.infer<typeof headSums>

/** Places to keep for each cluster and image, and their smallest distance in pixels. */
const PATCHES = 3
const APART = 64

/** Joins sums over different cells. */
export function joinedSums(all: readonly ClusterSums[]): ClusterSums {
  const byCluster = new Map<number, Sums>()
  for (const sums of all.flat()) {
    const into = byCluster.get(sums.cluster)
    if (!into) {
      byCluster.set(sums.cluster, { ...sums, bands: [...sums.bands], patches: [...sums.patches] })
      continue
    }
    into.cells += sums.cells
    into.confidence += sums.confidence
    sums.bands.forEach((sum, b) => (into.bands[b] += sum))
    for (const place of sums.patches) keep(into.patches, place)
  }
  return [...byCluster.values()].sort((a, b) => a.cluster - b.cluster)
}

function keep(patches: Sums['patches'], place: Sums['patches'][number]): void {
  const near = patches.findIndex(({ x, y }) => Math.abs(x - place.x) < APART && Math.abs(y - place.y) < APART)
  if (near >= 0) {
    if (patches[near].score >= place.score) return
    patches.splice(near, 1)
  } else if (patches.length === PATCHES && patches[PATCHES - 1].score >= place.score) return
  patches.push(place)
  patches.sort((a, b) => b.score - a.score)
  patches.length = Math.min(patches.length, PATCHES)
}

/** Cells of a window and the values read for them. */
export interface CellView {
  cells: Window
  /** Size of a cell in pixels of the image's file. */
  cell: Size
  /** Mean z-scored bands of each cell's valid pixels, [cells, bands]; NaN without valid pixels. */
  bands: Float32Array
}

/** Returns the mean bands of cells, from the planes of the window that contains them. */
export function meanBands(
  cells: Window,
  { values, valid, window, stride }: { values: Float32Array; valid?: Uint8Array; window: Window; stride: number }
): Float32Array {
  const pixels = window.width * window.height
  const count = values.length / pixels
  const means = new Float32Array(cells.width * cells.height * count)
  for (let r = 0, i = 0; r < cells.height; r++) {
    for (let c = 0; c < cells.width; c++, i++) {
      const from = ((cells.top + r) * stride - window.top) * window.width + (cells.left + c) * stride - window.left
      let held = 0
      for (let y = 0; y < stride; y++) {
        for (let x = 0, at = from + y * window.width; x < stride; x++, at++) {
          if (valid && valid[at] === 0) continue
          held++
          for (let b = 0; b < count; b++) means[i * count + b] += values[b * pixels + at]
        }
      }
      for (let b = 0; b < count; b++) means[i * count + b] /= held
    }
  }
  return means
}

/**
 * Adds up the cells that each cluster leads. Places are only kept where the cells around them have the same leader;
 * among places of similar probability chance decides, by their position alone.
 *
 * @param first  the heatmap's cell at row and column 0 of the view
 */
export function sumsOf(
  { cells, cell, bands }: CellView,
  { values, side, clusters }: Heatmap,
  winners: Uint8Array,
  first: { row: number; column: number }
): ClusterSums {
  const count = bands.length / (cells.width * cells.height)
  const found: (Sums | undefined)[] = []
  for (let r = 0, i = 0; r < cells.height; r++) {
    for (let c = 0; c < cells.width; c++, i++) {
      if (Number.isNaN(bands[i * count])) continue
      const [row, column] = [first.row + r, first.column + c]
      const at = row * side + column
      const k = winners[at]
      const sums = (found[k] ??= {
        cluster: k,
        cells: 0,
        confidence: 0,
        bands: Array<number>(count).fill(0),
        patches: []
      })
      const probability = Math.min(Math.max(values[at * clusters + k], 0), 1)
      sums.cells++
      sums.confidence += probability
      for (let b = 0; b < count; b++) sums.bands[b] += bands[i * count + b]
      const score = Math.round(probability * 25) + chance(cells.left + c, cells.top + r)
      if (sums.patches.length === PATCHES && score <= sums.patches[PATCHES - 1].score) continue
      if (row < 2 || column < 2 || row > side - 3 || column > side - 3) continue
      if ([-2, -1, 1, 2].some((d) => winners[at + d] !== k || winners[at + d * side] !== k)) continue
      keep(sums.patches, {
        x: Math.floor((cells.left + c + 0.5) * cell.width),
        y: Math.floor((cells.top + r + 0.5) * cell.height),
        score
      })
    }
  }
  return found.filter((sums) => sums !== undefined)
}

/** Returns a number 0…1 for a position, always the same. */
function chance(x: number, y: number): number {
  let hash = Math.imul(x, 0x9e3779b1) ^ Math.imul(y, 0x85ebca77)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32
}
