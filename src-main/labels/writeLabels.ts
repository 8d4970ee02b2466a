import { SmaltiError } from '../contract/errors.ts'
import { NO_LABEL } from '../contract/labels.ts'
import type { Window } from '../imagery/raster.ts'
import { tilesAlong } from './tiffFile.ts'
import { type RasterFile, RasterWriter } from './writer.ts'

/** Writes a label raster from a function that returns its windows. @throws Cancelled, DiskFull, FolderNotWritable */
export async function writeLabels(
  path: string,
  file: RasterFile,
  read: (window: Window) => Promise<Uint8Array>,
  signal: AbortSignal
): Promise<void> {
  const { width, height, tile } = file
  const writer = await RasterWriter.open(path, file)
  try {
    for (let row = writer.rowsDone; row < tilesAlong(height, tile); row++) {
      for (let column = 0; column < tilesAlong(width, tile); column++) {
        if (signal.aborted) throw new SmaltiError('Cancelled')
        const window = {
          left: column * tile,
          top: row * tile,
          width: Math.min(tile, width - column * tile),
          height: Math.min(tile, height - row * tile)
        }
        await writer.write(column, row, padded(await read(window), window, tile))
      }
      await writer.endRows(row + 1)
    }
    await writer.finish()
  } catch (fault) {
    await writer.pause().catch(() => undefined)
    throw fault
  }
}

/** Pads a window's labels to a whole tile. */
function padded(labels: Uint8Array, { width, height }: Window, tile: number): Uint8Array {
  if (width === tile && height === tile) return labels
  const whole = new Uint8Array(tile * tile).fill(NO_LABEL)
  for (let r = 0; r < height; r++) whole.set(labels.subarray(r * width, (r + 1) * width), r * tile)
  return whole
}
