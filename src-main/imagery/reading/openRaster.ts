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

/** Where images that cannot be read in parts get a tiled copy, and how its making is told. */
export interface Copies {
  /** Folder of the copies; it may be deleted at any time. */
  folder: string
  onProgress?(share: number): void
}

export interface OpenOptions {
  copies?: Copies
  /** Ends the opening; reads take their own. */
  signal?: AbortSignal
  /** Of a TIFF of several, counted from 1, that a person chose. */
  page?: number
  /** Values as they are stored, whatever colour profile is embedded. */
  stored?: boolean
}

const PHOTOGRAPH = /\.(png|jpe?g|webp)$/i

/** Whether a file's name says that it is an image of a kind that is read. */
export const isImageName = (path: string): boolean => isTiff(fileAt(path)) || PHOTOGRAPH.test(path)

/** Formats that users will try, and how to bring them here. */
const REFUSED: [RegExp, string][] = [
  [
    /\.(jp2|j2k|jpx)$/i,
    'JPEG 2000 is not read; gdal_translate -co TILED=YES -co COMPRESS=DEFLATE makes a GeoTIFF of it'
  ],
  [
    /\.(ecw|sid|img|vrt|hdf|h5|nc|ntf|bil|bsq|grd|asc)$/i,
    'this raster format is not read; gdal_translate -co TILED=YES -co COMPRESS=DEFLATE makes a GeoTIFF of it'
  ],
  [
    /\.(heic|heif|avif|jxl|gif|bmp|psd|dng|cr2|nef|arw|raw)$/i,
    'this image format is not read; export it as PNG, JPEG or TIFF'
  ]
]

/** Why a file is passed over, from its name alone. */
export function refusedName(path: string): string {
  return REFUSED.find(([pattern]) => pattern.test(path))?.[1] ?? 'not an image format that Smalti reads'
}

/**
 * Opens an image of any kind, here or, for GeoTIFFs, at an address. What has no parts that could be read by
 * themselves and is too large to be held is first copied, streaming, into tiles.
 * @throws UnreadableImage with the reason in words, Cancelled
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
    throw new SmaltiError('UnreadableImage', { path, reason: 'it is too large to be read without a tiled copy' })
  return openTiff(fileAt(await tiledCopy(path, width * height, copies, signal)), { signal, beside: path })
}

/** Where an image lies, from its header alone. */
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

/** Copies that this thread is making; what has been made is found on the disk. */
const making = sharedWork<undefined>({ most: 0 })

/** Path of the tiled copy of an image, once it is made. */
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
      // Other threads, processes and machines may want the same copy.
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

/** Tiles and their halves, uncompressed, so that the file's size tells how far it is. The decoder can't be stopped: what it has begun is finished. */
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
