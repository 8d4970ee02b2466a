import { SmaltiError } from '../../../contract/errors.ts'
import { type ByteSource, openSource } from '../../reading/byteSource.ts'
import { type Georeference, georeferenceOf } from '../../georeference.ts'
import { type Location, fileAt } from '../../location.ts'
import type { BandRole } from '../../../contract/imagery.ts'
import type { Band, Raster, Size, Window } from '../../raster.ts'
import { sharedWork } from '../../reading/sharedWork.ts'
import { rolesOf } from './bands.ts'
import { type BlockCache, type ReadBands, createBlockCache, readBands } from './blocks.ts'
import { type Directory, TAG, damaged, readDirectories } from './directory.ts'
import { COMPRESSION } from './layout.ts'
import { type Level, PHOTOMETRIC, levelOf, sameKind } from './level.ts'
import { type Masks, masksBeside, metadataOf, nodataBeside, ownMasks, readMasks } from './masks.ts'
import { fillOf, markOf, parseNodata, validOf } from './missing.ts'
import { choosePages, isMask } from './pages.ts'

/** Options for opening a TIFF file. */
export interface TiffOptions {
  /** Cancels the opening. Reads take their own signal. */
  signal?: AbortSignal
  /** The page to read, counted from 1. When absent, the first page, or all pages that are channels. */
  page?: number
  /** The file that masks and world files are named after, if it isn't this one. */
  beside?: string
}

/**
 * Opens a TIFF, BigTIFF or GeoTIFF file on this computer or at an address. Only headers are read.
 * @throws UnreadableImage with a readable reason, Cancelled
 */
export async function openTiff(
  location: Location,
  options: TiffOptions = {}
): Promise<Raster & { compression: number }> {
  const { signal } = options
  const sources = [await openSource(location, signal)]
  const leave = (): void => void sources[0].close()
  signal?.addEventListener('abort', leave, { once: true })
  try {
    const raster = await rasterOf(sources, location.kind === 'file' ? location.path : undefined, options)
    if (signal?.aborted) throw new SmaltiError('Cancelled')
    return raster
  } catch (fault) {
    for (const source of sources) await source.close()
    throw signal?.aborted ? new SmaltiError('Cancelled') : fault
  } finally {
    signal?.removeEventListener('abort', leave)
  }
}

/**
 * Opens a TIFF's directories and the files next to it.
 * @param sources  the file itself; sidecar files are added when they are opened, to be closed with it
 * @param path     path of the file, if it is on this computer and may have sidecar files
 */
async function rasterOf(
  sources: ByteSource[],
  path: string | undefined,
  { page, beside = path }: TiffOptions
): Promise<Raster & { compression: number }> {
  const [source] = sources
  const pages = await choosePages(source, await readDirectories(source), page)
  const {
    directory,
    levels: [full, ...channels]
  } = pages
  const local = pages.first ? beside : undefined
  const within = (directories: readonly Directory[]): Placed[] => directories.map((entry) => [source, entry])
  const { reduced, masked } =
    channels.length === 0 && local !== undefined && path !== undefined
      ? await overviewsBeside(path, sources)
      : { reduced: [], masked: [] }
  const masks = await masksOf(full, [...within(pages.masks), ...masked], local, sources)
  const levels = [full]
  for (const [file, entry] of [...within(pages.reduced), ...reduced]) {
    const level = await levelOf(file, entry).catch(() => undefined)
    // An overview without the image's mask would reveal missing pixels.
    if (level && sameKind(level, full) && level.width < full.width && (!masks || sizedAs(masks.levels, level)))
      levels.push(level)
  }
  levels.sort((a, b) => b.width - a.width)
  const { bands, fills, allMustMatch, together } = await bandsOf(directory, pages.levels, local)
  const kept = createBlockCache()
  const placed = sharedWork<Georeference | undefined>({ most: 1 })
  const colours =
    channels.length === 0 && (await directory.number(TAG.photometric)) === PHOTOMETRIC.palette
      ? await directory.numbers(TAG.colourMap)
      : undefined
  const alpha = bands.findIndex(({ role }) => role === 'alpha')
  const gaps =
    bands.some(({ nodata }) => nodata !== undefined) ||
    alpha >= 0 ||
    masks !== undefined ||
    full.type.startsWith('float') ||
    full.compression === COMPRESSION.lerc
  return {
    width: full.width,
    height: full.height,
    bands,
    levels: levels.map(({ width, height }) => ({ width, height })),
    gaps,
    georeference: () => placed.get('', { make: () => georeferenceOf(directory, beside) }),
    palette: colours && paletteOf(colours),
    notice: pages.notice,
    compression: full.compression,
    async read(window, { level: at = 0, bands: wanted = bands.map((_, b) => b), signal } = {}) {
      const level = levels[at]
      const telling = together ? bands.map((_, b) => b) : alpha >= 0 ? [alpha] : []
      const extra = [...wanted, ...telling.filter((band) => !wanted.includes(band))]
      try {
        const { planes, valid: stored } =
          channels.length > 0
            ? await readChannels(pages.levels, kept, window, extra, fills, signal)
            : await readBands(
                level,
                kept,
                window,
                extra,
                extra.map((band) => fills[band]),
                signal
              )
        const counted = extra.flatMap((band, i) => (band === alpha ? [] : [{ band, plane: planes[i] }]))
        const evidence = {
          planes: counted.map(({ plane }) => plane),
          marks: counted.map(({ band }) => bands[band].nodata),
          allMustMatch: allMustMatch && counted.length > 1,
          alpha: alpha >= 0 ? planes[extra.indexOf(alpha)] : undefined,
          masks: masks
            ? await readMasks(
                masks,
                level,
                kept,
                window,
                counted.map(({ band }) => band),
                signal
              )
            : [],
          stored
        }
        return {
          width: window.width,
          height: window.height,
          bands: planes.slice(0, wanted.length),
          valid: gaps ? validOf(evidence, window.width * window.height) : undefined
        }
      } catch (fault) {
        if (fault instanceof SmaltiError) throw fault
        throw damaged(level.source, (fault as Error).message.split('\n')[0])
      }
    },
    close: async () => {
      await kept.close()
      for (const file of sources) await file.close()
    }
  }
}

/** A directory and its file. */
type Placed = readonly [ByteSource, Directory]

const sizedAs = (levels: readonly Size[], { width, height }: Size): boolean =>
  levels.some((level) => level.width === width && level.height === height)

/** Reads overviews and their masks from the file next to the image that GDAL and QGIS write. */
async function overviewsBeside(path: string, sources: ByteSource[]): Promise<{ reduced: Placed[]; masked: Placed[] }> {
  try {
    const source = await openSource(fileAt(`${path}.ovr`))
    sources.push(source)
    const [reduced, masked]: Placed[][] = [[], []]
    for (const directory of await readDirectories(source))
      ((await isMask(directory)) ? masked : reduced).push([source, directory])
    return { reduced, masked }
  } catch {
    // There are no overviews, or they can't be read; the image itself is enough.
    return { reduced: [], masked: [] }
  }
}

/** Finds the image's masks. Masks in a file next to it come first, as in GDAL; a mask of another size is ignored. */
async function masksOf(
  full: Level,
  inside: readonly Placed[],
  local: string | undefined,
  sources: ByteSource[]
): Promise<Masks | undefined> {
  const beside = local === undefined ? undefined : await masksBeside(local, full)
  if (beside) {
    sources.push(...beside.sources)
    return beside
  }
  const levels = await Promise.all(inside.map(([source, directory]) => levelOf(source, directory)))
  return sizedAs(levels, full) ? ownMasks(levels) : undefined
}

interface StoredBands {
  bands: Band[]
  /** Value in each band of blocks that the file omits. */
  fills: number[]
  /** Whether a pixel is missing only if all bands that are read mark it. */
  allMustMatch: boolean
  /** Whether all bands must mark it, including those that aren't read. */
  together: boolean
}

/**
 * Determines each band's role and nodata value.
 * @param local  path of the file whose sidecar may contain nodata values
 */
async function bandsOf(
  directory: Directory,
  levels: readonly Level[],
  local: string | undefined
): Promise<StoredBands> {
  const [{ samples, type }] = levels
  const metadata = await metadataOf(directory)
  const photometric = (await directory.number(TAG.photometric)) ?? PHOTOMETRIC.blackIsZero
  // No file says which channel of a microscope is which colour.
  const roles: BandRole[] =
    levels.length > 1
      ? levels.map(() => 'other')
      : rolesOf(samples, photometric, (await directory.numbers(TAG.extraSamples)) ?? [], metadata)
  if (roles.length === 1 && type.startsWith('float')) roles[0] = 'elevation'
  const one = parseNodata(await directory.text(TAG.gdalNodata))
  const beside = local === undefined ? undefined : await nodataBeside(local)
  const values = /<Item name="NODATA_VALUES"[^>]*>([^<]*)</.exec(metadata)?.[1].trim().split(/\s+/).map(parseNodata)
  const shared = values?.length === roles.length ? values : undefined
  const nodata = roles.map((_, band) => beside?.get(band) ?? one)
  return {
    bands: roles.map((role, band) => ({ type, role, nodata: markOf(shared ? shared[band] : nodata[band], type) })),
    fills: nodata.map((value) => fillOf(value, type)),
    // A dark pixel of a photograph may be 0 in one band; a measured value that is marked is missing.
    allMustMatch: shared !== undefined || type === 'uint8',
    together: shared !== undefined
  }
}

/** Reads bands that are separate pages. */
async function readChannels(
  levels: readonly Level[],
  kept: BlockCache,
  window: Window,
  bands: readonly number[],
  fills: readonly number[],
  signal?: AbortSignal
): Promise<ReadBands> {
  const read = await Promise.all(bands.map((band) => readBands(levels[band], kept, window, [0], [fills[band]], signal)))
  return {
    planes: read.flatMap(({ planes }) => planes),
    valid: read
      .map(({ valid }) => valid)
      .reduce((all, valid) => (all && valid ? all.map((known, i) => known & valid[i]) : (all ?? valid)), undefined)
  }
}

function paletteOf(colours: readonly number[]): Uint8Array[] {
  const size = colours.length / 3
  return [0, 1, 2].map((channel) =>
    Uint8Array.from({ length: 256 }, (_, i) => (i < size ? colours[channel * size + i] >> 8 : 0))
  )
}
