import type { ViewRecipe } from '../../contract/recipe.ts'
import { type Uniform, normalFrom } from '../random.ts'
import { type SquareSymmetry, inverse, sourceOf } from './geometry.ts'

/** Offset in pixels from the middle of the crop: down, right. */
export type Position = readonly [row: number, column: number]

/** One part of a view's geometry with its reciprocal. */
export interface GeometricStep {
  /** Returns the position in the first view of what the second shows at `position`. */
  toFirst(position: Position): Position
  /** The reciprocal g*, or undefined where it is not known to within 0.1 pixels. */
  toSecond(position: Position): Position | undefined
}

/** Combines several steps; positions in the second view pass through them in order. */
export function composed(steps: readonly GeometricStep[]): GeometricStep {
  return {
    toFirst: (position) => steps.reduce((at, step) => step.toFirst(at), position),
    toSecond: (position) => steps.reduceRight<Position | undefined>((at, step) => at && step.toSecond(at), position)
  }
}

export function symmetryStep(symmetry: SquareSymmetry): GeometricStep {
  // `sourceOf` mirrors about (side − 1) / 2, which is the middle for side 1.
  const through =
    (g: SquareSymmetry) =>
    ([row, column]: Position): Position =>
      sourceOf(g, 1, row, column)
  return { toFirst: through(symmetry), toSecond: through(inverse(symmetry)) }
}

export function shiftStep(rows: number, columns: number): GeometricStep {
  return { toFirst: ([r, c]) => [r + rows, c + columns], toSecond: ([r, c]) => [r - rows, c - columns] }
}

/** A rotation, scaling and shear around the middle. */
export function affineStep({ degrees, scale, shear }: ViewRecipe['affine'], uniform: Uniform): GeometricStep {
  const within = (limit: number): number => limit * (2 * uniform() - 1)
  const angle = (within(degrees) * Math.PI) / 180
  const size = 1 + within(scale)
  const slant = within(shear)
  const [cos, sin] = [Math.cos(angle) * size, Math.sin(angle) * size]
  const [a, b, c, d] = [cos, cos * slant - sin, sin, sin * slant + cos]
  const determinant = a * d - b * c
  return {
    toFirst: ([row, column]) => [a * row + b * column, c * row + d * column],
    toSecond: ([row, column]) => [(d * row - b * column) / determinant, (a * column - c * row) / determinant]
  }
}

const MOST_ITERATIONS = 60
/** Fixed-point iteration ends below this change, and fails if it ends above the tolerance, in pixels. */
const CONVERGED = 0.01
const INVERSE_TOLERANCE = 0.1

/**
 * Samples of the field per standard deviation of its Gaussian; bilinear interpolation between them is practically
 * exact.
 */
const VALUES_PER_DEVIATION = 4

/**
 * A smooth random deformation `p → p + τ(p)`: normal noise smoothed by a Gaussian, scaled to the given root mean square
 * length.
 */
export function deformationStep(
  { strength, smoothness }: ViewRecipe['deformation'],
  side: number,
  uniform: Uniform
): GeometricStep {
  const normal = normalFrom(uniform)
  const spacing = Math.max(1, Math.floor(smoothness / VALUES_PER_DEVIATION))
  // The margin lets averages at the border span as many values as in the middle.
  const margin = blurReach(smoothness / spacing)
  const wide = Math.floor((side - 1) / spacing) + 2 + 2 * margin
  const field = [0, 1].map(() => {
    const blurred = gaussianBlur(Float32Array.from({ length: wide * wide }, normal), wide, smoothness / spacing)
    const smooth = Float32Array.from({ length: side * side }, (_, i) =>
      interpolate(blurred, wide, Math.floor(i / side) / spacing + margin, (i % side) / spacing + margin)
    )
    const length = Math.sqrt(smooth.reduce((sum, value) => sum + value * value, 0) / smooth.length)
    return smooth.map((value) => (value * strength) / (Math.SQRT2 * length))
  })
  return fieldStep([field[0], field[1]], side, side)
}

/** Displacements τ of rows and of columns, each [cells, cells]. */
export type Field = readonly [rows: Float32Array, columns: Float32Array]

/**
 * Deforms a square by a field, `p → p + τ(p)`. The inverse `q = p − τ(q)` is found by fixed-point iteration, which
 * converges where neighbours keep their order.
 *
 * @param field  in cells
 * @param side   side of the square in pixels
 */
export function fieldStep(field: Field, cells: number, side: number): GeometricStep {
  const size = side / cells
  const displacement = ([row, column]: Position): Position => {
    const [r, c] = [(row + side / 2) / size - 0.5, (column + side / 2) / size - 0.5]
    return [size * interpolate(field[0], cells, r, c), size * interpolate(field[1], cells, r, c)]
  }
  return {
    toFirst(position) {
      const [r, c] = displacement(position)
      return [position[0] + r, position[1] + c]
    },
    toSecond([row, column]) {
      let at: Position = [row, column]
      let moved = Infinity
      for (let i = 0; i < MOST_ITERATIONS && moved > CONVERGED; i++) {
        const [r, c] = displacement(at)
        const next: Position = [row - r, column - c]
        moved = Math.hypot(next[0] - at[0], next[1] - at[1])
        at = next
      }
      return moved <= INVERSE_TOLERANCE ? at : undefined
    }
  }
}

/** Interpolates a square plane bilinearly between pixel centres; the border continues beyond it. */
export function interpolate(plane: Float32Array, side: number, row: number, column: number, width = side): number {
  const r = Math.min(Math.max(row, 0), side - 1)
  const c = Math.min(Math.max(column, 0), width - 1)
  const [top, left] = [Math.floor(r), Math.floor(c)]
  const [upper, lower] = [top * width, Math.min(top + 1, side - 1) * width]
  const right = Math.min(left + 1, width - 1)
  const above = plane[upper + left] + (c - left) * (plane[upper + right] - plane[upper + left])
  const below = plane[lower + left] + (c - left) * (plane[lower + right] - plane[lower + left])
  return above + (r - top) * (below - above)
}

const blurReach = (deviation: number): number => Math.ceil(3 * deviation)

/** Blurs a square plane with a Gaussian; the border continues beyond it. */
export function gaussianBlur(plane: Float32Array, side: number, deviation: number): Float32Array {
  const reach = blurReach(deviation)
  const weights = Float64Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * deviation ** 2))
  )
  const total = weights.reduce((a, b) => a + b, 0)
  const taps = weights.map((weight) => weight / total)
  const line = new Float32Array(side + 2 * reach)
  const blurredAcross = (source: Float32Array): Float32Array => {
    const transposed = new Float32Array(source.length)
    for (let row = 0; row < side; row++) {
      const last = (row + 1) * side - 1
      line.fill(source[row * side], 0, reach).fill(source[last], reach + side)
      line.set(source.subarray(row * side, last + 1), reach)
      for (let i = 0; i < side; i++) {
        let sum = 0
        for (let t = 0; t < taps.length; t++) sum += taps[t] * line[i + t]
        transposed[i * side + row] = sum
      }
    }
    return transposed
  }
  return blurredAcross(blurredAcross(plane))
}
