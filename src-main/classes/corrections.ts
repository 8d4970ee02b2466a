import type { ClassHistory, CorrectedTile, Correction } from '../contract/classes.ts'

/** Tiles of a head's corrections as they are now, with the corrections that they come from. */
function tilesNow({ history, cursor }: ClassHistory, head: string): { of: Correction; tile: CorrectedTile }[] {
  const latest = new Map<string, { of: Correction; tile: CorrectedTile }>()
  for (const { corrected } of history.slice(0, cursor + 1)) {
    if (corrected?.head !== head) continue
    for (const tile of corrected.tiles)
      latest.set(`${tile.column} ${tile.row} ${corrected.path}`, { of: corrected, tile })
  }
  return [...latest.values()]
}

/** Tiles of an image's corrections as they are now. */
export const correctedTiles = (history: ClassHistory, head: string, path: string): CorrectedTile[] =>
  tilesNow(history, head).flatMap(({ of, tile }) => (of.path === path ? [tile] : []))

/** By how much clusters are larger, or smaller, than in the labels themselves. */
export interface Moved {
  cluster: number
  pixels: number
  /** Where they are known. */
  squareMetres?: number
}

/** By how much corrections change a head's clusters now. */
export const movedPixels = (history: ClassHistory, head: string): Moved[] =>
  tilesNow(history, head).flatMap(({ tile }) =>
    tile.moved.map(([cluster, pixels, squareMetres]) => ({ cluster, pixels, squareMetres }))
  )
