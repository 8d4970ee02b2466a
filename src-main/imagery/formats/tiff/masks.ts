import { readFile, stat } from 'node:fs/promises'
import { SmaltiError } from '../../../contract/errors.ts'
import { type ByteSource, openSource } from '../../reading/byteSource.ts'
import { fileAt } from '../../location.ts'
import type { Samples, Size, Window } from '../../raster.ts'
import { type BlockCache, readBands } from './blocks.ts'
import { type Directory, TAG, readDirectories } from './directory.ts'
import { type Level, levelOf } from './level.ts'
import { parseNodata } from './missing.ts'

/** Masks of an image, in which 0 hides a pixel. */
export interface Masks {
  /** The mask at each of its sizes. */
  levels: Level[]
  /** Returns the mask's band for a band of the image, both counted from 0; undefined if that band has no mask. */
  bandOf(band: number): number | undefined
}

/** Returns the masks that a TIFF stores in its own directories: one for all bands, or one for each. */
export const ownMasks = (levels: Level[]): Masks => ({
  levels,
  bandOf: (band) => (levels[0].samples > band ? band : 0)
})

/** GDAL's flag for a mask that all bands share. */
const PER_DATASET = 2

/**
 * Opens the masks that GDAL wrote to a file next to a local image (`x.tif.msk`); undefined if there are none. As in
 * GDAL, a file of that name that doesn't say which bands it masks is ignored.
 * @throws UnreadableImage when the mask file can't be read or has another size
 */
export async function masksBeside(
  path: string,
  { width, height }: Size
): Promise<(Masks & { sources: ByteSource[] }) | undefined> {
  const file = await firstFile([`${path}.msk`, `${path}.MSK`])
  if (file === undefined || !(await beginsAsTiff(file))) return undefined
  const sources: ByteSource[] = []
  const open = async (name: string): Promise<{ source: ByteSource; directories: Directory[] }> => {
    const source = await openSource(fileAt(name))
    sources.push(source)
    return { source, directories: await readDirectories(source) }
  }
  try {
    const { source, directories } = await open(file)
    const flags = new Map<number, number>()
    for (const [, band, text] of (await metadataOf(directories[0])).matchAll(
      /name="INTERNAL_MASK_FLAGS_(\d+)"[^>]*>\s*(\d+)/g
    ))
      flags.set(Number(band) - 1, Number(text))
    const levels = [await levelOf(source, directories[0])]
    if (flags.size === 0) return await closed(sources)
    if (levels[0].width !== width || levels[0].height !== height)
      throw new Error(`it is ${levels[0].width} × ${levels[0].height} pixels; its image is ${width} × ${height}`)
    for (const directory of directories.slice(1)) levels.push(await levelOf(source, directory))
    if (await firstFile([`${file}.ovr`])) {
      const reduced = await open(`${file}.ovr`)
      for (const directory of reduced.directories) levels.push(await levelOf(reduced.source, directory))
    }
    const bandOf = (band: number): number | undefined => {
      const flag = flags.get(band)
      return flag === undefined ? undefined : flag & PER_DATASET ? 0 : band < levels[0].samples ? band : undefined
    }
    return { levels, bandOf, sources }
  } catch (fault) {
    await closed(sources)
    const reason =
      fault instanceof SmaltiError && fault.name === 'UnreadableImage'
        ? String(fault.details.reason)
        : (fault as Error).message
    throw new SmaltiError('UnreadableImage', { path, reason: `its mask file ${file} can't be used: ${reason}` })
  }
}

async function closed(sources: readonly ByteSource[]): Promise<undefined> {
  for (const source of sources) await source.close()
}

/** Returns a directory's GDAL metadata. */
export const metadataOf = async (directory: Directory): Promise<string> =>
  (await directory.text(TAG.gdalMetadata)) ?? ''

/** Reads the masks of some bands in a window, each mask once. Returns none if this size has no mask. */
export async function readMasks(
  { levels, bandOf }: Masks,
  size: Size,
  kept: BlockCache,
  window: Window,
  bands: readonly number[],
  signal?: AbortSignal
): Promise<Samples[]> {
  const level = levels.find(({ width, height }) => width === size.width && height === size.height)
  const wanted = [...new Set(bands.map(bandOf))].filter((band) => band !== undefined)
  if (!level || wanted.length === 0) return []
  return (
    await readBands(
      level,
      kept,
      window,
      wanted,
      wanted.map(() => 0),
      signal
    )
  ).planes
}

/** A longer sidecar file isn't GDAL's. */
const LONGEST_SIDECAR = 16 * 2 ** 20

/**
 * Reads nodata values by band, counted from 0, from the file that GDAL keeps next to a local image (`x.tif.aux.xml`).
 * They take precedence over the image's own.
 */
export async function nodataBeside(path: string): Promise<Map<number, number>> {
  const found = new Map<number, number>()
  const file = await firstFile([`${path}.aux.xml`])
  if (file === undefined || (await stat(file)).size > LONGEST_SIDECAR) return found
  for (const [, band, content] of (await readFile(file, 'utf8')).matchAll(
    /<PAMRasterBand\b[^>]*\bband="(\d+)"[^>]*>([\s\S]*?)<\/PAMRasterBand>/g
  )) {
    const [, attributes, text] = /<NoDataValue\b([^>]*)>([^<]*)<\/NoDataValue>/.exec(content) ?? []
    if (text === undefined) continue
    // The exact bytes of the number, in case its text was rounded.
    const exact = /\ble_hex_equiv="([0-9a-f]{16})"/i.exec(attributes)?.[1]
    const value = exact ? Buffer.from(exact, 'hex').readDoubleLE(0) : parseNodata(text)
    if (value !== undefined) found.set(Number(band) - 1, value)
  }
  return found
}

async function firstFile(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if ((await stat(path).catch(() => undefined))?.isFile()) return path
  return undefined
}

async function beginsAsTiff(path: string): Promise<boolean> {
  const source = await openSource(fileAt(path))
  try {
    return (
      source.size >= 8 && ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].includes((await source.read(0, 4)).toString('latin1'))
    )
  } finally {
    await source.close()
  }
}
