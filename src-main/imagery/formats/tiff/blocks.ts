import { SmaltiError } from '../../../contract/errors.ts'
import { sharedWork } from '../../reading/sharedWork.ts'
import { type Samples, type Window, emptySamples } from '../../raster.ts'
import { decodeBlock } from './decode.ts'
import { type Block, decodedBytes } from './layout.ts'
import type { Level } from './level.ts'

/** Size of the cache of decoded blocks of one file, in bytes. */
const KEPT_BYTES = 48 * 2 ** 20
/** Number of blocks fetched and decoded at a time. */
const AT_ONCE = 8

/** A cache of a file's decoded blocks. */
export interface BlockCache {
  /** Returns a block, or undefined if the file omits it. */
  get(level: Level, index: number, rows: number, signal?: AbortSignal): Promise<Block | undefined>
  /** Cancels unfinished reads of blocks. */
  close(): Promise<void>
}

/** Caches the most recently decoded blocks. A block that several callers want at once is decoded once. */
export function createBlockCache(): BlockCache {
  const blocks = sharedWork<Block>({
    most: KEPT_BYTES,
    sizeOf: ({ samples, valid }) => samples.byteLength + (valid?.byteLength ?? 0)
  })
  const names = new Map<Level, number>()
  return {
    async get(level, index, rows, signal) {
      if (!names.has(level)) names.set(level, names.size)
      if (level.byteCounts[index] === 0 || level.offsets[index] === 0) return undefined
      return blocks.get(`${names.get(level)}/${index}`, { signal, make: (work) => readBlock(level, index, rows, work) })
    },
    close: () => blocks.close()
  }
}

async function readBlock(level: Level, index: number, rows: number, signal?: AbortSignal): Promise<Block> {
  const layout = level.layout(rows)
  const most = 4 * decodedBytes(layout) + 2 ** 16
  if (level.byteCounts[index] > most) throw new Error(`a block claims to have ${level.byteCounts[index]} bytes`)
  const bytes = await level.source.read(level.offsets[index], level.byteCounts[index], signal)
  return decodeBlock(bytes, layout)
}

/** Planes of a window, and the pixels that its blocks report as missing. */
export interface ReadBands {
  planes: Samples[]
  /** 0 where a block has no value. Absent when all pixels have one. */
  valid?: Uint8Array
}

/**
 * Reads bands of a window of a level.
 * @param fills  values of blocks that the file omits, one for each of `bands`: nodata, or else 0, as in GDAL
 */
export async function readBands(
  level: Level,
  kept: BlockCache,
  window: Window,
  bands: readonly number[],
  fills: readonly number[],
  signal?: AbortSignal
): Promise<ReadBands> {
  const planes = bands.map(() => emptySamples(level.type, window.width * window.height))
  let valid: Uint8Array | undefined
  const { block, across, down } = level
  const [right, bottom] = [window.left + window.width, window.top + window.height]
  const places: { column: number; row: number; plane: number }[] = []
  for (const plane of level.planar ? new Set(bands) : [0]) {
    for (let row = Math.floor(window.top / block.height); row * block.height < bottom && row < down; row++) {
      for (
        let column = Math.floor(window.left / block.width);
        column * block.width < right && column < across;
        column++
      )
        places.push({ column, row, plane })
    }
  }
  const take = async ({ column, row, plane }: (typeof places)[number]): Promise<void> => {
    if (signal?.aborted) throw new SmaltiError('Cancelled')
    const found = await kept.get(level, (plane * down + row) * across + column, blockRows(level, row), signal)
    const [left, top] = [column * block.width, row * block.height]
    const [x0, x1] = [Math.max(left, window.left), Math.min(left + block.width, right, level.width)]
    const [y0, y1] = [Math.max(top, window.top), Math.min(top + block.height, bottom, level.height)]
    const step = level.planar ? 1 : level.samples
    const part = { x0, x1, y0, y1, left, top, window, blockWidth: block.width }
    for (const [i, band] of bands.entries()) {
      if (level.planar && band !== plane) continue
      if (found) copyRows(found.samples, planes[i], { ...part, step, at: level.planar ? 0 : band })
      else if (fills[i] !== 0) fillRows(planes[i], fills[i], part)
    }
    if (!found?.valid) return
    const known = (valid ??= new Uint8Array(window.width * window.height).fill(1))
    const inBlock = new Uint8Array(known.length).fill(1)
    copyRows(found.valid, inBlock, { ...part, step: 1, at: 0 })
    for (let i = 0; i < known.length; i++) known[i] &= inBlock[i]
  }
  for (let from = 0; from < places.length; from += AT_ONCE)
    await Promise.all(places.slice(from, from + AT_ONCE).map(take))
  return { planes, valid }
}

/** Tiles are stored whole; the last strip contains only the remaining rows. */
function blockRows({ block, height, tiled }: Level, row: number): number {
  return tiled ? block.height : Math.min(block.height, height - row * block.height)
}

/** The part of a block inside a window, in pixels of the level. */
interface Part {
  x0: number
  x1: number
  y0: number
  y1: number
  left: number
  top: number
  window: Window
  blockWidth: number
}

function copyRows(
  from: Samples,
  to: Samples,
  { x0, x1, y0, y1, left, top, window, blockWidth, step, at }: Part & { step: number; at: number }
): void {
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

function fillRows(to: Samples, value: number, { x0, x1, y0, y1, window }: Part): void {
  for (let y = y0; y < y1; y++) {
    const start = (y - window.top) * window.width - window.left
    to.fill(value, start + x0, start + x1)
  }
}
