import type { ClassHistory, CorrectedTile, Correction } from '../contract/classes.ts'

/** Returns the latest corrected tiles of a head, each with the correction that it comes from. */
function tilesNow({ history, cursor }: ClassHistory, head: string): { of: Correction; tile: CorrectedTile }[] {
  const latest = new Map<string, { of: Correction; tile: CorrectedTile }>()
  for (const { corrected } of history.slice(0, cursor + 1)) {
    if (corrected?.head !== head) continue
    for (const tile of corrected.tiles)
      latest.set(`${tile.column} ${tile.row} ${corrected.path}`, { of: corrected, tile })
  }
  return [...latest.values()]
}

/** Returns the latest corrected tiles of an image. */
export const correctedTiles = (history: ClassHistory, head: string, path: string): CorrectedTile[] =>
  tilesNow(history, head).flatMap(({ of, tile }) => (of.path === path ? [tile] : []))

/** Pixels that a cluster gains or loses through corrections, compared with the labels. */
export interface Moved {
  cluster: number
  pixels: number
  /** Area on the ground, where it is known. */
  squareMetres?: number
}

/** Returns how corrections change the size of a head's clusters. */
export const movedPixels = (history: ClassHistory, head: string): Moved[] =>
  tilesNow(history, head).flatMap(({ tile }) =>
    tile.moved.map(([cluster, pixels, squareMetres]) => ({ cluster, pixels, squareMetres }))
  )
