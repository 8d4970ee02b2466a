import { scaledToPlane } from '../classes/map.ts'
import type { MapPlace } from '../contract/classes.ts'
import { type Points, kMeans, squaredDistance } from './kMeans.ts'
import type { Uniform } from './random.ts'

/** Number of landmarks, which are laid out by their distances, and of the nearest ones that place a point. */
const LANDMARKS = 120
const NEAREST = 4

/**
 * Places many points in the plane, similar ones near each other. K-means centres are landmarks, laid out by their
 * distances (`scaledToPlane`), and each point is placed at the mean of the nearest ones, weighted by `exp(−d²/2σ²)`
 * with σ² the mean squared distance from a point to its centre, as the manifold layer reads positions from activities
 * (Klindt et al. 2019).
 */
export function mapOfPoints(points: Points, uniform: Uniform): MapPlace[] {
  const { values, count, width } = points
  const landmarks = Math.min(LANDMARKS, count)
  const { centres } = kMeans(points, landmarks, uniform)
  const between = Float64Array.from({ length: landmarks * landmarks }, (_, i) =>
    Math.sqrt(squaredDistance(centres, Math.floor(i / landmarks) * width, centres, (i % landmarks) * width, width))
  )
  const places = scaledToPlane(between, landmarks)
  const nearest = Array.from({ length: count }, (_, i) =>
    Array.from({ length: landmarks }, (_, landmark) => ({
      landmark,
      squared: squaredDistance(values, i * width, centres, landmark * width, width)
    }))
      .sort((a, b) => a.squared - b.squared)
      .slice(0, NEAREST)
  )
  const variance = nearest.reduce((sum, [{ squared }]) => sum + squared, 0) / count || 1
  return nearest.map((found) => {
    const weights = found.map(({ squared }) => Math.exp((found[0].squared - squared) / (2 * variance)))
    const total = weights.reduce((a, b) => a + b, 0)
    const mean = (axis: 'x' | 'y'): number =>
      weights.reduce((sum, weight, k) => sum + weight * places[found[k].landmark][axis], 0) / total
    return { x: mean('x'), y: mean('y') }
  })
}
