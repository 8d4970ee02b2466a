/** A size in pixels. */
export interface Size {
  width: number
  height: number
}

/** A rectangle of whole pixels. */
export interface Window extends Size {
  left: number
  top: number
}

/** Where the pixels of a fine grid fall between the pixels of a coarse one, along one axis. */
export interface Placement {
  /** The coarse pixel at or before each fine pixel. */
  before: Int32Array
  /** Weight of the coarse pixel after it. */
  weight: Float32Array
}

/**
 * Places fine pixels between coarse ones, for linear interpolation.
 * @param position  coarse coordinate of fine pixel i; clamped to the `side` coarse pixels
 */
export function placements(length: number, side: number, position: (i: number) => number): Placement {
  const [before, weight] = [new Int32Array(length), new Float32Array(length)]
  for (let i = 0; i < length; i++) {
    const at = Math.min(Math.max(position(i), 0), side - 1)
    before[i] = Math.min(Math.floor(at), Math.max(side - 2, 0))
    weight[i] = at - before[i]
  }
  return { before, weight }
}
