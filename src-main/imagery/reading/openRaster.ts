import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { SmaltiError, asSmaltiError } from '../../contract/errors.ts'
import type { CatalogueImage } from '../../contract/imagery.ts'
import { fillFileSafely, makeFolder } from '../../project/files.ts'
import { withLock } from '../../project/lock.ts'
import { WHOLE_PIXELS, inspectPhotograph, openPhotograph, reasonOf } from '../formats/photograph.ts'
import { openTiff } from '../formats/tiff/tiff.ts'
import { type Georeference, sidecarGeoreferenceOf } from '../georeference.ts'
import { type Location, fileAt, isTiff, locationOf, nameOf } from '../location.ts'
import type { Raster } from '../raster.ts'
import { sharedWork } from './sharedWork.ts'

/** Where tiled copies of images that can't be read in parts are kept, and how their progress is reported. */
export interface Copies {
  /** Folder of the copies. It may be deleted at any time. */
  folder: string
  onProgress?(share: number): void
}

/** Options for opening an image. */
export interface OpenOptions {
  copies?: Copies
  /** Cancels the opening. Reads take their own signal. */
  signal?: AbortSignal
  /** The page of a multi-page TIFF that the user chose, counted from 1. */
  page?: number
  /** Returns values as stored and ignores an embedded colour profile. */
  stored?: boolean
}

const PHOTOGRAPH = /\.(png|jpe?g|webp)$/i

/** Whether a file's extension belongs to an image format that Smalti reads. */
export const isImageName = (path: string): boolean => isTiff(fileAt(path)) || PHOTOGRAPH.test(path)

/** Formats that users are likely to try, and how to convert them. */
const REFUSED: [RegExp, string][] = [
  [
    /\.(jp2|j2k|jpx)$/i,
    "JPEG 2000 isn't supported. Convert it to GeoTIFF with gdal_translate -co TILED=YES -co COMPRESS=DEFLATE"
  ],
  [
    /\.(ecw|sid|img|vrt|hdf|h5|nc|ntf|bil|bsq|grd|asc)$/i,
    "its raster format isn't supported. Convert it to GeoTIFF with gdal_translate -co TILED=YES -co COMPRESS=DEFLATE"
  ],
  [
    /\.(heic|heif|avif|jxl|gif|bmp|psd|dng|cr2|nef|arw|raw)$/i,
    "its image format isn't supported. Export it as PNG, JPEG or TIFF"
  ]
]

/** Explains from its name alone why a file is skipped. */
export function refusedName(path: string): string {
  return REFUSED.find(([pattern]) => pattern.test(path))?.[1] ?? "it isn't an image in a supported format"
}

/**
 * Opens an image of any format from a file, or a GeoTIFF from an address. A large image that can't be read in parts is
 * first copied into tiles, as a stream.
 * @throws UnreadableImage with a readable reason, Cancelled
 */
export async function openRaster(
  location: Location,
  { copies, signal, page, stored = false }: OpenOptions = {}
): Promise<Raster> {
  if (location.kind === 'address') return openTiff(location, { signal, page })
  const { path } = location
  if (isTiff(location)) return openTiff(location, { signal, page })
  const { width, height } = await inspectPhotograph(path, page)
  if (width * height <= WHOLE_PIXELS) return openPhotograph(path, stored)
  if (!copies)
    throw new SmaltiError('UnreadableImage', { path, reason: 'it is too large to read without a tiled copy' })
  return openTiff(fileAt(await tiledCopy(path, width * height, copies, signal)), { signal, beside: path })
}

/** Reads where an image is on the ground, from its header alone. */
export async function georeferenceOfFile(
  { file, placed, page }: Pick<CatalogueImage, 'file' | 'placed' | 'page'>,
  signal?: AbortSignal
): Promise<Georeference | undefined> {
  const location = locationOf(file)
  if (!isTiff(location)) return placed ? sidecarGeoreferenceOf(nameOf(location)) : undefined
  const raster = await openTiff(location, { page, signal })
  try {
    return await raster.georeference()
  } finally {
    await raster.close()
  }
}

/** Copies that this thread is making. Finished copies are found on disk. */
const making = sharedWork<undefined>({ most: 0 })

/** Returns the path of an image's tiled copy, and makes the copy first if needed. */
async function tiledCopy(
  path: string,
  pixels: number,
  { folder, onProgress }: Copies,
  signal?: AbortSignal
): Promise<string> {
  const { size, mtimeMs } = await stat(path)
  const name = createHash('sha256').update(`${path}\n${size}\n${mtimeMs}`).digest('hex').slice(0, 24)
  const copy = join(folder, `${name}.tif`)
  const isMade = async (): Promise<boolean> => (await stat(copy).catch(() => undefined)) !== undefined
  if (await isMade()) return copy
  await making.get(copy, {
    signal,
    make: async (work) => {
      await makeFolder(folder)
      // Other threads, processes and computers may want the same copy.
      await withLock(folder, async () => ((await isMade()) ? undefined : makeCopy(path, copy, pixels, onProgress)), {
        name,
        patience: Infinity,
        signal: work
      })
      return undefined
    }
  })
  return copy
}

const WATCHED = 250

/**
 * Writes tiles and half-size levels, uncompressed, so that the file's size shows the progress. The decoder can't be
 * interrupted, so a copy that has begun is finished.
 */
async function makeCopy(
  path: string,
  copy: string,
  pixels: number,
  onProgress?: (share: number) => void
): Promise<void> {
  const { channels, type } = await inspectPhotograph(path)
  const expected = pixels * channels * (type === 'uint16' ? 2 : 1) * (4 / 3)
  await fillFileSafely(copy, async (handle, temporary) => {
    const watch = setInterval(
      () =>
        void handle.stat().then(
          ({ size }) => onProgress?.(Math.min(size / expected, 0.99)),
          () => undefined
        ),
      WATCHED
    )
    try {
      const picture = sharp(path, { limitInputPixels: false, failOn: 'truncated', sequentialRead: true }).autoOrient()
      await picture
        .tiff({ tile: true, tileWidth: 256, tileHeight: 256, pyramid: true, compression: 'none', bigtiff: true })
        .toFile(temporary)
    } catch (fault) {
      if (/no space|ENOSPC|write error/i.test((fault as Error).message))
        throw new SmaltiError('DiskFull', { path: copy })
      const named = asSmaltiError(fault, copy)
      throw named.name === 'InternalError'
        ? new SmaltiError('UnreadableImage', { path, reason: reasonOf(fault) })
        : named
    } finally {
      clearInterval(watch)
    }
  })
}
