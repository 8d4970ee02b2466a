import { SmaltiError } from '../../../contract/errors.ts'
import type { SampleType } from '../../../contract/imagery.ts'
import { type ByteSource, cutShort, openSource } from '../../byteSource.ts'
import { georeferenceOf } from '../../georeference.ts'
import { type Location, fileAt } from '../../location.ts'
import { MOST_BANDS, type Band, type Raster, type Samples, type Size, type Window, absurdSize, bytesOf, emptySamples, samplesOf } from '../../raster.ts'
import { rolesOf } from './bands.ts'
import { type BlockLayout, COMPRESSION, decodeBlock, decodedBytes, unreadCompression } from './decode.ts'
import { type Directory, TAG, damaged, readDirectories } from './directory.ts'

const REDUCED = 1
const MASK = 4
/** Decoded blocks that one file keeps at hand, in bytes. */
const KEPT_BYTES = 48 * 2 ** 20
/** A larger block cannot be read by windows with any profit. */
const LARGEST_BLOCK = 96 * 2 ** 20
/** Rows of an uncompressed strip are read in parts of about so many bytes. */
const PART_BYTES = 2 ** 20
/** Blocks fetched and decoded at a time. */
const AT_ONCE = 8

export const PHOTOMETRIC = { whiteIsZero: 0, blackIsZero: 1, rgb: 2, palette: 3, mask: 4, cmyk: 5, ycbcr: 6, cielab: 8 } as const

/** One stored size of an image, or of its mask, divided into blocks. */
interface Level extends Size {
  source: ByteSource
  /** Columns and rows of a block, blocks across and down. */
  block: Size
  across: number
  down: number
  tiled: boolean
  planar: boolean
  samples: number
  bits: number
  type: SampleType
  half: boolean
  compression: number
  offsets: number[]
  byteCounts: number[]
  layout(rows: number): BlockLayout
  mask?: Level
}

/**
 * Opens a TIFF, BigTIFF or GeoTIFF file, here or at an address; headers alone are read.
 * @throws UnreadableImage with the reason in words
 */
export async function openTiff(location: Location, signal?: AbortSignal): Promise<Raster & { compression: number }> {
  const source = await openSource(location, signal)
  try {
    return await rasterOf(source, location.kind === 'file' ? location.path : undefined)
  } catch (fault) {
    await source.close()
    throw fault
  }
}

/** @param path  of the file, where it is on this computer and others may lie beside it */
async function rasterOf(source: ByteSource, path: string | undefined): Promise<Raster & { compression: number }> {
  const [first, ...others] = await readDirectories(source)
  const full = await levelOf(source, first)
  const sources = [source]
  const levels = [full]
  const masks: Level[] = []
  const external = await openOverviews(path)
  if (external) sources.push(external.source)
  for (const [file, directory] of [...others.map((entry) => [source, entry] as const), ...(external?.directories.map((entry) => [external.source, entry] as const) ?? [])]) {
    const kind = (await directory.number(TAG.subfileType)) ?? 0
    const level = await levelOf(file, directory).catch(() => undefined)
    if (!level) continue
    if (kind & MASK) masks.push(level)
    else if ((kind & REDUCED || file !== source) && level.samples === full.samples && level.type === full.type && level.width < full.width) levels.push(level)
  }
  levels.sort((a, b) => b.width - a.width)
  for (const level of levels) level.mask = masks.find(({ width, height }) => width === level.width && height === level.height)
  const photometric = (await first.number(TAG.photometric)) ?? PHOTOMETRIC.blackIsZero
  const nodata = parseNodata(await first.text(TAG.gdalNodata), full.type)
  const roles = rolesOf(full.samples, photometric, (await first.numbers(TAG.extraSamples)) ?? [], await first.text(TAG.gdalMetadata))
  if (roles.length === 1 && full.type.startsWith('float')) roles[0] = 'elevation'
  const bands: Band[] = roles.map((role) => ({ type: full.type, role, nodata }))
  const kept = createBlockCache()
  const georeference = await georeferenceOf(first, path)
  const colours = photometric === PHOTOMETRIC.palette ? await first.numbers(TAG.colourMap) : undefined
  const alpha = roles.indexOf('alpha')
  const gaps = nodata !== undefined || alpha >= 0 || levels.some(({ mask }) => mask) || full.type.startsWith('float')
  return {
    width: full.width,
    height: full.height,
    bands,
    levels: levels.map(({ width, height }) => ({ width, height })),
    gaps,
    georeference,
    palette: colours && paletteOf(colours),
    compression: full.compression,
    async read(window, { level = 0, bands: wanted = bands.map((_, b) => b), signal } = {}) {
      const from = levels[level]
      const extra = alpha >= 0 && !wanted.includes(alpha) ? [...wanted, alpha] : wanted
      try {
        const planes = await readBands(from, kept, window, extra, signal)
        const mask = from.mask && (await readBands(from.mask, kept, window, [0], signal))[0]
        const valid = gaps ? validOf(planes, extra, window, { nodata, alpha, mask }) : undefined
        return { width: window.width, height: window.height, bands: planes.slice(0, wanted.length), valid }
      } catch (fault) {
        if (fault instanceof SmaltiError) throw fault
        throw damaged(from.source, (fault as Error).message.split('\n')[0])
      }
    },
    close: async () => {
      for (const file of sources) await file.close()
    }
  }
}

/** Overviews kept in a file beside the image, as GDAL and QGIS write them. */
async function openOverviews(path: string | undefined): Promise<{ source: ByteSource; directories: Directory[] } | undefined> {
  if (path === undefined) return undefined
  try {
    const source = await openSource(fileAt(`${path}.ovr`))
    return { source, directories: await readDirectories(source) }
  } catch {
    // There are none, or none that can be read: the image itself is enough.
    return undefined
  }
}

function parseNodata(text: string | undefined, type: SampleType): number | undefined {
  if (text === undefined || text.trim() === '') return undefined
  const value = /^-?nan/i.test(text.trim()) ? NaN : Number(text.trim().replace(/^([+-]?)inf(inity)?$/i, '$1Infinity'))
  if (Number.isNaN(value)) return type.startsWith('float') ? NaN : undefined
  if (type === 'float32') return Math.fround(value)
  return value
}

function paletteOf(colours: readonly number[]): Uint8Array[] {
  const size = colours.length / 3
  return [0, 1, 2].map((channel) => Uint8Array.from({ length: 256 }, (_, i) => (i < size ? colours[channel * size + i] >> 8 : 0)))
}

/** 1 where all that is known lets a pixel count. */
function validOf(planes: readonly Samples[], bands: readonly number[], { width, height }: Size, { nodata, alpha, mask }: { nodata?: number; alpha: number; mask?: Samples }): Uint8Array | undefined {
  const pixels = width * height
  const colours = planes.filter((_, i) => bands[i] !== alpha)
  const opacity = alpha >= 0 ? planes[bands.indexOf(alpha)] : undefined
  const valid = new Uint8Array(pixels).fill(1)
  // A dark pixel of a photograph may be 0 in one band; a measured value that is marked is missing.
  const allMustMatch = colours.length > 1 && planes[0] instanceof Uint8Array
  if (nodata !== undefined && !Number.isNaN(nodata)) {
    for (let i = 0; i < pixels; i++) {
      let marked = 0
      for (const plane of colours) if (plane[i] === nodata) marked++
      if (allMustMatch ? marked === colours.length && marked > 0 : marked > 0) valid[i] = 0
    }
  }
  for (const plane of colours) {
    if (!(plane instanceof Float32Array) && !(plane instanceof Float64Array)) continue
    for (let i = 0; i < pixels; i++) if (!Number.isFinite(plane[i])) valid[i] = 0
  }
  if (opacity) for (let i = 0; i < pixels; i++) if (opacity[i] === 0) valid[i] = 0
  if (mask) for (let i = 0; i < pixels; i++) if (mask[i] === 0) valid[i] = 0
  return valid.includes(0) ? valid : undefined
}

async function levelOf(source: ByteSource, directory: Directory): Promise<Level> {
  const refused = (reason: string): SmaltiError => new SmaltiError('UnreadableImage', { path: source.name, reason })
  const [width, height] = [(await directory.number(TAG.width)) ?? 0, (await directory.number(TAG.height)) ?? 0]
  const absurd = absurdSize({ width, height })
  if (absurd) throw refused(absurd)
  const samples = (await directory.number(TAG.samplesPerPixel)) ?? 1
  if (samples < 1 || samples > MOST_BANDS) throw refused(`it claims ${samples} bands; up to ${MOST_BANDS} are read`)
  const compression = (await directory.number(TAG.compression)) ?? COMPRESSION.none
  const unread = unreadCompression(compression)
  if (unread) throw refused(unread)
  const photometric = (await directory.number(TAG.photometric)) ?? PHOTOMETRIC.blackIsZero
  const compressedColours = compression === COMPRESSION.jpeg || compression === COMPRESSION.webp
  if (photometric === PHOTOMETRIC.ycbcr && !compressedColours) throw refused('its YCbCr colours are stored without JPEG, which is not read; gdal_translate makes a copy in RGB')
  if (photometric === PHOTOMETRIC.cielab) throw refused('its colours are CIE L*a*b*, which is not read; convert it to RGB')
  const bitsOfEach = (await directory.numbers(TAG.bitsPerSample)) ?? [1]
  const bits = bitsOfEach[0]
  if (bitsOfEach.some((value) => value !== bits)) throw refused('its bands have different numbers of bits')
  const format = (await directory.number(TAG.sampleFormat)) ?? 1
  const type = typeOf(bits, format)
  if (!type) throw refused(format >= 5 ? 'its values are complex numbers' : `${bits}-bit samples of format ${format} are not read`)
  const planar = (await directory.number(TAG.planar)) === 2 && samples > 1
  const tiled = directory.field(TAG.tileOffsets) !== undefined || directory.field(TAG.tileWidth) !== undefined
  const offsets = (await directory.numbers(tiled ? TAG.tileOffsets : TAG.stripOffsets)) ?? (await directory.numbers(TAG.stripOffsets)) ?? []
  const byteCounts = (await directory.numbers(tiled ? TAG.tileByteCounts : TAG.stripByteCounts)) ?? (await directory.numbers(TAG.stripByteCounts)) ?? []
  const declared = (await directory.number(TAG.rowsPerStrip)) ?? height
  let block: Size = tiled
    ? { width: (await directory.number(TAG.tileWidth)) ?? 0, height: (await directory.number(TAG.tileHeight)) ?? 0 }
    : { width, height: Math.min(Math.max(declared, 1), height) }
  if (block.width < 1 || block.height < 1) throw damaged(source, `its tiles measure ${block.width} × ${block.height}`)
  const inBlock = planar ? 1 : samples
  const layout = {
    samples: inBlock,
    bits,
    compression,
    predictor: (await directory.number(TAG.predictor)) ?? 1,
    littleEndian: directory.littleEndian,
    photometric,
    jpegTables: await directory.bytes(TAG.jpegTables),
    subsampling: await directory.numbers(TAG.subsampling),
    lercParameters: await directory.numbers(TAG.lerc),
    width: block.width
  }
  const [across, planes] = [Math.ceil(width / block.width), planar ? samples : 1]
  let down = Math.ceil(height / block.height)
  let [starts, lengths] = [offsets, byteCounts]
  if (byteCounts.length === 0 && offsets.length === 1 && compression === COMPRESSION.none) lengths = [decodedBytes({ ...layout, height: block.height })]
  if (starts.length < across * down * planes || lengths.length < across * down * planes) throw damaged(source, `it lists ${offsets.length} blocks of ${across * down * planes}`)
  const end = starts.reduce((furthest, offset, i) => Math.max(furthest, lengths[i] ? offset + lengths[i] : 0), 0)
  if (end > source.size) throw cutShort(source.name)
  const rowBytes = decodedBytes({ ...layout, height: 1 })
  if (compression === COMPRESSION.none && !tiled && rowBytes * block.height > PART_BYTES) {
    // Rows of an uncompressed strip can be read by themselves.
    const rows = Math.max(1, Math.floor(PART_BYTES / rowBytes))
    const partsOf = (strip: number): { start: number; rows: number }[] => {
      const held = Math.min(block.height, height - (strip % down) * block.height)
      return Array.from({ length: Math.ceil(held / rows) }, (_, p) => ({ start: p * rows, rows: Math.min(rows, held - p * rows) }))
    }
    // Blocks must all have the same height, so a strip is divided only where it is the only one of its plane.
    if (down === 1) {
      starts = offsets.flatMap((offset, strip) => partsOf(strip).map(({ start }) => offset + start * rowBytes))
      lengths = offsets.flatMap((_, strip) => partsOf(strip).map((part) => part.rows * rowBytes))
      block = { width, height: rows }
      down = Math.ceil(height / rows)
    }
  }
  if (decodedBytes({ ...layout, height: block.height }) > LARGEST_BLOCK) throw refused(blockTooLarge(block))
  return {
    source, width, height, block, across, down, tiled, planar, samples, bits, type, half: format === 3 && bits === 16, compression,
    offsets: starts,
    byteCounts: lengths,
    layout: (rows) => ({ ...layout, height: rows })
  }
}

const blockTooLarge = ({ width, height }: Size): string =>
  `it is stored in blocks of ${width} × ${height} pixels, too large to read in parts; gdal_translate -co TILED=YES makes a copy that is not`

function typeOf(bits: number, format: number): SampleType | undefined {
  if (format === 3) return bits === 16 || bits === 32 ? 'float32' : bits === 64 ? 'float64' : undefined
  if (format === 2) return bits === 8 ? 'int8' : bits === 16 ? 'int16' : bits === 32 ? 'int32' : undefined
  if (format !== 1 && format !== 4) return undefined
  if (bits === 1 || bits === 2 || bits === 4 || bits === 8) return 'uint8'
  return bits === 16 ? 'uint16' : bits === 32 ? 'uint32' : undefined
}

interface BlockCache {
  get(level: Level, index: number, rows: number, signal?: AbortSignal): Promise<Samples | undefined>
}

/** The blocks decoded last; what is asked for twice at a time is decoded once. */
function createBlockCache(): BlockCache {
  const kept = new Map<string, { samples: Promise<Samples | undefined>; bytes: number }>()
  const names = new Map<Level, number>()
  let total = 0
  return {
    get(level, index, rows, signal) {
      if (!names.has(level)) names.set(level, names.size)
      const key = `${names.get(level)}/${index}`
      const known = kept.get(key)
      if (known) {
        kept.delete(key)
        kept.set(key, known)
        return known.samples
      }
      if (level.byteCounts[index] === 0 || level.offsets[index] === 0) return Promise.resolve(undefined)
      const samples = readBlock(level, index, rows, signal)
      const bytes = level.block.width * rows * (level.planar ? 1 : level.samples) * bytesOf(level.type)
      kept.set(key, { samples, bytes })
      total += bytes
      samples.catch(() => {
        if (kept.delete(key)) total -= bytes
      })
      for (const [oldest, entry] of kept) {
        if (total <= KEPT_BYTES || oldest === key) break
        kept.delete(oldest)
        total -= entry.bytes
      }
      return samples
    }
  }
}

async function readBlock(level: Level, index: number, rows: number, signal?: AbortSignal): Promise<Samples> {
  const layout = level.layout(rows)
  const most = 4 * decodedBytes(layout) + 2 ** 16
  if (level.byteCounts[index] > most) throw new Error(`a block claims ${level.byteCounts[index]} bytes`)
  const bytes = await level.source.read(level.offsets[index], level.byteCounts[index], signal)
  const decoded = await decodeBlock(bytes, layout)
  if (level.bits < 8) return unpacked(decoded, layout)
  return level.half ? halfFloats(decoded) : samplesOf(level.type, decoded)
}

/** Samples of 1, 2 or 4 bits, a byte each. */
function unpacked(packed: Uint8Array, { width, height, samples, bits }: BlockLayout): Uint8Array {
  const row = width * samples
  const rowBytes = Math.ceil((row * bits) / 8)
  const most = 2 ** bits - 1
  const result = new Uint8Array(row * height)
  for (let r = 0; r < height; r++) {
    for (let i = 0; i < row; i++) {
      const bit = i * bits
      result[r * row + i] = (packed[r * rowBytes + (bit >> 3)] >> (8 - bits - (bit & 7))) & most
    }
  }
  return result
}

function halfFloats(bytes: Uint8Array): Float32Array {
  const halves = samplesOf('uint16', bytes)
  return Float32Array.from(halves, (half) => {
    const [sign, exponent, fraction] = [half & 0x8000 ? -1 : 1, (half >> 10) & 31, half & 1023]
    if (exponent === 0) return sign * fraction * 2 ** -24
    if (exponent === 31) return fraction ? NaN : sign * Infinity
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  })
}

/** Bands of a window of a level. Blocks that the file leaves out are zero, as in GDAL, or what marks missing data. */
async function readBands(level: Level, kept: BlockCache, window: Window, bands: readonly number[], signal?: AbortSignal): Promise<Samples[]> {
  const planes = bands.map(() => emptySamples(level.type, window.width * window.height))
  const { block, across, down } = level
  const [right, bottom] = [window.left + window.width, window.top + window.height]
  const places: { column: number; row: number; plane: number }[] = []
  for (const plane of level.planar ? new Set(bands) : [0]) {
    for (let row = Math.floor(window.top / block.height); row * block.height < bottom && row < down; row++) {
      for (let column = Math.floor(window.left / block.width); column * block.width < right && column < across; column++) places.push({ column, row, plane })
    }
  }
  const take = async ({ column, row, plane }: (typeof places)[number]): Promise<void> => {
    if (signal?.aborted) throw new SmaltiError('Cancelled')
    const found = await kept.get(level, (plane * down + row) * across + column, blockRows(level, row), signal)
    if (!found) return
    const [left, top] = [column * block.width, row * block.height]
    const [x0, x1] = [Math.max(left, window.left), Math.min(left + block.width, right, level.width)]
    const [y0, y1] = [Math.max(top, window.top), Math.min(top + block.height, bottom, level.height)]
    const step = level.planar ? 1 : level.samples
    for (const [i, band] of bands.entries()) {
      if (level.planar && band !== plane) continue
      copyRows(found, planes[i], { x0, x1, y0, y1, left, top, window, blockWidth: block.width, step, at: level.planar ? 0 : band })
    }
  }
  for (let from = 0; from < places.length; from += AT_ONCE) await Promise.all(places.slice(from, from + AT_ONCE).map(take))
  return planes
}

/** Tiles are stored whole; the last strip holds only the rows that are left. */
function blockRows({ block, height, tiled }: Level, row: number): number {
  return tiled ? block.height : Math.min(block.height, height - row * block.height)
}

interface Copy {
  x0: number
  x1: number
  y0: number
  y1: number
  left: number
  top: number
  window: Window
  blockWidth: number
  step: number
  at: number
}

function copyRows(from: Samples, to: Samples, { x0, x1, y0, y1, left, top, window, blockWidth, step, at }: Copy): void {
  for (let y = y0; y < y1; y++) {
    let source = ((y - top) * blockWidth + x0 - left) * step + at
    let target = (y - window.top) * window.width + x0 - window.left
    if (step === 1) {
      to.set(from.subarray(source, source + x1 - x0) as never, target)
      continue
    }
    for (let x = x0; x < x1; x++, source += step) to[target++] = from[source]
  }
}
