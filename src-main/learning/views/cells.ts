import type { ViewRecipe } from '../../contract/recipe.ts'

/** Most cells per side in the search for hard views. Larger images are averaged, and the result is enlarged. */
const MOST_CELLS = 32

/** A square image of few cells: planar [bands, side, side], values 0…1. */
export interface CellPicture {
  bands: number
  side: number
  values: Float32Array
}

/**
 * Averages an image over cells.
 * @param picture  planar [bands, side, side]
 */
export function cellsOf(picture: Float32Array, bands: number, side: number): CellPicture {
  const cells = Math.min(side, MOST_CELLS)
  if (cells === side) return { bands, side, values: picture.slice() }
  const [values, counts] = [new Float32Array(bands * cells * cells), new Float32Array(cells * cells)]
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const cell = Math.floor((row * cells) / side) * cells + Math.floor((column * cells) / side)
      counts[cell]++
      for (let band = 0; band < bands; band++)
        values[band * cells * cells + cell] += picture[(band * side + row) * side + column]
    }
  }
  return { bands, side: cells, values: values.map((sum, i) => sum / counts[i % (cells * cells)]) }
}

/** Converts radius ε and η of a Wasserstein ball from pixels to cells. */
export const ballInCells = (
  { epsilon, eta }: ViewRecipe['wasserstein'],
  side: number,
  cells: number
): { epsilon: number; eta: number } => ({ epsilon: (epsilon * cells) / side, eta: (eta * cells) / side })
