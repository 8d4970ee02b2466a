import { integerBelow } from '../random.ts'
import { pairOfPlaces } from './pairOfPlaces.ts'

/** Pixels from a place to its neighbour on each side, and the jitter of this distance. */
const [GAP, JITTER] = [24, 4]
const SIDES = [
  [-1, -1],
  [-1, 0],
  [-1, 1],
  [0, -1],
  [0, 1],
  [1, -1],
  [1, 0],
  [1, 1]
] as const

/**
 * Context prediction (Doersch, Gupta, Efros 2015): on which of its eight sides is another place? Differences from the
 * paper, for a fully convolutional trunk: places stand for patches, as in the IID paper, and no colours are dropped.
 */
export const context = pairOfPlaces('context', SIDES.length, (stride, side, uniform) => {
  const answer = integerBelow(SIDES.length, uniform)
  const gap = Math.min(GAP, (side * stride) / 3)
  const [rows, columns] = SIDES[answer].map((sign) => Math.round((sign * gap + JITTER * (2 * uniform() - 1)) / stride))
  return { rows, columns, answer }
})
