/** Costs of moving brightness within an image: how far two images are apart, and which images are near enough. */

/** A square image as a distribution: non-negative, sums to 1, row-major [side, side]. */
export type Mass = Float64Array

/**
 * Normalises the brightness of an image.
 * @returns  undefined for an image without any brightness
 */
export function massOf(picture: ArrayLike<number>): Mass | undefined {
  const positive = Float64Array.from(picture, (value) => Math.max(value, 0))
  const total = positive.reduce((a, b) => a + b, 0)
  return total > 0 ? positive.map((value) => value / total) : undefined
}

/**
 * Cells on each side within which brightness moves in one step of the projection: the 5×5 places of Wong et al. 2019.
 */
const REACH = 2
const PLACES = Array.from({ length: (2 * REACH + 1) ** 2 }, (_, i) => {
  const [rows, columns] = [Math.floor(i / (2 * REACH + 1)) - REACH, (i % (2 * REACH + 1)) - REACH]
  return { rows, columns, cost: rows * rows + columns * columns }
})
/**
 * Weight λ of nearness to the target relative to the plan's entropy, for each cell; and the largest λ · target whose
 * exponential is taken.
 */
const NEARNESS = 100
const LARGEST_EXPONENT = 300
const MOST_ITERATIONS = 40
/** Share of the radius to within which the cost of the plan must come. */
const CLOSE = 1e-3

/**
 * Returns the image nearest to `target` whose squared 2-Wasserstein distance from `centre` is at most `radius`², by
 * projected Sinkhorn iterations (Wong, Schmidt, Kolter 2019, algorithm 2): block ascent on the dual of `λ/2 ‖z − w‖² +
 * Σ P log P` over plans P with rows `centre` and columns z, with Newton steps on the multiplier ψ of the cost. Even if
 * iterations have not converged, the result has a plan with the rows of `centre` that costs no more than the radius.
 *
 * @param radius  in cells
 */
export function projectOntoBall(centre: Mass, target: Mass, side: number, radius: number): Mass {
  const cells = side * side
  const allowed = radius * radius
  const lambda = Math.min(NEARNESS * cells, LARGEST_EXPONENT / Math.max(...target))
  const [u, v, reached] = [new Float64Array(cells), new Float64Array(cells).fill(1), new Float64Array(cells)]
  let psi = 1
  const kernel = new Float64Array(PLACES.length)
  const renewKernel = (): void => PLACES.forEach(({ cost }, k) => (kernel[k] = Math.exp(-psi * cost - 1)))
  const fitRows = (): void => {
    spread(kernel, v, reached, side)
    for (let i = 0; i < cells; i++) u[i] = reached[i] > 0 ? centre[i] / reached[i] : 0
  }
  renewKernel()
  for (let iteration = 0; iteration < MOST_ITERATIONS; iteration++) {
    fitRows()
    spread(kernel, u, reached, side)
    for (let j = 0; j < cells; j++) {
      v[j] = Math.exp(
        lambda * target[j] -
          lambertOfExp(Math.log(lambda * Math.max(reached[j], Number.MIN_VALUE)) + lambda * target[j])
      )
    }
    const { first, second } = costs(kernel, u, v, side)
    const slope = first - allowed
    if (psi === 0 ? slope <= 0 : Math.abs(slope) <= CLOSE * allowed) break
    const step = slope / second
    let share = 1
    while (psi + share * step < 0 && share > 1e-6) share /= 2
    psi = Math.max(psi + share * step, 0)
    renewKernel()
  }
  fitRows()
  const { first: cost } = costs(kernel, u, v, side)
  spread(kernel, u, reached, side)
  const moved = cost > allowed ? allowed / cost : 1
  return reached.map((value, j) => (1 - moved) * centre[j] + moved * value * v[j])
}

/** `into_i = Σ_j K_ij from_j` over the places around i. */
function spread(kernel: Float64Array, from: Float64Array, into: Float64Array, side: number): void {
  into.fill(0)
  for (const [k, place] of PLACES.entries()) {
    const [weight, away] = [kernel[k], place.rows * side + place.columns]
    const [left, right] = [Math.max(0, -place.columns), Math.min(side, side - place.columns)]
    for (let r = Math.max(0, -place.rows); r < Math.min(side, side - place.rows); r++) {
      for (let i = r * side + left; i < r * side + right; i++) into[i] += weight * from[i + away]
    }
  }
}

/** Mean cost of the plan `u_i K_ij v_j`, and mean squared cost. */
function costs(
  kernel: Float64Array,
  u: Float64Array,
  v: Float64Array,
  side: number
): { first: number; second: number } {
  const paid = (power: number): number => {
    const reached = new Float64Array(u.length)
    spread(
      kernel.map((weight, k) => weight * PLACES[k].cost ** power),
      v,
      reached,
      side
    )
    return reached.reduce((sum, value, i) => sum + value * u[i], 0)
  }
  return { first: paid(1), second: paid(2) }
}

/** Lambert's W of e^y, `W + log W = y`, by Newton's method; exact to rounding for any y. */
export function lambertOfExp(y: number): number {
  let w = y > 1 ? y - Math.log(y) : Math.exp(y) / (1 + Math.exp(y))
  for (let i = 0; i < 8; i++) {
    if (w <= 0) return Math.exp(y)
    const step = (w * (y - w - Math.log(w))) / (1 + w)
    if (!(Math.abs(step) > 1e-14 * w)) break
    w = Math.max(w + step, w / 8)
  }
  return w
}

/** Blurs in squared cells at which plans are sought, from far to near, and rounds at each. */
const BLURS = [16, 4, 1]
const ROUNDS = 10

/**
 * Squared 2-Wasserstein distance of two images, in squared cells: entropic transport without its bias (Feydy et al.
 * 2019, eq. 3), sharpened step by step. With a last blur of one cell it follows moves by fractions of a cell, as if of
 * the image between its samples, which transport between the samples themselves would overestimate.
 */
export function squaredWasserstein(a: Mass, b: Mass, side: number): number {
  return Math.max(entropicCost(a, b, side) - (entropicCost(a, a, side) + entropicCost(b, b, side)) / 2, 0)
}

/** Dual value `⟨f, a⟩ + ⟨g, b⟩` of entropic transport. */
function entropicCost(a: Mass, b: Mass, side: number): number {
  const alike = a === b
  const f = new Float64Array(side * side)
  const g = alike ? f : new Float64Array(side * side)
  const [toA, toB] = [new Float64Array(side * side), new Float64Array(side * side)]
  for (const blur of BLURS) {
    const along = Float64Array.from({ length: side * side }, (_, i) =>
      Math.exp(-((Math.floor(i / side) - (i % side)) ** 2) / blur)
    )
    for (let round = 0; round < ROUNDS; round++) {
      // Updating both at once and averaging converges in a few rounds where the images are alike (Feydy et al. 2019,
      // §3.1).
      transported(along, g, b, blur, side, toA)
      if (!alike) transported(along, f, a, blur, side, toB)
      for (let i = 0; i < f.length; i++) f[i] = (f[i] + toA[i]) / 2
      if (!alike) for (let i = 0; i < g.length; i++) g[i] = (g[i] + toB[i]) / 2
    }
  }
  let cost = 0
  for (let i = 0; i < f.length; i++) cost += f[i] * a[i] + g[i] * b[i]
  return cost
}

/** The potential `−ε log Σ_j K_ij m_j e^{h_j/ε}`, with the same kernel for rows and columns. */
function transported(
  along: Float64Array,
  potential: Float64Array,
  mass: Mass,
  blur: number,
  side: number,
  into: Float64Array
): void {
  const [weighed, across] = [new Float64Array(side * side), new Float64Array(side * side)]
  for (let i = 0; i < weighed.length; i++) weighed[i] = mass[i] * Math.exp(potential[i] / blur)
  alongRows(along, weighed, side, across)
  alongRows(along, across, side, weighed)
  for (let i = 0; i < weighed.length; i++) into[i] = -blur * Math.log(Math.max(weighed[i], Number.MIN_VALUE))
}

/** Multiplies rows by a symmetric matrix and transposes the result. */
function alongRows(matrix: Float64Array, from: Float64Array, side: number, into: Float64Array): void {
  for (let r = 0; r < side; r++) {
    for (let c = 0; c < side; c++) {
      let sum = 0
      for (let k = 0; k < side; k++) sum += matrix[c * side + k] * from[r * side + k]
      into[c * side + r] = sum
    }
  }
}
