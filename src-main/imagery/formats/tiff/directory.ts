import type { ByteSource } from '../../reading/byteSource.ts'
import { cutShort } from '../../reading/byteSource.ts'
import { SmaltiError } from '../../../contract/errors.ts'
import { sharedWork } from '../../reading/sharedWork.ts'

/** Numbers of the tags used here (TIFF 6.0, its supplements, GeoTIFF 1.1). */
export const TAG = {
  subfileType: 254,
  oldSubfileType: 255,
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  description: 270,
  stripOffsets: 273,
  samplesPerPixel: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  planar: 284,
  predictor: 317,
  colourMap: 320,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  extraSamples: 338,
  sampleFormat: 339,
  jpegTables: 347,
  subsampling: 530,
  pixelScale: 33550,
  tiePoints: 33922,
  transformation: 34264,
  geoKeys: 34735,
  geoDoubles: 34736,
  geoTexts: 34737,
  gdalMetadata: 42112,
  gdalNodata: 42113,
  rpc: 50844,
  lerc: 50674
} as const

/** Bytes per value of each field type; 0 for types that don't exist. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8]
const ASCII = 2

/** A longer directory isn't valid. */
const MOST_ENTRIES = 4096
/** Time series have thousands of pages. */
const MOST_DIRECTORIES = 65_536
/** Longest field that is read, in bytes; the block tables of a million tiles fit. */
const LONGEST_FIELD = 64 * 2 ** 20

export interface Field {
  tag: number
  type: number
  count: number
  /** Where the values are in the file. */
  offset: number
}

/** One image of a TIFF file. Values of fields are read when they are requested. */
export class Directory {
  readonly #source: ByteSource
  readonly littleEndian: boolean
  readonly #fields: Map<number, Field>
  readonly #values = sharedWork<number[]>({ most: Infinity })

  constructor(source: ByteSource, littleEndian: boolean, fields: Map<number, Field>) {
    this.#source = source
    this.littleEndian = littleEndian
    this.#fields = fields
  }

  field(tag: number): Field | undefined {
    return this.#fields.get(tag)
  }

  /**
   * Returns the bytes of a field as they are in the file.
   * @throws UnreadableImage when it is absurdly long or truncated
   */
  async bytes(tag: number): Promise<Buffer | undefined> {
    const field = this.#fields.get(tag)
    if (!field) return undefined
    const length = field.count * TYPE_BYTES[field.type]
    if (length > LONGEST_FIELD) throw damaged(this.#source, `its tag ${tag} claims to have ${length} bytes`)
    return this.#source.read(field.offset, length)
  }

  async numbers(tag: number): Promise<number[] | undefined> {
    const field = this.#fields.get(tag)
    return (
      field &&
      this.#values.get(String(tag), { make: async () => valuesOf(field, (await this.bytes(tag))!, this.littleEndian) })
    )
  }

  async number(tag: number): Promise<number | undefined> {
    return (await this.numbers(tag))?.[0]
  }

  async text(tag: number): Promise<string | undefined> {
    const bytes = await this.bytes(tag)
    return bytes && this.#fields.get(tag)!.type === ASCII ? bytes.toString('utf8').replace(/\0+$/, '') : undefined
  }
}

export function damaged(source: ByteSource, what: string): SmaltiError {
  return new SmaltiError('UnreadableImage', { path: source.name, reason: `the file is damaged: ${what}` })
}

/** Reads the directories of all images in a TIFF or BigTIFF file. @throws UnreadableImage */
export async function readDirectories(source: ByteSource): Promise<Directory[]> {
  if (source.size < 8) throw cutShort(source.name)
  const head = await source.read(0, Math.min(16, source.size))
  const order = head.toString('latin1', 0, 2)
  if (order !== 'II' && order !== 'MM') throw damaged(source, 'it has no TIFF header')
  const little = order === 'II'
  const version = little ? head.readUInt16LE(2) : head.readUInt16BE(2)
  if (version !== 42 && version !== 43) throw damaged(source, 'it has no TIFF header')
  const big = version === 43
  if (big && head.length < 16) throw cutShort(source.name)
  const unsigned = (bytes: Buffer, at: number, length: 2 | 4 | 8): number => {
    if (length === 8) return Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at))
    return little ? bytes.readUIntLE(at, length) : bytes.readUIntBE(at, length)
  }
  const pointer = big ? 8 : 4
  const entryBytes = big ? 20 : 12
  const countBytes = big ? 8 : 2
  const directories: Directory[] = []
  const seen = new Set<number>()
  let at = unsigned(head, big ? 8 : 4, pointer)
  if (at === 0) throw damaged(source, 'it contains no image, perhaps because it was not completely written')
  while (at !== 0) {
    if (seen.has(at)) throw damaged(source, 'its directories form a loop')
    if (seen.size === MOST_DIRECTORIES) throw damaged(source, `it has more than ${MOST_DIRECTORIES} directories`)
    seen.add(at)
    const count = unsigned(await source.read(at, countBytes), 0, countBytes)
    if (count === 0 || count > MOST_ENTRIES) throw damaged(source, `a directory claims to have ${count} entries`)
    const table = await source.read(at + countBytes, count * entryBytes + pointer)
    const fields = new Map<number, Field>()
    for (let e = 0; e < count; e++) {
      const from = e * entryBytes
      const type = unsigned(table, from + 2, 2)
      const values = unsigned(table, from + 4, pointer)
      const bytes = values * (TYPE_BYTES[type] ?? 0)
      if (bytes === 0) continue
      const offset =
        bytes <= pointer ? at + countBytes + from + 4 + pointer : unsigned(table, from + 4 + pointer, pointer)
      const tag = unsigned(table, from, 2)
      if (!fields.has(tag)) fields.set(tag, { tag, type, count: values, offset })
    }
    directories.push(new Directory(source, little, fields))
    at = unsigned(table, count * entryBytes, pointer)
  }
  return directories
}

function valuesOf({ type, count }: Field, bytes: Buffer, little: boolean): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const step = TYPE_BYTES[type]
  const at = (i: number): number => {
    switch (type) {
      case 3:
        return view.getUint16(i, little)
      case 4:
      case 13:
        return view.getUint32(i, little)
      case 5:
        return view.getUint32(i, little) / view.getUint32(i + 4, little)
      case 6:
        return view.getInt8(i)
      case 8:
        return view.getInt16(i, little)
      case 9:
        return view.getInt32(i, little)
      case 10:
        return view.getInt32(i, little) / view.getInt32(i + 4, little)
      case 11:
        return view.getFloat32(i, little)
      case 12:
        return view.getFloat64(i, little)
      case 16:
      case 18:
        return Number(view.getBigUint64(i, little))
      case 17:
        return Number(view.getBigInt64(i, little))
      default:
        return view.getUint8(i)
    }
  }
  return Array.from({ length: count }, (_, i) => at(i * step))
}
