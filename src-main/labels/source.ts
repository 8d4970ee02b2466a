import { fileAt } from '../imagery/location.ts'
import { openRaster } from '../imagery/reading/openRaster.ts'
import type { Size, Window } from '../imagery/raster.ts'

/** Labels of an image, read by windows of full resolution: 0…249 clusters or classes, 255 none. */
export interface LabelSource extends Size {
  read(window: Window, signal?: AbortSignal): Promise<Uint8Array>
  close(): Promise<void>
}

/** Opens a label raster. @throws UnreadableImage */
export async function openLabels(path: string): Promise<LabelSource> {
  const raster = await openRaster(fileAt(path))
  return {
    width: raster.width,
    height: raster.height,
    read: async (window, signal) => (await raster.read(window, { bands: [0], signal })).bands[0] as Uint8Array,
    close: () => raster.close()
  }
}

/** Labels with each value replaced by another, by a table of 256 if there is one. */
export function translated(source: LabelSource, table: Uint8Array | undefined): LabelSource {
  return !table
    ? source
    : { ...source, read: async (window, signal) => (await source.read(window, signal)).map((value) => table[value]) }
}

/** Rows that are read at a time where labels are gone through from top to bottom. */
export const STRIPE = 512

/** Windows that cover an image from top to bottom, of its whole width. */
export function* stripes({ width, height }: Size, rows = STRIPE): Generator<Window> {
  for (let top = 0; top < height; top += rows) yield { left: 0, top, width, height: Math.min(rows, height - top) }
}
