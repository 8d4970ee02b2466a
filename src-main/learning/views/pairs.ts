import { type Uniform, integerBelow } from '../random.ts'
import type { Recipe } from '../presets.ts'
import { type ColourChange, changeColours, sampleColourChange } from './colour.ts'
import { type SquareSymmetry, displacementMatrix, transformPlanar } from './geometry.ts'

/** How the second view differs from the first. */
export interface ViewPair {
  symmetry: SquareSymmetry
  /** Pixels by which the second crop starts after the first. */
  shift: { rows: number; columns: number }
  colour?: ColourChange
}

type ViewRecipe = Pick<Recipe, 'flips' | 'quarterTurns' | 'shift' | 'jitter'>

/** @param bands  colours are changed only where there are three, red, green and blue */
export function sampleViewPair(recipe: ViewRecipe, bands: number, uniform: Uniform): ViewPair {
  const coin = (allowed: boolean): boolean => allowed && uniform() < 0.5
  const shift = (): number => integerBelow(2 * recipe.shift + 1, uniform) - recipe.shift
  return {
    symmetry: { flipRows: coin(recipe.flips.rows), flipColumns: coin(recipe.flips.columns), transposed: coin(recipe.quarterTurns) },
    shift: { rows: shift(), columns: shift() },
    colour: bands === 3 ? sampleColourChange(recipe.jitter, 0.45, uniform) : undefined
  }
}

/** One step's feed: both crops of each pair, z-scored, and what undoes the views. Shapes as in `trainingStep`. */
export interface Batch {
  first: Float32Array
  second: Float32Array
  rows: Float32Array
  columns: Float32Array
  transposed: Float32Array
}

export interface BatchShape {
  pairs: number
  bands: number
  crop: number
  coarse: number
  radius: number
}

export function emptyBatch({ pairs, bands, crop, coarse }: BatchShape): Batch {
  const pixels = pairs * bands * crop * crop
  const entries = pairs * coarse * coarse
  return {
    first: new Float32Array(pixels),
    second: new Float32Array(pixels),
    rows: new Float32Array(entries),
    columns: new Float32Array(entries),
    transposed: new Float32Array(pairs)
  }
}

/**
 * Writes pair `index` of a batch.
 * @param first   planar crop, values 0…1
 * @param second  planar crop at the pair's shift, values 0…1; changed in place
 * @param finish  turns planar values 0…1 into network input, in place
 */
export function writePair(
  batch: Batch,
  shape: BatchShape,
  index: number,
  pair: ViewPair,
  first: Float32Array,
  second: Float32Array,
  finish: (crop: Float32Array) => void
): void {
  const { bands, crop, coarse, radius } = shape
  const at = index * bands * crop * crop
  const target = (views: Float32Array): Float32Array => views.subarray(at, at + bands * crop * crop)
  if (pair.colour) changeColours(pair.colour, second)
  target(batch.first).set(first)
  transformPlanar(pair.symmetry, second, bands, crop, target(batch.second))
  finish(target(batch.first))
  finish(target(batch.second))
  const { flipRows, flipColumns, transposed } = pair.symmetry
  const matrix = (flipped: boolean, shift: number): Float32Array =>
    displacementMatrix({ fine: crop, coarse, radius, flipped, shift })
  batch.rows.set(matrix(transposed ? flipColumns : flipRows, pair.shift.rows), index * coarse * coarse)
  batch.columns.set(matrix(transposed ? flipRows : flipColumns, pair.shift.columns), index * coarse * coarse)
  batch.transposed[index] = transposed ? 1 : 0
}
