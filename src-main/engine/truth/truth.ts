import type { Size, Window } from '../../imagery/raster.ts'

/** True classes of a window's pixels, row-major. */
export interface TruthPatch {
  /** Indices of classes; `UNSCORED` where there is none. */
  classes: Uint8Array
  /** 1 inside the polygons of the truth, 0 outside; absent where it is a mask. */
  covered?: Uint8Array
}

/** The truth about an image, read by windows of full resolution. */
export interface Truth extends Size {
  /** @throws TruthUnusable, TruthInColour, UnreadableImage, Cancelled */
  read(window: Window, signal: AbortSignal): Promise<TruthPatch>
  close(): Promise<void>
}
