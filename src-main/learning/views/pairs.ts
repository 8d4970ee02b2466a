import type { Recipe, ViewRecipe } from '../../contract/recipe.ts'
import { type Uniform, integerBelow } from '../random.ts'
import { type GeometricStep, affineStep, composed, deformationStep, shiftStep, symmetryStep } from './geometricSteps.ts'
import { type SquareSymmetry, displacementMatrix, transformPlanar } from './geometry.ts'
import { type PhotometricChange, samplePhotometricChanges } from './photometric.ts'
import { warpTables } from './warp.ts'

/** Changes in geometry and colour from the first view of a pair to the second. */
export interface ViewPair {
  symmetry: SquareSymmetry
  /** Pixels by which the second crop starts after the first. */
  shift: { rows: number; columns: number }
  /** Rotation, scale, shear and deformations between the symmetry and the shift; empty without any. */
  bends: GeometricStep[]
  changes: PhotometricChange[]
}

/** Whether views differ by more than the symmetries and shifts that matrices of rows and columns express. */
export function isWarped({ affine, deformation, adef }: ViewRecipe): boolean {
  return deformation.strength > 0 || adef.steps > 0 || Object.values(affine).some((strength) => strength > 0)
}

/**
 * Draws how the views of a pair differ.
 * @param coloured  whether the first three bands are red, green and blue
 */
export function sampleViewPair(
  recipe: ViewRecipe,
  { bands, coloured }: Pick<BatchShape, 'bands' | 'coloured'>,
  side: number,
  uniform: Uniform
): ViewPair {
  const coin = (allowed: boolean): boolean => allowed && uniform() < 0.5
  return {
    symmetry: {
      flipRows: coin(recipe.flips.rows),
      flipColumns: coin(recipe.flips.columns),
      transposed: coin(recipe.quarterTurns)
    },
    shift: sampleShift(recipe.shift, uniform),
    bends: isWarped(recipe)
      ? [
          affineStep(recipe.affine, uniform),
          ...(recipe.deformation.strength > 0 ? [deformationStep(recipe.deformation, side, uniform)] : [])
        ]
      : [],
    changes: samplePhotometricChanges(recipe, bands, coloured, side, uniform)
  }
}

function sampleShift(shift: ViewRecipe['shift'], uniform: Uniform): ViewPair['shift'] {
  if (typeof shift === 'number') {
    const along = (): number => integerBelow(2 * shift + 1, uniform) - shift
    return { rows: along(), columns: along() }
  }
  const [least, most] = shift
  const [length, angle] = [least + (most - least) * uniform(), 2 * Math.PI * uniform()]
  return { rows: Math.round(length * Math.sin(angle)), columns: Math.round(length * Math.cos(angle)) }
}

/** The whole geometry of a bent pair, from the second view's frame to the first's. */
export function geometryOf({ symmetry, shift, bends }: ViewPair): GeometricStep {
  return composed([symmetryStep(symmetry), ...bends, shiftStep(shift.rows, shift.columns)])
}

/**
 * Inputs of one step: both crops of each pair, z-scored, and tables that undo the views. Shapes as in `trainingStep`.
 */
export interface Batch {
  first: Float32Array
  second: Float32Array
  firstValid?: Float32Array
  secondValid?: Float32Array
  rows: Float32Array
  columns: Float32Array
  transposed?: Float32Array
  corners?: Float32Array
  cornerWeights?: Float32Array
  valid?: Float32Array
}

export interface BatchShape {
  pairs: number
  bands: number
  /** Whether the first three bands are red, green and blue. */
  coloured: boolean
  /** Whether some pixels have no data. */
  masked?: boolean
  crop: number
  /** Side of the heatmaps; 1 for whole images. */
  coarse: number
  radius: number
  /** Displacements drawn for each step; pooled over all when undefined. */
  drawn?: number
  /** Whether the views differ by more than flips, quarter turns and shifts, which tables then undo. */
  warped: boolean
  /** Whether each image gets one answer, so that no geometry is undone. */
  wholeImage?: boolean
}

/** Displacements that a step measures one by one, or undefined to pool them all. */
export type Displacements = readonly (readonly [row: number, column: number])[] | undefined

/** Draws `drawn` different displacements from all |t| ≤ radius, or all of them for 0; the same for the whole batch. */
export function drawDisplacements(
  { radius, drawn }: Pick<BatchShape, 'radius' | 'drawn'>,
  uniform: Uniform
): Displacements {
  if (drawn === undefined) return undefined
  const side = 2 * radius + 1
  const all = Array.from(
    { length: side * side },
    (_, i) => [Math.floor(i / side) - radius, (i % side) - radius] as const
  )
  const wanted = displacementCount({ radius, drawn })
  for (let i = 0; i < wanted; i++) {
    const other = i + integerBelow(all.length - i, uniform)
    ;[all[i], all[other]] = [all[other], all[i]]
  }
  return all.slice(0, wanted)
}

/** Number of joints that a step measures. */
export function displacementCount({ radius, drawn }: Pick<BatchShape, 'radius' | 'drawn'>): number {
  const most = (2 * radius + 1) ** 2
  return drawn === undefined ? 1 : drawn === 0 ? most : Math.min(drawn, most)
}

/** Returns how many displacements a recipe draws, see `BatchShape`. */
export function drawnOf({ objective, displacements }: Pick<Recipe, 'objective' | 'displacements'>): number | undefined {
  return objective === 'pooled' ? undefined : displacements
}

export function emptyBatch(shape: BatchShape): Batch {
  const { pairs, bands, crop, coarse, warped, masked } = shape
  const [pixels, entries, cells] = [
    pairs * bands * crop * crop,
    pairs * displacementCount(shape) * coarse * coarse,
    pairs * coarse * coarse
  ]
  const zeros = (length: number): Float32Array => new Float32Array(length)
  return {
    first: zeros(pixels),
    second: zeros(pixels),
    ...(masked && { firstValid: zeros(pairs * crop * crop).fill(1), secondValid: zeros(pairs * crop * crop).fill(1) }),
    rows: zeros(entries),
    columns: zeros(entries),
    ...(warped
      ? { corners: zeros(4 * cells), cornerWeights: zeros(4 * cells), valid: zeros(cells) }
      : { transposed: zeros(pairs) })
  }
}

/**
 * Writes pair `index` of a batch.
 *
 * @param first   planar crop, values 0…1
 * @param second  planar crop, values 0…1, at the pair's shift or, for bent pairs, already bent; changed in place
 * @param finish  turns planar values 0…1 into network input, in place
 * @param valid   1 where a pixel of each crop has data, in the geometry of the given crops; all have data when absent
 */
export function writePair(
  batch: Batch,
  shape: BatchShape,
  index: number,
  pair: ViewPair,
  displacements: Displacements,
  first: Float32Array,
  second: Float32Array,
  finish: (crop: Float32Array) => void,
  valid: { first?: Uint8Array; second?: Uint8Array } = {}
): void {
  const { bands, crop } = shape
  const at = index * bands * crop * crop
  const target = (views: Float32Array): Float32Array => views.subarray(at, at + bands * crop * crop)
  for (const change of pair.changes) change(second)
  target(batch.first).set(first)
  if (pair.bends.length > 0) target(batch.second).set(second)
  else transformPlanar(pair.symmetry, second, bands, crop, target(batch.second))
  finish(target(batch.first))
  finish(target(batch.second))
  writeValidity(batch, crop, index, pair, valid)
  writeGeometry(batch, shape, index, pair, displacements)
}

function writeValidity(
  batch: Batch,
  crop: number,
  index: number,
  pair: ViewPair,
  { first, second }: { first?: Uint8Array; second?: Uint8Array }
): void {
  const plane = (masks: Float32Array): Float32Array => masks.subarray(index * crop * crop, (index + 1) * crop * crop)
  if (first) plane(batch.firstValid!).set(first)
  if (!second) return
  if (pair.bends.length > 0) plane(batch.secondValid!).set(second)
  else transformPlanar(pair.symmetry, Float32Array.from(second), 1, crop, plane(batch.secondValid!))
}

function writeGeometry(
  batch: Batch,
  shape: BatchShape,
  index: number,
  pair: ViewPair,
  displacements: Displacements
): void {
  const { crop, coarse, radius, warped, wholeImage } = shape
  if (wholeImage) {
    for (const matrices of [batch.rows, batch.columns]) matrices[index] = 1
    return
  }
  const cells = coarse * coarse
  const { flipRows, flipColumns, transposed } = pair.symmetry
  const write = (into: Float32Array, flipped: boolean, shift: number, axis: 0 | 1): void => {
    const ranges = displacements?.map((t) => [t[axis], t[axis]] as const) ?? [[-radius, radius] as const]
    ranges.forEach((range, d) => {
      const matrix = displacementMatrix({
        fine: crop,
        coarse,
        range,
        flipped: flipped && !warped,
        shift: warped ? 0 : shift
      })
      into.set(matrix, (index * ranges.length + d) * cells)
    })
  }
  write(batch.rows, transposed ? flipColumns : flipRows, pair.shift.rows, 0)
  write(batch.columns, transposed ? flipRows : flipColumns, pair.shift.columns, 1)
  if (batch.transposed) batch.transposed[index] = transposed ? 1 : 0
  if (!warped) return
  const tables = warpTables(geometryOf(pair), crop, coarse, index)
  batch.corners!.set(tables.corners, 4 * index * cells)
  batch.cornerWeights!.set(tables.cornerWeights, 4 * index * cells)
  batch.valid!.set(tables.valid, index * cells)
}
