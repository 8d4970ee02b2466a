import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { rgbOf } from '../classes/palette.ts'
import { NO_LABEL } from '../contract/labels.ts'
import type { GeoTag } from '../imagery/georeference.ts'
import type { Size } from '../imagery/raster.ts'

/** Side of the tiles of a large raster. */
const TILE = 512
const TILE_MULTIPLE = 16

const deflated = promisify(deflate)

/** The position of a tile's bytes in a file. */
export interface Placed {
  offset: number
  bytes: number
}

/** The size of a raster and how it is divided into tiles. */
export interface TileGrid extends Size {
  /** Side of a tile. */
  tile: number
  /** Number of planes of values, each with its own tiles; 1 when absent. */
  bands?: number
}

/** Metadata of a raster. */
export interface RasterNotes {
  tags: readonly GeoTag[]
  /** Colours `#rrggbb` of the values from 0; shades of grey when absent. */
  colours?: readonly string[]
  /** The value for pixels without data. */
  nodata?: number
  /** Names of the bands. */
  names?: readonly string[]
  /** The worth of one step of the stored values, if they are measurements. */
  step?: number
}

export const tilesAlong = (length: number, tile: number): number => Math.ceil(length / tile)

/** Returns the side of an image's tiles. Small images have smaller tiles, which would otherwise be mostly padding. */
export function tileSide({ width, height }: Size): number {
  return Math.min(TILE, Math.ceil(Math.max(width, height) / TILE_MULTIPLE) * TILE_MULTIPLE)
}

/** Returns the sizes of a raster and its overviews, each half of the one before, down to a single tile. */
export function pyramidOf({ width, height, tile }: TileGrid): Size[] {
  const sizes = [{ width, height }]
  for (let last = sizes[0]; Math.max(last.width, last.height) > tile;) {
    last = { width: Math.ceil(last.width / 2), height: Math.ceil(last.height / 2) }
    sizes.push(last)
  }
  return sizes
}

/** Encodes a tile of 8-bit values for storage: horizontal differences, deflated. */
export function packTile(values: Uint8Array, side: number): Promise<Buffer> {
  const differences = Uint8Array.from(values)
  for (let row = 0; row < values.length; row += side) {
    for (let i = row + side - 1; i > row; i--) differences[i] = values[i] - values[i - 1]
  }
  return deflated(differences, { level: 6 })
}

/** A file with more bytes needs 64-bit offsets. */
const MOST_CLASSIC = 4e9

/** Whether a raster could exceed 32-bit offsets if its tiles don't compress at all. */
export function needsBigTiff({ width, height, tile, bands = 1 }: TileGrid): boolean {
  return tilesAlong(width, tile) * tilesAlong(height, tile) * tile * tile * bands * 1.4 > MOST_CLASSIC
}

/** Field types of TIFF 6.0 and BigTIFF. */
export const TYPE = { ascii: 2, short: 3, long: 4, double: 12, long8: 16 } as const
const BYTES: Record<number, number> = {
  1: 1,
  2: 1,
  3: 2,
  4: 4,
  5: 8,
  6: 1,
  7: 1,
  8: 2,
  9: 4,
  10: 8,
  11: 4,
  12: 8,
  16: 8
}

export type Field = [tag: number, type: number, values: readonly number[] | string]

function fieldsOf(
  level: number,
  size: Size,
  { tile, bands = 1 }: TileGrid,
  tiles: readonly Placed[],
  { tags, colours, nodata, names, step }: RasterNotes,
  big: boolean
): Field[] {
  const place = big ? TYPE.long8 : TYPE.long
  const fields: Field[] = [
    [254, TYPE.long, [level > 0 ? 1 : 0]],
    [256, TYPE.long, [size.width]],
    [257, TYPE.long, [size.height]],
    [258, TYPE.short, Array<number>(bands).fill(8)],
    [259, TYPE.short, [8]],
    [262, TYPE.short, [colours ? 3 : 1]],
    [277, TYPE.short, [bands]],
    [284, TYPE.short, [bands > 1 ? 2 : 1]],
    [317, TYPE.short, [2]],
    [322, TYPE.long, [tile]],
    [323, TYPE.long, [tile]],
    [324, place, tiles.map(({ offset }) => offset)],
    [325, TYPE.long, tiles.map(({ bytes }) => bytes)]
  ]
  if (colours) {
    const table = colours.map(rgbOf)
    fields.push([
      320,
      TYPE.short,
      [0, 1, 2].flatMap((channel) => Array.from({ length: 256 }, (_, i) => (table[i]?.[channel] ?? 0) * 257))
    ])
  }
  // The extra bands are neither colours nor transparency.
  if (bands > 1) fields.push([338, TYPE.short, Array<number>(bands - 1).fill(0)])
  if (level === 0) for (const { tag, type, values } of tags) fields.push([tag, type, values])
  if (level === 0 && (names || step !== undefined)) fields.push([42112, TYPE.ascii, gdalMetadata(bands, names, step)])
  if (nodata !== undefined) fields.push([42113, TYPE.ascii, String(nodata)])
  return fields.sort(([a], [b]) => a - b)
}

/** Returns band names and the worth of a stored step as metadata for GDAL and QGIS. */
function gdalMetadata(bands: number, names: readonly string[] = [], step?: number): string {
  const items = Array.from({ length: bands }, (_, band) => {
    const name =
      names[band] === undefined
        ? ''
        : `<Item name="DESCRIPTION" sample="${band}" role="description">${escapedXml(names[band])}</Item>`
    return step === undefined
      ? name
      : `${name}<Item name="SCALE" sample="${band}" role="scale">${step}</Item><Item name="OFFSET" sample="${band}" role="offset">0</Item>`
  })
  return `<GDALMetadata>${items.join('')}</GDALMetadata>`
}

/** Escapes text for XML, including line ends. Characters that XML can't represent are replaced. */
export function escapedXml(text: string): string {
  return text
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd')
    .replace(/[&<>"'\r\n\t]/g, (character) => `&#${character.charCodeAt(0)};`)
}

export const headerBytes = (big: boolean): number => (big ? 16 : 8)

/** Encodes the header of a file with the position of its first directory, 0 if there is none yet. */
export function encodeHeader(big: boolean, directory: number): Buffer {
  const header = Buffer.alloc(headerBytes(big))
  header.write('II')
  header.writeUInt16LE(big ? 43 : 42, 2)
  if (big) {
    header.writeUInt16LE(8, 4)
    header.writeBigUInt64LE(BigInt(directory), 8)
  } else {
    header.writeUInt32LE(directory, 4)
  }
  return header
}

/**
 * Encodes the directories of a raster and its overviews, each followed by its values, for position `start`. Their
 * length doesn't depend on the positions of the tiles.
 */
export function encodeDirectories(
  start: number,
  grid: TileGrid,
  tiles: readonly (readonly Placed[])[],
  notes: RasterNotes
): Buffer {
  const parts: Buffer[] = []
  const [sizes, big] = [pyramidOf(grid), needsBigTiff(grid)]
  let at = start
  sizes.forEach((size, level) => {
    const part = encodeDirectory(
      at,
      fieldsOf(level, size, grid, tiles[level], notes, big),
      level < sizes.length - 1,
      big
    )
    parts.push(part)
    at += part.length
  })
  return Buffer.concat(parts)
}

/** Encodes one directory for position `start`, its tags in ascending order, followed by its values. */
export function encodeDirectory(start: number, fields: readonly Field[], followed: boolean, big: boolean): Buffer {
  const [count, entry, pointer] = big ? [8, 20, 8] : [2, 12, 4]
  const tableBytes = count + fields.length * entry + pointer
  const bodies = fields.map(([, type, values]) => encodeValues(type, values))
  const lengths = bodies.map((body) => (body.length > pointer ? body.length + (body.length % 2) : 0))
  const total = tableBytes + lengths.reduce((a, b) => a + b, 0)
  const buffer = Buffer.alloc(total)
  const writePlace = (value: number, at: number): void => {
    if (big) buffer.writeBigUInt64LE(BigInt(value), at)
    else buffer.writeUInt32LE(value, at)
  }
  if (big) buffer.writeBigUInt64LE(BigInt(fields.length), 0)
  else buffer.writeUInt16LE(fields.length, 0)
  let spare = tableBytes
  fields.forEach(([tag, type], i) => {
    const at = count + i * entry
    buffer.writeUInt16LE(tag, at)
    buffer.writeUInt16LE(type, at + 2)
    writePlace(bodies[i].length / BYTES[type], at + 4)
    if (bodies[i].length <= pointer) {
      bodies[i].copy(buffer, at + 4 + pointer)
    } else {
      writePlace(start + spare, at + 4 + pointer)
      bodies[i].copy(buffer, spare)
      spare += lengths[i]
    }
  })
  writePlace(followed ? start + total : 0, tableBytes - pointer)
  return buffer
}

function encodeValues(type: number, values: readonly number[] | string): Buffer {
  if (typeof values === 'string') return Buffer.from(`${values}\0`)
  const buffer = Buffer.alloc(values.length * BYTES[type])
  values.forEach((value, i) => {
    const at = i * BYTES[type]
    if (type === TYPE.short) buffer.writeUInt16LE(value, at)
    else if (type === TYPE.long) buffer.writeUInt32LE(value, at)
    else if (type === TYPE.double) buffer.writeDoubleLE(value, at)
    else if (type === TYPE.long8) buffer.writeBigUInt64LE(BigInt(value), at)
    else if (type === 11) buffer.writeFloatLE(value, at)
    else if (type === 8) buffer.writeInt16LE(value, at)
    else if (type === 9) buffer.writeInt32LE(value, at)
    else buffer.writeUInt8(value & 255, at)
  })
  return buffer
}

/** Combines four values that form a square; values without data, 255, don't count. */
type OfFour = (...four: [number, number, number, number]) => number

/**
 * Halves a tile by combining each 2×2 values with `ofFour` (four equal values stay the same), and writes the result
 * into a quarter of the parent's tile.
 */
export function halve(
  values: Uint8Array,
  side: number,
  into: Uint8Array,
  quarter: { column: number; row: number },
  ofFour: OfFour
): void {
  const half = side / 2
  for (let r = 0; r < half; r++) {
    let from = 2 * r * side
    let to = (quarter.row * half + r) * side + quarter.column * half
    for (let c = 0; c < half; c++, from += 2, to++) {
      const [a, b, d, e] = [values[from], values[from + 1], values[from + side], values[from + side + 1]]
      into[to] = a === b && d === e && a === d ? a : ofFour(a, b, d, e)
    }
  }
}

/** Returns the most frequent value; in a tie, the first in reading order. */
export function mostFrequent(...four: [number, number, number, number]): number {
  let [best, most] = [NO_LABEL, 0]
  for (let i = 0; i < 4; i++) {
    if (four[i] === NO_LABEL) continue
    let count = 0
    for (let k = 0; k < 4; k++) if (four[k] === four[i]) count++
    if (count > most) [best, most] = [four[i], count]
  }
  return best
}

export function meanOf(...four: [number, number, number, number]): number {
  let [sum, count] = [0, 0]
  for (const value of four) {
    if (value === NO_LABEL) continue
    sum += value
    count++
  }
  return count > 0 ? Math.round(sum / count) : NO_LABEL
}
