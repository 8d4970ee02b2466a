import type { Size, Window } from '../../imagery/raster.ts'

/** The true classes of a window's pixels, row-major. */
export interface TruthPatch {
  /** Class indices; `UNSCORED` where there is no class. */
  classes: Uint8Array
  /** 1 inside the polygons of the truth, 0 outside; absent for a mask. */
  covered?: Uint8Array
}

/** The truth of an image, read in windows at full resolution. */
export interface Truth extends Size {
  /** Reads a window. @throws TruthUnusable, TruthInColour, UnreadableImage, Cancelled */
  read(window: Window, signal: AbortSignal): Promise<TruthPatch>
  close(): Promise<void>
}
