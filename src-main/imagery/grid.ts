export interface Size {
  width: number
  height: number
}

/** A rectangle of whole pixels. */
export interface Window extends Size {
  left: number
  top: number
}

/** Where pixels of a fine grid lie between those of a coarse one, along an axis. */
export interface Placement {
  /** The coarse pixel before each fine pixel, or at it. */
  before: Int32Array
  /** Weight of the one behind. */
  weight: Float32Array
}

/** @param position  coarse coordinate of fine pixel i; beyond the `side` coarse ones the border continues */
export function placements(length: number, side: number, position: (i: number) => number): Placement {
  const [before, weight] = [new Int32Array(length), new Float32Array(length)]
  for (let i = 0; i < length; i++) {
    const at = Math.min(Math.max(position(i), 0), side - 1)
    before[i] = Math.min(Math.floor(at), Math.max(side - 2, 0))
    weight[i] = at - before[i]
  }
  return { before, weight }
}
