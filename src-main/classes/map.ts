import type { ClusterTree, MapPlace } from '../contract/classes.ts'
import { leavesOf } from './tree.ts'

/**
 * Distances between the tree's clusters: the rank of the join that brings two together. Costs would leave a few heaps,
 * because those of the last joins may be hundreds of times those of the first.
 * @returns  symmetric, row-major, 0 on the diagonal, ½ … 3/2 elsewhere
 */
export function treeDistances(tree: ClusterTree): Float64Array {
  const { count, joins } = tree
  const distances = new Float64Array(count * count)
  joins.forEach(({ parts }, join) => {
    const [left, right] = parts.map((part) => leavesOf(tree, part))
    const distance = 0.5 + (join + 1) / joins.length
    for (const a of left) for (const b of right) distances[a * count + b] = distances[b * count + a] = distance
  })
  return distances
}

/** Rounds of majorisation; each lowers the stress. */
const ROUNDS = 150
const POWERS = 60

/**
 * Places points in the plane about as far apart as `distances` says: classical scaling (Torgerson 1952), then
 * majorisation of the raw stress Σ (δ − d)² (SMACOF, de Leeuw 1977). The same distances give the same places.
 * @param distances  [count × count], symmetric
 * @returns          places centred on the origin
 */
export function scaledToPlane(distances: ArrayLike<number>, count: number): MapPlace[] {
  const places = classicalScaling(distances, count)
  for (let round = 0; round < ROUNDS; round++) {
    const before = places.map(({ x, y }) => ({ x, y }))
    for (let i = 0; i < count; i++) {
      let [x, y] = [0, 0]
      for (let j = 0; j < count; j++) {
        if (j === i) continue
        const [dx, dy] = [before[i].x - before[j].x, before[i].y - before[j].y]
        const ratio = distances[i * count + j] / (Math.hypot(dx, dy) || 1e-9)
        x += before[j].x + ratio * dx
        y += before[j].y + ratio * dy
      }
      if (count > 1) places[i] = { x: x / (count - 1), y: y / (count - 1) }
    }
  }
  return centred(places)
}

function centred(places: readonly MapPlace[]): MapPlace[] {
  const mean = (axis: 'x' | 'y'): number =>
    places.reduce((sum, place) => sum + place[axis], 0) / Math.max(1, places.length)
  const [x, y] = [mean('x'), mean('y')]
  return places.map((place) => ({ x: place.x - x, y: place.y - y }))
}

/** The two directions of largest variance of −½ J δ² J, by power iteration. */
function classicalScaling(distances: ArrayLike<number>, count: number): MapPlace[] {
  const squares = Float64Array.from(distances, (distance) => distance * distance)
  const means = Array.from(
    { length: count },
    (_, i) => squares.subarray(i * count, (i + 1) * count).reduce((a, b) => a + b, 0) / count
  )
  const mean = means.reduce((a, b) => a + b, 0) / count
  const products = squares.map((square, k) => -0.5 * (square - means[Math.floor(k / count)] - means[k % count] + mean))
  const axes: Float64Array[] = []
  for (let axis = 0; axis < 2; axis++) {
    // Starts that are the same each time and no likely eigenvector.
    let vector = Float64Array.from({ length: count }, (_, i) => Math.sin(1 + i * (axis + 1.3)))
    let value = 0
    for (let power = 0; power < POWERS; power++) {
      const next = Float64Array.from({ length: count }, (_, i) =>
        vector.reduce((sum, v, j) => sum + products[i * count + j] * v, 0)
      )
      value = Math.hypot(...next)
      if (value === 0) break
      vector = next.map((v) => v / value)
    }
    for (let k = 0; k < products.length; k++) products[k] -= value * vector[Math.floor(k / count)] * vector[k % count]
    axes.push(vector.map((v) => v * Math.sqrt(value)))
  }
  return Array.from({ length: count }, (_, i) => ({ x: axes[0][i], y: axes[1][i] }))
}
