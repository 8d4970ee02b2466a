import { fileAt } from '../imagery/location.ts'
import { openRaster } from '../imagery/reading/openRaster.ts'
import type { Size, Window } from '../imagery/raster.ts'

/** Labels of an image, read by windows at full resolution: 0…249 are clusters or classes, 255 means no label. */
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

/** Maps labels through a table of 256 values, if there is one. */
export function translated(source: LabelSource, table: Uint8Array | undefined): LabelSource {
  return !table
    ? source
    : { ...source, read: async (window, signal) => (await source.read(window, signal)).map((value) => table[value]) }
}

/** Rows read at a time when labels are processed from top to bottom. */
export const STRIPE = 512

/** Divides an image into full-width windows, from top to bottom. */
export function* stripes({ width, height }: Size, rows = STRIPE): Generator<Window> {
  for (let top = 0; top < height; top += rows) yield { left: 0, top, width, height: Math.min(rows, height - top) }
}
