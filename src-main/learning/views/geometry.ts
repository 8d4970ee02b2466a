/**
 * A symmetry of the square: transpose first, then flip. `g` acts on an image as `(g·x)[r, c] = x̃[flipRows ? s−1−r : r,
 * flipColumns ? s−1−c : c]` with `x̃ = transposed ? xᵀ : x`.
 */
export interface SquareSymmetry {
  transposed: boolean
  flipRows: boolean
  flipColumns: boolean
}

/** Returns the pixel of the original image that becomes pixel (r, c) of the transformed one. */
export function sourceOf(g: SquareSymmetry, side: number, r: number, c: number): [row: number, column: number] {
  const row = g.flipRows ? side - 1 - r : r
  const column = g.flipColumns ? side - 1 - c : c
  return g.transposed ? [column, row] : [row, column]
}

/** The reciprocal g*: `g* ∘ g = 1`. */
export function inverse(g: SquareSymmetry): SquareSymmetry {
  return g.transposed ? { transposed: true, flipRows: g.flipColumns, flipColumns: g.flipRows } : g
}

/** Applies `g` to every band of a planar image `[bands, side, side]`. */
export function transformPlanar(
  g: SquareSymmetry,
  picture: Float32Array,
  bands: number,
  side: number,
  into: Float32Array
): void {
  const plane = side * side
  const [start, stepRow, stepColumn] = ((): [number, number, number] => {
    const at = (r: number, c: number): number => {
      const [row, column] = sourceOf(g, side, r, c)
      return row * side + column
    }
    const origin = at(0, 0)
    return [origin, side > 1 ? at(1, 0) - origin : 0, side > 1 ? at(0, 1) - origin : 0]
  })()
  for (let band = 0; band < bands; band++) {
    let out = band * plane
    for (let r = 0; r < side; r++) {
      let source = band * plane + start + r * stepRow
      for (let c = 0; c < side; c++, source += stepColumn) into[out++] = picture[source]
    }
  }
}

/**
 * Matrix of bilinear interpolation with half-pixel centres: row i contains the weights of the coarse samples that make
 * fine sample i. Positions outside the coarse map take its border.
 *
 * @param fine      number of fine samples
 * @param coarse    number of coarse samples
 * @param position  coarse coordinate of fine sample i; by default both cover the same span
 * @returns         row-major float32 [fine, coarse]
 */
export function interpolationMatrix(
  fine: number,
  coarse: number,
  position: (i: number) => number = (i) => ((i + 0.5) * coarse) / fine - 0.5
): Float32Array {
  const matrix = new Float32Array(fine * coarse)
  for (let i = 0; i < fine; i++) {
    const at = Math.min(Math.max(position(i), 0), coarse - 1)
    const low = Math.min(Math.floor(at), coarse - 1)
    const high = Math.min(low + 1, coarse - 1)
    matrix[i * coarse + low] += 1 - (at - low)
    matrix[i * coarse + high] += at - low
  }
  return matrix
}

export interface Axis {
  /** Number of fine samples along the axis, in pixels of the crop. */
  fine: number
  coarse: number
  /** First and last displacement t to sum over, in pixels. */
  range: readonly [number, number]
  /** Whether the second view is mirrored along this axis. */
  flipped: boolean
  /** Pixels by which the second crop starts after the first. */
  shift: number
}

/**
 * `AᵀSA′` of one axis: A enlarges the first view, A′ enlarges the second and returns it to the first view's frame
 * (mirrored, shifted; rows without a counterpart are zero), S sums over the displacements of the range.
 *
 * @returns  row-major float32 [coarse, coarse]
 */
export function displacementMatrix({ fine, coarse, range, flipped, shift }: Axis): Float32Array {
  const enlarge = interpolationMatrix(fine, coarse)
  const counterpart = new Float64Array((fine + 1) * coarse)
  const result = new Float64Array(coarse * coarse)
  for (let i = 0; i < fine; i++) {
    const inSecond = i - shift
    const present = inSecond >= 0 && inSecond < fine
    const row = flipped ? fine - 1 - inSecond : inSecond
    for (let k = 0; k < coarse; k++) {
      counterpart[(i + 1) * coarse + k] = counterpart[i * coarse + k] + (present ? enlarge[row * coarse + k] : 0)
    }
  }
  for (let u = 0; u < fine; u++) {
    if (u - shift < 0 || u - shift >= fine) continue
    const from = Math.min(Math.max(u + range[0], 0), fine) * coarse
    const to = Math.min(Math.max(u + range[1] + 1, 0), fine) * coarse
    for (let a = 0; a < coarse; a++) {
      const weight = enlarge[u * coarse + a]
      if (weight === 0) continue
      for (let k = 0; k < coarse; k++) result[a * coarse + k] += weight * (counterpart[to + k] - counterpart[from + k])
    }
  }
  return Float32Array.from(result)
}
