import { createHash } from 'node:crypto'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { SmaltiError, asSmaltiError } from '../contract/errors.ts'
import type { CatalogueImage } from '../contract/imagery.ts'
import { WHOLE_PIXELS, inspectPhotograph, openPhotograph, reasonOf } from './formats/photograph.ts'
import { openTiff } from './formats/tiff/tiff.ts'
import { type Georeference, sidecarGeoreferenceOf } from './georeference.ts'
import { type Location, fileAt, isTiff, locationOf, nameOf } from './location.ts'
import type { Raster } from './raster.ts'

/** Where images that cannot be read in parts get a tiled copy, and how its making is told. */
export interface Copies {
  /** Folder of the copies; it may be deleted at any time. */
  folder: string
  signal?: AbortSignal
  onProgress?(share: number): void
}

export interface OpenOptions {
  copies?: Copies
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
  [/\.(jp2|j2k|jpx)$/i, 'JPEG 2000 is not read; gdal_translate -co TILED=YES -co COMPRESS=DEFLATE makes a GeoTIFF of it'],
  [/\.(ecw|sid|img|vrt|hdf|h5|nc|ntf|bil|bsq|grd|asc)$/i, 'this raster format is not read; gdal_translate -co TILED=YES -co COMPRESS=DEFLATE makes a GeoTIFF of it'],
  [/\.(heic|heif|avif|jxl|gif|bmp|psd|dng|cr2|nef|arw|raw)$/i, 'this image format is not read; export it as PNG, JPEG or TIFF']
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
export async function openRaster(location: Location, { copies, page, stored = false }: OpenOptions = {}): Promise<Raster> {
  if (location.kind === 'address') return openTiff(location, { signal: copies?.signal, page })
  const { path } = location
  if (isTiff(location)) return openTiff(location, { signal: copies?.signal, page })
  const { width, height } = await inspectPhotograph(path, page)
  if (width * height <= WHOLE_PIXELS) return openPhotograph(path, stored)
  if (!copies) throw new SmaltiError('UnreadableImage', { path, reason: 'it is too large to be read without a tiled copy' })
  return openTiff(fileAt(await tiledCopy(path, width * height, copies)), { signal: copies.signal, beside: path })
}

/** Where an image lies, from its header alone. */
export async function georeferenceOfFile({ file, placed, page }: Pick<CatalogueImage, 'file' | 'placed' | 'page'>, signal?: AbortSignal): Promise<Georeference | undefined> {
  const location = locationOf(file)
  if (!isTiff(location)) return placed ? sidecarGeoreferenceOf(nameOf(location)) : undefined
  const raster = await openTiff(location, { page, signal })
  try {
    return await raster.georeference()
  } finally {
    await raster.close()
  }
}

/** Copies that are being made, by their paths: who asks meanwhile waits for the same. */
const making = new Map<string, Promise<void>>()

/** Where the tiled copy of an image lies, once it is made. */
async function tiledCopy(path: string, pixels: number, { folder, signal, onProgress }: Copies): Promise<string> {
  const { size, mtimeMs } = await stat(path)
  const name = createHash('sha256').update(`${path}\n${size}\n${mtimeMs}`).digest('hex').slice(0, 24)
  const copy = join(folder, `${name}.tif`)
  if (await stat(copy).catch(() => undefined)) return copy
  const known = making.get(copy) ?? makeCopy(path, copy, pixels, signal, onProgress).finally(() => making.delete(copy))
  making.set(copy, known)
  await known
  return copy
}

const WATCHED = 250

/** Tiles and their halves, uncompressed, so that the file's size tells how far it is. */
async function makeCopy(path: string, copy: string, pixels: number, signal?: AbortSignal, onProgress?: (share: number) => void): Promise<void> {
  const temporary = `${copy}.${process.pid}.partial`
  const { channels, type } = await inspectPhotograph(path)
  const expected = pixels * channels * (type === 'uint16' ? 2 : 1) * (4 / 3)
  const watch = setInterval(() => void stat(temporary).then(({ size }) => onProgress?.(Math.min(size / expected, 0.99)), () => undefined), WATCHED)
  try {
    await mkdir(folder(copy), { recursive: true })
    const picture = sharp(path, { limitInputPixels: false, failOn: 'truncated', sequentialRead: true }).autoOrient()
    const stop = (): void => void picture.destroy()
    signal?.addEventListener('abort', stop, { once: true })
    await picture.tiff({ tile: true, tileWidth: 256, tileHeight: 256, pyramid: true, compression: 'none', bigtiff: true }).toFile(temporary)
    signal?.removeEventListener('abort', stop)
    if (signal?.aborted) throw new SmaltiError('Cancelled')
    const handle = await open(temporary, 'r+')
    await handle.sync().finally(() => handle.close())
    await rename(temporary, copy)
  } catch (fault) {
    await rm(temporary, { force: true })
    if (fault instanceof SmaltiError) throw fault
    if (/no space|ENOSPC|write error/i.test((fault as Error).message)) throw new SmaltiError('DiskFull', { path: copy })
    const named = asSmaltiError(fault, copy)
    throw named.name === 'InternalError' ? new SmaltiError('UnreadableImage', { path, reason: reasonOf(fault) }) : named
  } finally {
    clearInterval(watch)
  }
}

const folder = (path: string): string => join(path, '..')
