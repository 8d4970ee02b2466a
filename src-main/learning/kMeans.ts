import type { Uniform } from './random.ts'
import { integerBelow } from './random.ts'

const ITERATIONS = 30
/** Points that all starts together may visit, which sets the number of starts, and its limits. */
const POINTS_OF_ALL_STARTS = 30_000
const STARTS = { fewest: 3, most: 50 }
/** Share of points that may still change cluster in the last iteration. */
const SETTLED = 1e-3

/** Points in a feature space, one per row. */
export interface Points {
  /** Row-major [count, width]. */
  values: Float32Array
  count: number
  width: number
}

/** Makes points of rows of equal length. */
export function pointsOf(rows: readonly Float32Array[]): Points {
  const width = rows[0].length
  const values = new Float32Array(rows.length * width)
  rows.forEach((row, i) => values.set(row, i * width))
  return { values, count: rows.length, width }
}

/** Selects columns. */
export function columnsOf({ values, count, width }: Points, columns: readonly number[]): Points {
  const chosen = new Float32Array(count * columns.length)
  for (let i = 0; i < count; i++)
    columns.forEach((column, d) => (chosen[i * columns.length + d] = values[i * width + column]))
  return { values: chosen, count, width: columns.length }
}

/** Joins the columns of two sets of points. */
export function beside(a: Points, b: Points): Points {
  const width = a.width + b.width
  const values = new Float32Array(a.count * width)
  for (let i = 0; i < a.count; i++) {
    values.set(a.values.subarray(i * a.width, (i + 1) * a.width), i * width)
    values.set(b.values.subarray(i * b.width, (i + 1) * b.width), i * width + a.width)
  }
  return { values, count: a.count, width }
}

export interface Clustering {
  /** Row-major [clusters, width]. */
  centres: Float32Array
  /** Cluster of each point. */
  assigned: Int32Array
  /** Sum of squared distances to the nearest centre. */
  inertia: number
}

/** Mean and standard deviation of each column. */
export interface Moments {
  mean: Float64Array
  deviation: Float64Array
}

/** Returns the moments of each column; a constant column gets deviation 1. */
export function columnMoments({ values, count, width }: Points): Moments {
  const [mean, squares] = [new Float64Array(width), new Float64Array(width)]
  for (let i = 0; i < count; i++) {
    for (let d = 0; d < width; d++) {
      const value = values[i * width + d]
      mean[d] += value / count
      squares[d] += (value * value) / count
    }
  }
  const deviation = squares.map((square, d) => Math.sqrt(Math.max(square - mean[d] ** 2, 0)))
  return { mean, deviation: deviation.map((value) => (value < 1e-6 ? 1 : value)) }
}

/** Standardises each column to mean 0 and deviation 1. */
export function standardised(points: Points, { mean, deviation }: Moments): Points {
  return {
    ...points,
    values: points.values.map((value, i) => (value - mean[i % points.width]) / deviation[i % points.width])
  }
}

/**
 * Lloyd's algorithm from k-means++ starts (Arthur and Vassilvitskii 2007); the start with the least inertia wins. A
 * cluster that becomes empty takes the point farthest from its own centre.
 */
export function kMeans(points: Points, clusters: number, uniform: Uniform): Clustering {
  let best: Clustering | undefined
  const starts = Math.min(Math.max(Math.round(POINTS_OF_ALL_STARTS / points.count), STARTS.fewest), STARTS.most)
  for (let start = 0; start < starts; start++) {
    const found = kMeansFrom(points, spreadStart(points, clusters, uniform))
    if (!best || found.inertia < best.inertia) best = found
  }
  return best!
}

function spreadStart({ values, count, width }: Points, clusters: number, uniform: Uniform): Float32Array {
  const centres = new Float32Array(clusters * width)
  const nearest = new Float64Array(count).fill(Infinity)
  let chosen = integerBelow(count, uniform)
  for (let k = 0; ; k++) {
    centres.set(values.subarray(chosen * width, (chosen + 1) * width), k * width)
    if (k === clusters - 1) return centres
    let total = 0
    for (let i = 0; i < count; i++) {
      nearest[i] = Math.min(nearest[i], squaredDistance(values, i * width, centres, k * width, width))
      total += nearest[i]
    }
    let target = uniform() * total
    chosen = 0
    while (chosen < count - 1 && (target -= nearest[chosen]) > 0) chosen++
  }
}

/** Squared distance between the `width` numbers of a from `at` and of b from `bt`. */
export function squaredDistance(a: Float32Array, at: number, b: Float32Array, bt: number, width: number): number {
  let sum = 0
  for (let d = 0; d < width; d++) {
    const apart = a[at + d] - b[bt + d]
    sum += apart * apart
  }
  return sum
}

/** Coordinates to sum between checks of whether a centre is already too far away. */
const PART = 8
/** Relative safety margin on bounds, so that rounding decides nothing. */
const MARGIN = 1e-6

/**
 * Lloyd's algorithm from given centres, row-major [clusters, width]. A point is not compared with the other centres if
 * its own is nearer than any of them can have come (Hamerly 2010), and a comparison ends as soon as the sum of squares
 * is too large. The result is the same, to the bit, as with all comparisons.
 */
export function kMeansFrom({ values, count, width }: Points, start: Float32Array): Clustering {
  const clusters = start.length / width
  let centres = start
  const assigned = new Int32Array(count).fill(-1)
  const distance = new Float64Array(count)
  /** Lower bound of the distance from each point to any centre but its own. */
  const others = new Float64Array(count)
  let inertia = Infinity
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    let changed = 0
    inertia = 0
    for (let i = 0; i < count; i++) {
      const at = i * width
      const former = Math.max(assigned[i], 0)
      let nearest = former
      let least = squaredDistance(values, at, centres, former * width, width)
      if (assigned[i] < 0 || Math.sqrt(least) >= others[i]) {
        let second = Infinity
        for (let k = 0; k < clusters; k++) {
          if (k === former) continue
          const from = k * width
          let found = 0
          for (let d = 0; d < width && found <= second;) {
            for (const end = Math.min(d + PART, width); d < end; d++) {
              const apart = values[at + d] - centres[from + d]
              found += apart * apart
            }
          }
          // Of equally near centres the first wins, as if they were compared in order.
          if (found < least || (found === least && k < nearest)) {
            second = least
            nearest = k
            least = found
          } else if (found < second) second = found
        }
        others[i] = Math.sqrt(second) * (1 - MARGIN)
      }
      if (assigned[i] !== nearest) changed++
      assigned[i] = nearest
      distance[i] = least
      inertia += least
    }
    if (changed <= SETTLED * count) break
    const moved = centresOf({ values, count, width }, assigned, distance, clusters)
    let farthest = 0
    for (let k = 0; k < clusters; k++)
      farthest = Math.max(farthest, squaredDistance(moved, k * width, centres, k * width, width))
    const nearer = Math.sqrt(farthest) * (1 + MARGIN)
    for (let i = 0; i < count; i++) others[i] -= nearer
    centres = moved
  }
  return { centres, assigned, inertia }
}

function centresOf(
  { values, count, width }: Points,
  assigned: Int32Array,
  distance: Float64Array,
  clusters: number
): Float32Array {
  const sums = new Float64Array(clusters * width)
  const sizes = new Float64Array(clusters)
  for (let i = 0; i < count; i++) {
    sizes[assigned[i]]++
    for (let d = 0; d < width; d++) sums[assigned[i] * width + d] += values[i * width + d]
  }
  for (let k = 0; k < clusters; k++) {
    if (sizes[k] > 0) continue
    const farthest = distance.reduce((top, found, i) => (found > distance[top] ? i : top), 0)
    distance[farthest] = 0
    sizes[k] = 1
    for (let d = 0; d < width; d++) sums[k * width + d] = values[farthest * width + d]
  }
  return Float32Array.from(sums, (sum, i) => sum / sizes[Math.floor(i / width)])
}
