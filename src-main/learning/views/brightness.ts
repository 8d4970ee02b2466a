/**
 * Hard brightness: it moves within a Wasserstein ball around the image, at random or against a random classifier
 * (Hinnerichs 2020, §4.1 and §4.3).
 */
import type { ViewRecipe } from '../../contract/recipe.ts'
import { type Uniform, normalFrom } from '../random.ts'
import { type CellPicture, ballInCells, cellsOf } from './cells.ts'
import { interpolate } from './geometricSteps.ts'
import { type RandomClassifier, countedAs, randomClassifier } from './randomClassifier.ts'
import { massOf, projectOntoBall } from './transport.ts'

/** Step of the attack on brightness 0…1 (Wong et al. 2019). */
const BRIGHTNESS_STEP = 0.1
/** Random changes to draw until one is accepted, and their deviation as a share of the brightness. */
const DRAWS = 10
const NOISE = 0.5
/** Largest factor by which a cell may brighten, because dark ones would glow. */
const BRIGHTEST = 4

/**
 * Moves the brightness of another image, band by band, into the ball around this one.
 * @param radius  in cells
 */
function broughtNear(picture: CellPicture, target: Float32Array, radius: number): Float32Array {
  const cells = picture.side ** 2
  const near = new Float32Array(target.length)
  for (let band = 0; band < picture.bands; band++) {
    const part = picture.values.subarray(band * cells, (band + 1) * cells)
    const [centre, wanted] = [massOf(part), massOf(target.subarray(band * cells, (band + 1) * cells))]
    const total = part.reduce((sum, value) => sum + Math.max(value, 0), 0)
    near.set(
      centre && wanted ? projectOntoBall(centre, wanted, picture.side, radius).map((value) => value * total) : part,
      band * cells
    )
  }
  return near
}

/**
 * Draws a random change of brightness within the ball: noise projected to a radius drawn evenly up to ε, accepted with
 * the probability of eq. 6 or drawn again; the image itself where none is accepted.
 *
 * @param ball  radius ε and η in cells
 */
export function wassersteinNoise(
  picture: CellPicture,
  { epsilon, eta }: { epsilon: number; eta: number },
  uniform: Uniform
): Float32Array {
  const normal = normalFrom(uniform)
  for (let draw = 0; draw < DRAWS; draw++) {
    const radius = epsilon * uniform()
    if (uniform() >= Math.exp(-(radius ** 2) / eta ** 2)) continue
    return broughtNear(
      picture,
      picture.values.map((value) => Math.max(value * (1 + NOISE * normal()), 0)),
      radius
    )
  }
  return picture.values
}

/**
 * Projected Sinkhorn attack on a random classifier, eq. 7 and 8: steps up the cross-entropy of the image's class, each
 * projected back into the ball around the image, until the class changes.
 *
 * @param epsilon  in cells
 */
export function sinkhornAttack(
  classifier: RandomClassifier,
  picture: CellPicture,
  epsilon: number,
  steps: number
): Float32Array {
  const counted = countedAs(classifier(picture.values))
  let now = picture.values
  for (let i = 0; i < steps; i++) {
    const answer = classifier(now)
    if (countedAs(answer) !== counted) break
    const { scores } = answer
    const top = Math.max(...scores)
    const shares = scores.map((score) => Math.exp(score - top))
    const total = shares.reduce((a, b) => a + b, 0)
    const gradient = answer.gradient(shares.map((share, c) => share / total - Number(c === counted)))
    now = broughtNear(
      picture,
      now.map((value, k) => Math.max(value + BRIGHTNESS_STEP * Math.sign(gradient[k]), 0)),
      epsilon
    )
  }
  return now
}

/** Moves brightness within a planar image of values 0…1, in place: at random, and against a random classifier. */
export function moveBrightness(
  { adef, wasserstein, sinkhorn }: ViewRecipe,
  picture: Float32Array,
  bands: number,
  side: number,
  uniform: Uniform
): void {
  const apply = (found: (cells: CellPicture) => Float32Array): void => {
    const cells = cellsOf(picture, bands, side)
    const [before, after] = [cells.values, found(cells)]
    const factors = after.map((value, i) => (before[i] > 0 ? Math.min(value / before[i], BRIGHTEST) : 1))
    for (let band = 0; band < bands; band++) {
      const plane = factors.subarray(band * cells.side ** 2, (band + 1) * cells.side ** 2)
      for (let i = 0; i < side * side; i++) {
        const [row, column] = [Math.floor(i / side), i % side].map((at) => ((at + 0.5) * cells.side) / side - 0.5)
        picture[band * side * side + i] *= interpolate(plane, cells.side, row, column)
      }
    }
  }
  if (wasserstein.epsilon > 0 && adef.steps === 0)
    apply((cells) => wassersteinNoise(cells, ballInCells(wasserstein, side, cells.side), uniform))
  if (sinkhorn.epsilon > 0)
    apply((cells) =>
      sinkhornAttack(
        randomClassifier(bands, cells.side, uniform),
        cells,
        (sinkhorn.epsilon * cells.side) / side,
        sinkhorn.steps
      )
    )
}
