/**
 * Hard geometry: an image is deformed until a random classifier takes it for something else (Hinnerichs 2020, §4.4 and
 * §4.5).
 */
import type { ViewRecipe } from '../../contract/recipe.ts'
import type { Uniform } from '../random.ts'
import { type CellPicture, ballInCells, cellsOf } from './cells.ts'
import { type Field, type GeometricStep, fieldStep, gaussianBlur, interpolate } from './geometricSteps.ts'
import { CLASSES, type RandomClassifier, countedAs, randomClassifier } from './randomClassifier.ts'
import { type Mass, massOf, squaredWasserstein } from './transport.ts'

/**
 * Number of classes, nearest in score, that a deformation may lead to; deviation in cells of the Gaussian that smooths
 * it; and how far each step goes beyond the linear one.
 */
const CANDIDATES = 3
const SMOOTHNESS = 1
const OVERSHOOT = 1.05
/** Longest step along each axis, in cells: the image's slope says nothing beyond it. */
const LONGEST_STEP = 1

/**
 * Samples the image at `p + τ(p)`.
 * @param field  τ in cells
 */
export function deformed({ bands, side, values }: CellPicture, [rows, columns]: Field): CellPicture {
  const cells = side * side
  const moved = new Float32Array(values.length)
  for (let band = 0; band < bands; band++) {
    const plane = values.subarray(band * cells, (band + 1) * cells)
    for (let i = 0; i < cells; i++)
      moved[band * cells + i] = interpolate(plane, side, Math.floor(i / side) + rows[i], (i % side) + columns[i])
  }
  return { bands, side, values: moved }
}

/**
 * One step of ADef (Alaifari, Alberti, Gauksson 2019, algorithm 1): the smallest smooth field that takes the image, to
 * first order, from its class to one of the nearest others, `τ = −(f_t − f_y) · G²α / ‖Gα‖²` with `α = Σ_bands ∇(f_t −
 * f_y) · ∇x`.
 *
 * @param been  classes that the image has had, to which it must not return
 * @returns     the field in cells, or undefined where no movement changes a score
 */
export function adefStep(
  classifier: RandomClassifier,
  picture: CellPicture,
  been: ReadonlySet<number> = new Set()
): Field | undefined {
  const { side } = picture
  const answer = classifier(picture.values)
  const { scores } = answer
  const counted = countedAs(answer)
  const others = Array.from({ length: CLASSES }, (_, c) => c)
    .filter((c) => c !== counted && !been.has(c))
    .sort((a, b) => scores[b] - scores[a])
    .slice(0, CANDIDATES)
  const fields = others.flatMap((other) => {
    const towards = Float64Array.from({ length: CLASSES }, (_, c) => Number(c === other) - Number(c === counted))
    const once = slopes(picture, answer.gradient(towards)).map((part) => gaussianBlur(part, side, SMOOTHNESS))
    const length = once.reduce((sum, part) => part.reduce((total, value) => total + value * value, sum), 0)
    if (!(length > 1e-20)) return []
    const factor = (OVERSHOOT * (scores[counted] - scores[other])) / length
    const field = once.map((part) =>
      gaussianBlur(part, side, SMOOTHNESS).map((value) => factor * value)
    ) as unknown as Field
    return [{ field, norm: normOf(field) }]
  })
  if (fields.length === 0) return undefined
  const { field } = fields.reduce((least, next) => (next.norm < least.norm ? next : least))
  const longest = field.reduce((most, part) => part.reduce((top, value) => Math.max(top, Math.abs(value)), most), 0)
  return longest > LONGEST_STEP
    ? (field.map((part) => part.map((value) => (value * LONGEST_STEP) / longest)) as unknown as Field)
    : field
}

/** `α`: how much a score gains by looking further down and further right at each cell. */
function slopes({ bands, side, values }: CellPicture, gradient: Float64Array): [Float32Array, Float32Array] {
  const cells = side * side
  const [down, right] = [new Float32Array(cells), new Float32Array(cells)]
  for (let band = 0; band < bands; band++) {
    const at = (row: number, column: number): number =>
      values[band * cells + Math.min(Math.max(row, 0), side - 1) * side + Math.min(Math.max(column, 0), side - 1)]
    for (let i = 0; i < cells; i++) {
      const [row, column, weight] = [Math.floor(i / side), i % side, gradient[band * cells + i]]
      down[i] += (weight * (at(row + 1, column) - at(row - 1, column))) / 2
      right[i] += (weight * (at(row, column + 1) - at(row, column - 1))) / 2
    }
  }
  return [down, right]
}

/** Root of the summed squared lengths, in cells. */
export const normOf = (field: Field): number =>
  Math.sqrt(field.reduce((sum, part) => part.reduce((total, value) => total + value * value, sum), 0))

const added = (a: Field, b: Field): Field => [
  a[0].map((value, i) => value + b[0][i]),
  a[1].map((value, i) => value + b[1][i])
]

/**
 * ADef: steps until the classifier changes the image's class, all applied to the original image.
 * @returns  the field in cells
 */
export function adversarialDeformation(classifier: RandomClassifier, picture: CellPicture, steps: number): Field {
  const counted = countedAs(classifier(picture.values))
  let field = still(picture.side)
  for (let i = 0; i < steps; i++) {
    const seen = deformed(picture, field)
    if (countedAs(classifier(seen.values)) !== counted) break
    const step = adefStep(classifier, seen)
    if (!step) break
    field = added(field, step)
  }
  return field
}

const still = (side: number): Field => [new Float32Array(side * side), new Float32Array(side * side)]

/** Brightness summed over all bands. */
function massOfAll({ bands, side, values }: CellPicture): Mass | undefined {
  const cells = side * side
  return massOf(
    Float64Array.from({ length: cells }, (_, i) =>
      Array.from({ length: bands }, (_, band) => values[band * cells + i]).reduce((a, b) => a + b, 0)
    )
  )
}

/**
 * Algorithm 1 of Hinnerichs 2020: steps of ADef while the image stays within the ball around the original. After each
 * step it ends with probability `p(ξ|x) = exp(−d_W(x, x + ξ)² / η²)`, eq. 6, of the change so far.
 *
 * @param ball  radius ε and η in cells
 */
export function wassersteinDeformation(
  classifier: RandomClassifier,
  picture: CellPicture,
  ball: { epsilon: number; eta: number },
  steps: number,
  uniform: Uniform
): Field {
  const before = massOfAll(picture)
  const been = new Set<number>()
  let field = still(picture.side)
  for (let i = 0; before && i < steps; i++) {
    const seen = deformed(picture, field)
    been.add(countedAs(classifier(seen.values)))
    const step = adefStep(classifier, seen, been)
    if (!step) break
    const further = added(field, step)
    const after = massOfAll(deformed(picture, further))
    const moved = after ? squaredWasserstein(before, after, picture.side) : Infinity
    if (moved > ball.epsilon ** 2) break
    field = further
    if (uniform() < Math.exp(-moved / ball.eta ** 2)) break
  }
  return field
}

/**
 * The geometry of a hard view of a crop; with a Wasserstein ball, by Algorithm 1.
 * @param picture  planar [bands, side, side]
 */
export function adversarialStep(
  { adef, wasserstein }: ViewRecipe,
  picture: Float32Array,
  bands: number,
  side: number,
  uniform: Uniform
): GeometricStep {
  const cells = cellsOf(picture, bands, side)
  const classifier = randomClassifier(bands, cells.side, uniform)
  const field =
    wasserstein.epsilon > 0
      ? wassersteinDeformation(classifier, cells, ballInCells(wasserstein, side, cells.side), adef.steps, uniform)
      : adversarialDeformation(classifier, cells, adef.steps)
  return fieldStep(field, cells.side, side)
}
