import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import sharp from 'sharp'
import { ZSTDDecoder } from 'zstddec'
import { TAG } from './directory.ts'
import { type Block, type BlockLayout, COMPRESSION, decodedBytes } from './layout.ts'
import { decodeLerc } from './lerc.ts'
import { unpackedSamples } from './samples.ts'

const inflated = promisify(inflate)
const LARGEST_PIECE = 2 ** 24

/** Names of compressions that aren't supported, for error messages. */
const OTHERS: Record<number, string> = {
  2: 'CCITT',
  3: 'CCITT fax 3',
  4: 'CCITT fax 4',
  6: 'old-style JPEG',
  34661: 'JBIG',
  34712: 'JPEG 2000',
  34925: 'LZMA',
  50002: 'JPEG XL',
  52546: 'JPEG XL'
}
const READ = new Set<number>(Object.values(COMPRESSION))

/** Explains why a compression can't be read, or returns undefined if it can. */
export function unreadCompression(compression: number): string | undefined {
  if (READ.has(compression)) return undefined
  const name = OTHERS[compression] ?? `number ${compression}`
  return `its compression, ${name}, isn't supported. Convert it with gdal_translate -co COMPRESS=DEFLATE -co TILED=YES`
}

/** Decodes the samples of a block to a type that can represent them. @throws Error */
export async function decodeBlock(bytes: Buffer, layout: BlockLayout): Promise<Block> {
  const wanted = decodedBytes(layout)
  const { compression, bits, samples } = layout
  if (compression === COMPRESSION.jpeg || compression === COMPRESSION.webp) {
    if (bits !== 8 || samples > 4) throw new Error(`its compression doesn't support ${samples} samples of ${bits} bits`)
    return { samples: unpackedSamples(exactly(await byVips(bytes, layout), wanted), layout) }
  }
  const ordered = layout.lowBitFirst ? (bytes.map((byte) => REVERSED[byte]) as Buffer) : bytes
  if (compression === COMPRESSION.lerc) return decodeLerc(ordered, layout, wanted, startedZstd)
  return {
    samples: unpackedSamples(arranged(exactly(await decompressed(ordered, layout, wanted), wanted), layout), layout)
  }
}

/** Each byte with its bits reversed. */
const REVERSED = Uint8Array.from({ length: 256 }, (_, byte) =>
  Array.from({ length: 8 }, (_, bit) => ((byte >> bit) & 1) << (7 - bit)).reduce((sum, bit) => sum | bit, 0)
)

/**
 * Trims a block to its proper length; the last strip may continue with rows beyond the image.
 * @throws Error when it is too short
 */
function exactly(found: Uint8Array, wanted: number): Uint8Array {
  if (found.length < wanted) throw new Error('a block is truncated')
  return found.length === wanted ? found : found.subarray(0, wanted)
}

let zstd: Promise<ZSTDDecoder> | undefined

const startedZstd = (): Promise<ZSTDDecoder> => (zstd ??= startZstd())

async function startZstd(): Promise<ZSTDDecoder> {
  const decoder = new ZSTDDecoder()
  await decoder.init()
  return decoder
}

async function decompressed(bytes: Buffer, layout: BlockLayout, wanted: number): Promise<Uint8Array> {
  switch (layout.compression) {
    case COMPRESSION.none:
      return bytes
    case COMPRESSION.deflate:
    case COMPRESSION.oldDeflate:
      // Decompress in one piece, because every piece costs a round trip to another thread.
      return inflated(bytes, { maxOutputLength: 2 * wanted + 1024, chunkSize: Math.min(wanted + 64, LARGEST_PIECE) })
    case COMPRESSION.lzw:
      return unpackLzw(bytes, wanted)
    case COMPRESSION.packBits:
      return unpackBits(bytes, wanted)
    case COMPRESSION.zstd:
      return (await startedZstd()).decode(bytes, wanted)
    default:
      throw new Error(unreadCompression(layout.compression) ?? "its compression doesn't support bytes")
  }
}

const CLEAR = 256
const END = 257
const MOST_CODES = 4096

/**
 * Decompresses LZW as in TIFF 6.0 §13: codes of 9 to 12 bits, high bit first, one code early. Strings are stored as
 * their length, their last byte and the preceding string, so that a damaged block needs no more memory than an intact
 * one (geotiff.js' decoder may use any amount).
 */
function unpackLzw(packed: Uint8Array, wanted: number): Uint8Array {
  const result = new Uint8Array(wanted)
  const [before, last, lengths] = [new Uint16Array(MOST_CODES), new Uint8Array(MOST_CODES), new Uint16Array(MOST_CODES)]
  for (let code = 0; code < CLEAR; code++) [last[code], lengths[code]] = [code, 1]
  let [to, bits, held, from, width, next, previous] = [0, 0, 0, 0, 9, END + 1, -1]
  while (to < wanted) {
    while (bits < width && from < packed.length) {
      held = ((held << 8) | packed[from++]) & 0xfffff
      bits += 8
    }
    if (bits < width) break
    const code = (held >> (bits - width)) & ((1 << width) - 1)
    bits -= width
    if (code === END) break
    if (code === CLEAR) {
      ;[width, next, previous] = [9, END + 1, -1]
      continue
    }
    if (code > next || (code === next && previous < 0)) throw new Error('its LZW codes are invalid')
    // A code used before it is defined stands for the previous string plus that string's first byte.
    const known = code < next ? code : previous
    let length = lengths[known]
    const start = to
    to = Math.min(to + length, wanted)
    for (let string = known; length > 0; string = before[string]) {
      length--
      if (start + length < wanted) result[start + length] = last[string]
    }
    if (code === next && to < wanted) result[to++] = result[start]
    if (previous >= 0 && next < MOST_CODES) {
      before[next] = previous
      last[next] = result[start]
      lengths[next] = lengths[previous] + 1
      next++
      if (next + 1 >= 1 << width && width < 12) width++
    }
    previous = code
  }
  return result.subarray(0, to)
}

function unpackBits(packed: Uint8Array, wanted: number): Uint8Array {
  const result = new Uint8Array(wanted)
  let [from, to] = [0, 0]
  while (from < packed.length && to < wanted) {
    const control = (packed[from++] << 24) >> 24
    if (control >= 0) {
      const run = packed.subarray(from, from + Math.min(control + 1, wanted - to))
      result.set(run, to)
      to += run.length
      from += control + 1
    } else if (control !== -128) {
      result.fill(packed[from++], to, Math.min(to + 1 - control, wanted))
      to += 1 - control
    }
  }
  if (to < wanted) throw new Error('a block is truncated')
  return result
}

/** Undoes byte order and predictor, in place. Predictor 2 adds values, 3 (floating point) adds bytes of planes. */
function arranged(block: Uint8Array, layout: BlockLayout): Uint8Array {
  const { bits, littleEndian, predictor, height, width, samples } = layout
  const own = block.byteOffset % 8 === 0 ? block : block.slice()
  const buffer = Buffer.from(own.buffer, own.byteOffset, own.byteLength)
  if (!littleEndian && predictor !== 3) {
    if (bits === 16) buffer.swap16()
    else if (bits === 32) buffer.swap32()
    else if (bits === 64) buffer.swap64()
  }
  if (predictor === 2) {
    const values =
      bits === 64
        ? new BigUint64Array(own.buffer, own.byteOffset, own.length / 8)
        : bits === 32
          ? new Uint32Array(own.buffer, own.byteOffset, own.length / 4)
          : bits === 16
            ? new Uint16Array(own.buffer, own.byteOffset, own.length / 2)
            : own
    const row = width * samples
    for (let r = 0; r < height; r++) accumulate(values as Uint8Array, r * row, row, samples)
  }
  if (predictor === 3) {
    const [row, step] = [width * samples, bits / 8]
    const planes = new Uint8Array(row * step)
    for (let r = 0; r < height; r++) {
      const start = r * row * step
      accumulate(own, start, row * step, samples)
      planes.set(own.subarray(start, start + row * step))
      for (let i = 0; i < row; i++)
        for (let b = 0; b < step; b++) own[start + i * step + b] = planes[(step - 1 - b) * row + i]
    }
  }
  return own
}

function accumulate(values: Uint8Array, start: number, length: number, stride: number): void {
  for (let i = start + stride; i < start + length; i++) values[i] += values[i - stride]
}

/** Decodes a block with libvips, off this thread, wrapped as the only strip of a TIFF. */
async function byVips(bytes: Buffer, layout: BlockLayout): Promise<Uint8Array> {
  const { bits, samples } = layout
  const grey = samples < 3
  const picture = sharp(singleStrip(bytes, layout), { limitInputPixels: false, failOn: 'truncated' })
  const space = bits === 16 ? (grey ? 'grey16' : 'rgb16') : grey ? 'b-w' : 'srgb'
  const { data, info } = await picture
    .toColourspace(space)
    .raw({ depth: bits === 16 ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true })
  if (info.channels !== samples) throw new Error(`a block has ${info.channels} samples per pixel instead of ${samples}`)
  return data
}

const SHORT = 3
const LONG = 4
const UNDEFINED = 7

function singleStrip(bytes: Buffer, layout: BlockLayout): Buffer {
  const { width, height, samples, bits, compression, predictor, jpegTables, subsampling, littleEndian } = layout
  const inColours = compression === COMPRESSION.jpeg && layout.photometric === 6
  const photometric = inColours ? 6 : samples >= 3 ? 2 : 1
  const each = (value: number): number[] => Array<number>(samples).fill(value)
  const fields: [tag: number, type: number, values: number[] | Buffer][] = [
    [TAG.width, LONG, [width]],
    [TAG.height, LONG, [height]],
    [TAG.bitsPerSample, SHORT, each(bits)],
    [TAG.compression, SHORT, [compression]],
    [TAG.photometric, SHORT, [photometric]],
    [TAG.stripOffsets, LONG, [8]],
    [TAG.samplesPerPixel, SHORT, [samples]],
    [TAG.rowsPerStrip, LONG, [height]],
    [TAG.stripByteCounts, LONG, [bytes.length]],
    [TAG.planar, SHORT, [1]],
    [TAG.predictor, SHORT, [predictor]]
  ]
  if (samples === 2 || samples === 4) fields.push([TAG.extraSamples, SHORT, [2]])
  fields.push([TAG.sampleFormat, SHORT, each(1)])
  if (jpegTables) fields.push([TAG.jpegTables, UNDEFINED, jpegTables])
  if (inColours && subsampling) fields.push([TAG.subsampling, SHORT, subsampling])
  const u16 = (value: number): Buffer => {
    const buffer = Buffer.alloc(2)
    if (littleEndian) buffer.writeUInt16LE(value)
    else buffer.writeUInt16BE(value)
    return buffer
  }
  const u32 = (value: number): Buffer => {
    const buffer = Buffer.alloc(4)
    if (littleEndian) buffer.writeUInt32LE(value)
    else buffer.writeUInt32BE(value)
    return buffer
  }
  const start = 8 + bytes.length + (bytes.length % 2)
  let spare = start + 2 + 12 * fields.length + 4
  const table: Buffer[] = [u16(fields.length)]
  const behind: Buffer[] = []
  for (const [tag, type, values] of fields) {
    const body = Buffer.isBuffer(values) ? values : Buffer.concat(values.map(type === SHORT ? u16 : u32))
    table.push(u16(tag), u16(type), u32(values.length))
    if (body.length <= 4) {
      table.push(Buffer.concat([body, Buffer.alloc(4 - body.length)]))
    } else {
      table.push(u32(spare))
      behind.push(body, Buffer.alloc(body.length % 2))
      spare += body.length + (body.length % 2)
    }
  }
  return Buffer.concat([
    Buffer.from(littleEndian ? 'II' : 'MM'),
    u16(42),
    u32(start),
    bytes,
    Buffer.alloc(bytes.length % 2),
    ...table,
    u32(0),
    ...behind
  ])
}
