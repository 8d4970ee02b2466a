import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import Lerc, { type LercBlock } from 'lerc'
import type { ZSTDDecoder } from 'zstddec'
import { type Samples, emptySamples } from '../../raster.ts'
import type { Block, BlockLayout } from './layout.ts'
import { typeOf } from './samples.ts'

const inflated = promisify(inflate)
const ADDED = { none: 0, deflate: 1, zstd: 2 } as const
const HEADERS = 2 ** 16

/**
 * Decodes a LERC block. Pixels outside LERC's own mask become NaN, or have no value if the type has no NaN. If the
 * block lacks the last band, its mask becomes that band, because libtiff writes opacity that way.
 * @param wanted  bytes of the decoded block
 * @throws Error when the block is damaged
 */
export async function decodeLerc(
  bytes: Buffer,
  layout: BlockLayout,
  wanted: number,
  zstd: () => Promise<ZSTDDecoder>
): Promise<Block> {
  const { width, height, samples } = layout
  const packed = await unwrapped(bytes, layout, wanted, zstd)
  const headers = headersOf(packed)
  const wrong = headers.find((header) => header.width !== width || header.height !== height || header.depth > samples)
  if (headers.length === 0 || headers.length > samples || wrong)
    throw new Error('the size of a LERC block differs from its tile')
  const type = typeOf(layout.bits, layout.format)!
  const [pixels, floats] = [width * height, type.startsWith('float')]
  const result = emptySamples(type, pixels * samples)
  const bands = headers.map((header, b) => decodedBand(packed, headers, b, header.valid < pixels))
  if (bands.some(({ values }) => values.constructor !== result.constructor))
    throw new Error('a LERC block has values of a different type')
  const depth = headers[0].depth
  const opacity = bands.length === 1 && depth === samples - 1
  if (!opacity && bands.length * depth !== samples)
    throw new Error(`a LERC block has ${bands.length * depth} bands instead of ${samples}`)
  let valid: Uint8Array | undefined
  for (const [b, { values, mask }] of bands.entries()) {
    for (let i = 0; i < pixels; i++)
      for (let d = 0; d < depth; d++)
        result[i * samples + b * depth + d] = floats && mask && !mask[i] ? NaN : values[i * depth + d]
    if (opacity) for (let i = 0; i < pixels; i++) result[i * samples + depth] = !mask || mask[i] ? 255 : 0
    else if (mask && !floats) valid = valid ? valid.map((known, i) => known & mask[i]) : mask
  }
  return { samples: result, valid }
}

async function unwrapped(
  bytes: Buffer,
  { lercParameters }: BlockLayout,
  wanted: number,
  zstd: () => Promise<ZSTDDecoder>
): Promise<Uint8Array<ArrayBuffer>> {
  const most = 2 * wanted + HEADERS
  switch (lercParameters?.[1] ?? ADDED.none) {
    case ADDED.none:
      return Uint8Array.from(bytes)
    case ADDED.deflate:
      return Uint8Array.from(await inflated(bytes, { maxOutputLength: most }))
    case ADDED.zstd:
      return Uint8Array.from((await zstd()).decode(bytes, most))
    default:
      throw new Error('a LERC block has an unknown packing')
  }
}

/** The header of one band's part of a block; each pixel has `depth` adjacent values. */
interface LercHeader {
  start: number
  end: number
  width: number
  height: number
  depth: number
  /** Number of pixels that have a value. */
  valid: number
  /** Whether the part contains its own mask instead of sharing the previous part's. */
  masked: boolean
}

const MAGIC = 'Lerc2 '

function headersOf(packed: Uint8Array): LercHeader[] {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
  const headers: LercHeader[] = []
  for (let start = 0; start + MAGIC.length < bytes.length;) {
    if (bytes.toString('latin1', start, start + MAGIC.length) !== MAGIC) throw new Error('a LERC block is damaged')
    const version = bytes.readInt32LE(start + 6)
    if (version > 5)
      throw new Error(`LERC 2.${version} isn't supported. Convert it with gdal_translate -co COMPRESS=DEFLATE`)
    let at = start + (version >= 3 ? 14 : 10)
    const next = (): number => bytes.readInt32LE((at += 4) - 4)
    const [height, width] = [next(), next()]
    const depth = version >= 4 ? next() : 1
    const [valid, , length] = [next(), next(), next()]
    // Skips type, largest error, smallest and largest value.
    const maskBytes = bytes.readInt32LE(at + 4 + 3 * 8)
    if (length <= 0 || start + length > bytes.length) throw new Error('a LERC block is truncated')
    headers.push({ start, end: start + length, width, height, depth, valid, masked: maskBytes > 0 || valid === 0 })
    start += length
  }
  return headers
}

/**
 * Decodes a band's values and its mask. The decoder loses masks after the first band unless each band is decoded alone.
 */
function decodedBand(
  packed: Uint8Array<ArrayBuffer>,
  headers: readonly LercHeader[],
  band: number,
  gaps: boolean
): { values: Samples; mask?: Uint8Array } {
  const { start, end, masked } = headers[band]
  const owner = gaps && !masked ? headers.slice(0, band).findLast((header) => header.masked) : undefined
  if (gaps && !masked && !owner) throw new Error('a LERC block has no mask')
  const before = owner ? packed.subarray(owner.start, owner.end) : new Uint8Array(0)
  const alone = new Uint8Array(before.length + end - start)
  alone.set(before)
  alone.set(packed.subarray(start, end), before.length)
  const { pixels, mask } = decoded(alone.buffer)
  return { values: pixels[pixels.length - 1], mask: gaps ? (mask ?? undefined) : undefined }
}

function decoded(packed: ArrayBuffer): LercBlock {
  try {
    return Lerc.decode(packed, { returnPixelInterleavedDims: true })
  } catch (fault) {
    throw new Error(`a LERC block is damaged: ${fault instanceof Error ? fault.message : String(fault)}`, {
      cause: fault
    })
  }
}
