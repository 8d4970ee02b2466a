import { SmaltiError } from '../../../contract/errors.ts'
import type { SampleType } from '../../../contract/imagery.ts'
import { type ByteSource, cutShort } from '../../reading/byteSource.ts'
import { MOST_BANDS, type Size, absurdSize } from '../../raster.ts'
import { unreadCompression } from './decode.ts'
import { type Directory, TAG, damaged } from './directory.ts'
import { type BlockLayout, COMPRESSION, decodedBytes } from './layout.ts'
import { SAMPLE_FORMAT, typeOf, unreadSamples } from './samples.ts'

/** Larger blocks can't usefully be read by windows. */
const LARGEST_BLOCK = 96 * 2 ** 20
/** An uncompressed strip is read in parts of about this many bytes. */
const PART_BYTES = 2 ** 20

/** Values of the PhotometricInterpretation tag. */
export const PHOTOMETRIC = {
  whiteIsZero: 0,
  blackIsZero: 1,
  rgb: 2,
  palette: 3,
  mask: 4,
  cmyk: 5,
  ycbcr: 6,
  cielab: 8
} as const

/** One stored size of an image, or of its mask, divided into blocks. */
export interface Level extends Size {
  source: ByteSource
  /** Columns and rows of a block, then blocks across and down. */
  block: Size
  across: number
  down: number
  tiled: boolean
  planar: boolean
  samples: number
  type: SampleType
  compression: number
  offsets: number[]
  byteCounts: number[]
  layout(rows: number): BlockLayout
}

/** Whether two levels store the same kind of pixels, so that they can be sizes or pages of one image. */
export const sameKind = (one: Level, other: Level): boolean => one.samples === other.samples && one.type === other.type

/** Reads how a directory's pixels are stored. @throws UnreadableImage with a readable reason */
export async function levelOf(source: ByteSource, directory: Directory): Promise<Level> {
  const refused = (reason: string): SmaltiError => new SmaltiError('UnreadableImage', { path: source.name, reason })
  const [width, height] = [(await directory.number(TAG.width)) ?? 0, (await directory.number(TAG.height)) ?? 0]
  const absurd = absurdSize({ width, height })
  if (absurd) throw refused(absurd)
  const { samples, type, ...encoding } = await encodingOf(directory, refused)
  const { compression } = encoding
  const planar = (await directory.number(TAG.planar)) === 2 && samples > 1
  const { tiled, offsets, byteCounts, block } = await storedBlocks(source, directory, { width, height })
  const layout = {
    ...encoding,
    samples: planar ? 1 : samples,
    littleEndian: directory.littleEndian,
    lowBitFirst: (await directory.number(TAG.fillOrder)) === 2,
    jpegTables: await directory.bytes(TAG.jpegTables),
    subsampling: await directory.numbers(TAG.subsampling),
    lercParameters: await directory.numbers(TAG.lerc),
    width: block.width
  }
  const across = Math.ceil(width / block.width)
  const count = across * Math.ceil(height / block.height) * (planar ? samples : 1)
  const isSingle = byteCounts.length === 0 && offsets.length === 1 && compression === COMPRESSION.none
  const lengths = isSingle ? [decodedBytes({ ...layout, height: block.height })] : byteCounts
  if (offsets.length < count || lengths.length < count)
    throw damaged(source, `it lists ${offsets.length} of ${count} blocks`)
  const end = offsets.reduce(
    (furthest, offset, i) => Math.max(furthest, offset && lengths[i] ? offset + lengths[i] : 0),
    0
  )
  if (end > source.size) throw cutShort(source.name)
  const stored = { block, offsets, byteCounts: lengths }
  const rowBytes = decodedBytes({ ...layout, height: 1 })
  const isOneStrip = !tiled && block.height >= height
  const divided =
    compression === COMPRESSION.none && isOneStrip && rowBytes * block.height > PART_BYTES
      ? inParts(stored, height, rowBytes)
      : stored
  if (decodedBytes({ ...layout, height: divided.block.height }) > LARGEST_BLOCK)
    throw refused(blockTooLarge(divided.block))
  return {
    source,
    width,
    height,
    ...divided,
    across,
    down: Math.ceil(height / divided.block.height),
    tiled,
    planar,
    samples,
    type,
    compression,
    layout: (rows) => ({ ...layout, height: rows })
  }
}

/** How the samples of a directory's pixels are encoded. */
interface Encoding extends Pick<
  BlockLayout,
  'samples' | 'bits' | 'format' | 'compression' | 'predictor' | 'photometric'
> {
  type: SampleType
}

async function encodingOf(directory: Directory, refused: (reason: string) => SmaltiError): Promise<Encoding> {
  const samples = (await directory.number(TAG.samplesPerPixel)) ?? 1
  if (samples < 1 || samples > MOST_BANDS)
    throw refused(`it claims to have ${samples} bands; at most ${MOST_BANDS} are supported`)
  const compression = (await directory.number(TAG.compression)) ?? COMPRESSION.none
  const unread = unreadCompression(compression)
  if (unread) throw refused(unread)
  const photometric = (await directory.number(TAG.photometric)) ?? PHOTOMETRIC.blackIsZero
  const compressedColours = compression === COMPRESSION.jpeg || compression === COMPRESSION.webp
  if (photometric === PHOTOMETRIC.ycbcr && !compressedColours)
    throw refused("its YCbCr colours without JPEG aren't supported. Convert it to RGB with gdal_translate")
  if (photometric === PHOTOMETRIC.cielab)
    throw refused("its colours are CIE L*a*b*, which isn't supported. Convert it to RGB")
  const bitsOfEach = (await directory.numbers(TAG.bitsPerSample)) ?? [1]
  const bits = bitsOfEach[0]
  if (bitsOfEach.some((value) => value !== bits)) throw refused('its bands have different numbers of bits')
  const format = (await directory.number(TAG.sampleFormat)) ?? SAMPLE_FORMAT.unsigned
  const predictor = (await directory.number(TAG.predictor)) ?? 1
  const type = typeOf(bits, format)
  const unreadType = unreadSamples({ bits, format, predictor })
  if (!type || unreadType) throw refused(unreadType ?? `${bits}-bit samples of format ${format} aren't supported`)
  if (compressedColours && bits !== 8)
    throw refused(
      `its values are ${bits}-bit JPEG or WebP, which isn't supported. Convert it with gdal_translate -co COMPRESS=DEFLATE -co TILED=YES`
    )
  return { samples, bits, format, compression, predictor, photometric, type }
}

/** Where the blocks of a directory are stored. */
interface StoredBlocks {
  block: Size
  offsets: number[]
  byteCounts: number[]
}

async function storedBlocks(
  source: ByteSource,
  directory: Directory,
  { width, height }: Size
): Promise<StoredBlocks & { tiled: boolean }> {
  const tiled = directory.field(TAG.tileOffsets) !== undefined || directory.field(TAG.tileWidth) !== undefined
  const offsets =
    (await directory.numbers(tiled ? TAG.tileOffsets : TAG.stripOffsets)) ??
    (await directory.numbers(TAG.stripOffsets)) ??
    []
  const byteCounts =
    (await directory.numbers(tiled ? TAG.tileByteCounts : TAG.stripByteCounts)) ??
    (await directory.numbers(TAG.stripByteCounts)) ??
    []
  const declared = (await directory.number(TAG.rowsPerStrip)) ?? height
  const block: Size = tiled
    ? { width: (await directory.number(TAG.tileWidth)) ?? 0, height: (await directory.number(TAG.tileHeight)) ?? 0 }
    : { width, height: Math.min(Math.max(declared, 1), height) }
  if (block.width < 1 || block.height < 1)
    throw damaged(source, `its tiles are ${block.width} × ${block.height} pixels`)
  return { tiled, block, offsets, byteCounts }
}

/**
 * Divides the only strip of each plane into parts, because rows of an uncompressed strip can be read separately. All
 * blocks must have the same height, so several strips stay as they are.
 */
function inParts({ block, offsets, byteCounts }: StoredBlocks, height: number, rowBytes: number): StoredBlocks {
  const rows = Math.max(1, Math.floor(PART_BYTES / rowBytes))
  const parts = Array.from({ length: Math.ceil(height / rows) }, (_, part) => ({
    start: part * rows,
    rows: Math.min(rows, height - part * rows)
  }))
  const isStored = (strip: number): boolean => offsets[strip] > 0 && byteCounts[strip] !== 0
  return {
    block: { width: block.width, height: rows },
    offsets: offsets.flatMap((offset, strip) =>
      parts.map(({ start }) => (isStored(strip) ? offset + start * rowBytes : 0))
    ),
    byteCounts: offsets.flatMap((_, strip) => parts.map((part) => (isStored(strip) ? part.rows * rowBytes : 0)))
  }
}

const blockTooLarge = ({ width, height }: Size): string =>
  `it is stored in blocks of ${width} × ${height} pixels, too large to read in parts. Convert it with gdal_translate -co TILED=YES`
