import { type FileHandle, rm } from 'node:fs/promises'
import { fileAt } from '../imagery/location.ts'
import { openSource } from '../imagery/reading/byteSource.ts'
import { TAG, readDirectories } from '../imagery/formats/tiff/directory.ts'
import type { Size } from '../imagery/raster.ts'
import {
  type Placed,
  type RasterNotes,
  encodeDirectories,
  encodeHeader,
  headerBytes,
  needsBigTiff
} from '../labels/tiffFile.ts'
import { discardUnfinished, writeWhole } from '../labels/writer.ts'

/**
 * Rewrites one of Smalti's rasters in the order of a cloud-optimised GeoTIFF: all directories first, then the stored
 * tiles, smallest overview first.
 */
export async function writeOptimised(handle: FileHandle, path: string, size: Size, notes: RasterNotes): Promise<void> {
  const source = await openSource(fileAt(path))
  try {
    const directories = await readDirectories(source)
    const tile = (await directories[0].number(TAG.tileWidth))!
    const stored = await Promise.all(
      directories.map(async (directory): Promise<Placed[]> => {
        const [offsets, counts] = [
          (await directory.numbers(TAG.tileOffsets))!,
          (await directory.numbers(TAG.tileByteCounts))!
        ]
        return offsets.map((offset, i) => ({ offset, bytes: counts[i] }))
      })
    )
    const grid = {
      width: size.width,
      height: size.height,
      tile,
      bands: (await directories[0].number(TAG.samplesPerPixel)) ?? 1
    }
    const big = needsBigTiff(grid)
    const start = headerBytes(big)
    let end = start + encodeDirectories(start, grid, stored, notes).length
    const placed = stored.map((tiles) => tiles.map((entry) => ({ ...entry })))
    for (let level = placed.length - 1; level >= 0; level--) {
      for (const entry of placed[level]) {
        entry.offset = end
        end += entry.bytes
      }
    }
    await writeWhole(
      handle,
      Buffer.concat([encodeHeader(big, start), encodeDirectories(start, grid, placed, notes)]),
      0
    )
    for (let level = placed.length - 1; level >= 0; level--) {
      for (const [i, { offset, bytes }] of stored[level].entries())
        await writeWhole(handle, await source.read(offset, bytes), placed[level][i].offset)
    }
  } finally {
    await source.close()
  }
}

/**
 * Passes `work` the path of a temporary raster next to a file that is being written, and removes the raster afterwards.
 */
export async function throughRaster(path: string, work: (raster: string) => Promise<void>): Promise<void> {
  const raster = `${path}.raster`
  try {
    await work(raster)
  } finally {
    await rm(raster, { force: true })
    await discardUnfinished(raster)
  }
}
