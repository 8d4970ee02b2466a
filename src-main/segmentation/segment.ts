import type { Backend, Execution } from '../backends/program.ts'
import type { CatalogueImage } from '../contract/imagery.ts'
import { NO_LABEL } from '../contract/labels.ts'
import { BORROWED, type Scale, scaledSize } from '../imagery/pictures.ts'
import type { Size, Window } from '../imagery/raster.ts'
import { inferenceProgram } from '../learning/inference.ts'
import { type Architecture, outputStride, receptiveHalo } from '../learning/network/architecture.ts'
import { foldWeights } from '../learning/network/forward.ts'
import { type Placement, enlargeLabels, placements, strongest } from './enlarge.ts'

/** Side that a window of the network should cover, in its input pixels: large enough that the halo is a small part of the work. */
export const COVERED = 512
const SMALLEST_PART = 32

export interface Model {
  architecture: Architecture
  weights: Record<string, Float32Array>
  subHeads: Record<string, number>
}

/** What is read for a region: z-scored planes of a square window, and which of its pixels hold data. */
export interface ReadWindow {
  values: Float32Array
  valid?: Uint8Array
}

/** A part of an image that one run of the network labels. */
export interface Region {
  /** In pixels of the full image; whole tiles, or a part of one. */
  area: Window
  /** What the network reads, in pixels of the scaled image; may reach beyond it. */
  window: Window
}

/** A block of whole tiles and the regions that label it, in the order in which they are to be read. */
export interface Block {
  /** First tile, and tiles across and down. */
  column: number
  row: number
  across: number
  down: number
  regions: Region[]
}

/** How an image is divided. */
export interface Plan {
  image: CatalogueImage
  /** Side of a label tile. */
  tile: number
  /** Side of the network's window in pixels of the scaled image. */
  side: number
  /** Side of a region in pixels of the full image. */
  covered: number
  scaled: Size
}

/**
 * How an image is divided into windows. A window starts at a multiple of the network's stride, has a halo of all that
 * the network sees and continues the image mirrored, so that labels do not depend on where windows lie. Where the
 * image is scaled down, a window covers several tiles; where it is enlarged, a part of one.
 */
export function planOf(architecture: Architecture, image: CatalogueImage, scale: Scale, tile: number, covered = COVERED): Plan {
  const stride = outputStride(architecture)
  const scaled = scaledSize(image, scale)
  const ratio = Math.max(scaled.width / image.width, scaled.height / image.height)
  let region = tile
  while (2 * region * ratio <= covered && region < Math.max(image.width, image.height)) region *= 2
  while (region * ratio > covered && region % 2 === 0 && region > SMALLEST_PART) region /= 2
  const halo = haloOf(architecture, image)
  const wanted = Math.min(region * ratio, Math.max(scaled.width, scaled.height)) + 2 * (halo + stride)
  const side = roundedUp(wanted, SIZES_APART * stride)
  return { image, tile, side, covered: region, scaled }
}

/** Images of nearly one size share a compiled network. */
const SIZES_APART = 4
const roundedUp = (value: number, step: number): number => Math.ceil(value / step) * step

/** Pixels beyond its own that a label depends on, a multiple of the stride. */
function haloOf(architecture: Architecture, { gaps }: Pick<CatalogueImage, 'gaps'>): number {
  const stride = outputStride(architecture)
  return Math.ceil((receptiveHalo(architecture) + (gaps ? BORROWED : 0)) / stride) * stride
}

/** Tiles across and down an image. */
export const tilesOf = ({ image, tile }: Plan): { columns: number; rows: number } => ({ columns: Math.ceil(image.width / tile), rows: Math.ceil(image.height / tile) })

/** Blocks of an image between two rows of tiles, the first of which begins a block, row by row of blocks. */
export function* blocksOf(plan: Plan, architecture: Architecture, fromRow: number, toRow: number): Generator<Block> {
  const { image, tile, covered } = plan
  const { columns } = tilesOf(plan)
  const step = blockRows(plan)
  for (let row = fromRow; row < toRow; row += step) {
    for (let column = 0; column < columns; column += step) {
      const [across, down] = [Math.min(step, columns - column), Math.min(step, toRow - row)]
      const regions: Region[] = []
      for (let top = row * tile; top < Math.min((row + down) * tile, image.height); top += covered) {
        for (let left = column * tile; left < Math.min((column + across) * tile, image.width); left += covered) {
          const area = { left, top, width: Math.min(covered, image.width - left), height: Math.min(covered, image.height - top) }
          regions.push({ area, window: windowOf(plan, architecture, left, top) })
        }
      }
      yield { column, row, across, down, regions }
    }
  }
}

/** Rows of blocks begin at multiples of so many tiles. */
export const blockRows = ({ covered, tile }: Plan): number => Math.max(1, covered / tile)

function windowOf({ image, scaled, side }: Plan, architecture: Architecture, left: number, top: number): Window {
  const stride = outputStride(architecture)
  const halo = haloOf(architecture, image)
  const start = (at: number, ratio: number): number => Math.floor((at * ratio - halo) / stride) * stride
  return { left: start(left, scaled.width / image.width), top: start(top, scaled.height / image.height), width: side, height: side }
}

/** Labels of a tile, by head: the most probable cluster of each pixel, 255 without data. */
export type TileLabels = Record<string, Uint8Array>

export interface Segmenter {
  /**
   * Labels a block: reads its regions one after the other and gives its tiles row by row.
   * @param read  the next region's window
   */
  label(plan: Plan, block: Block, read: () => Promise<ReadWindow>, take: (column: number, row: number, tile: TileLabels) => Promise<void>): Promise<void>
  /** Milliseconds in which it waited for windows to be read and for tiles to be taken. */
  waited(): number
  dispose(): Promise<void>
}

/** The network and the enlargement of its heatmaps on a backend, compiled for each size once. */
export function createSegmenter(backend: Backend, { architecture, weights, subHeads }: Model): Segmenter {
  const folded = foldWeights(architecture, weights)
  const stride = outputStride(architecture)
  const compiled = new Map<string, Promise<Execution>>()
  const compile = (key: string, make: () => Promise<Execution>): Promise<Execution> => {
    const known = compiled.get(key) ?? make()
    compiled.set(key, known)
    return known
  }
  let waited = 0
  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const started = performance.now()
    const result = await work
    waited += performance.now() - started
    return result
  }

  return {
    async label(plan, block, read, take) {
      const { image, tile } = plan
      const tiles = Array.from({ length: block.across * block.down }, () =>
        Object.fromEntries(architecture.heads.map(({ name }) => [name, new Uint8Array(tile * tile).fill(NO_LABEL)]))
      )
      for (const { area, window } of block.regions) {
        const { values, valid } = await timed(read())
        if (valid && !valid.includes(1)) continue
        const masked = image.gaps === true
        const network = await compile(`network ${window.width} ${masked}`, () => backend.compile(inferenceProgram(architecture, subHeads, { window: window.width, masked }), folded))
        const ones = masked ? Float32Array.from(valid ?? new Uint8Array(window.width ** 2).fill(1)) : undefined
        const heatmaps = await network.run({ image: values, ...(ones && { valid: ones }) })
        for (const { name, clusters } of architecture.heads) enlarge(plan, block, area, window, heatmaps[`heatmap${name}`], clusters, tiles.map((labels) => labels[name]))
        if (valid) blank(plan, block, area, window, valid, tiles)
      }
      for (const [i, labels] of tiles.entries()) await timed(take(block.column + (i % block.across), block.row + Math.floor(i / block.across), labels))
    },
    waited: () => waited,
    async dispose() {
      for (const execution of compiled.values()) await (await execution).dispose()
    }
  }

  /** Writes the labels of an area into the tiles that it lies in. */
  function enlarge({ image, scaled, tile }: Plan, block: Block, area: Window, window: Window, values: Float32Array, clusters: number, tiles: readonly Uint8Array[]): void {
    const heatmap = { values, side: window.width / stride, clusters }
    const winners = strongest(heatmap)
    const along = (start: number, length: number, ratio: number, origin: number): Placement => placements(length, heatmap.side, (i) => ((start + i + 0.5) * ratio - origin) / stride - 0.5)
    for (let row = Math.floor(area.top / tile); row * tile < area.top + area.height; row++) {
      const [top, bottom] = [Math.max(area.top, row * tile), Math.min(area.top + area.height, (row + 1) * tile)]
      const rows = along(top, bottom - top, scaled.height / image.height, window.top)
      for (let column = Math.floor(area.left / tile); column * tile < area.left + area.width; column++) {
        const [left, right] = [Math.max(area.left, column * tile), Math.min(area.left + area.width, (column + 1) * tile)]
        const columns = along(left, right - left, scaled.width / image.width, window.left)
        const within = { left: left - column * tile, top: top - row * tile, width: right - left, height: bottom - top }
        enlargeLabels(heatmap, winners, rows, columns, tiles[(row - block.row) * block.across + column - block.column], tile, within)
      }
    }
  }
}

/** Takes the labels away where there is no data. */
function blank({ image, scaled, tile }: Plan, block: Block, area: Window, window: Window, valid: Uint8Array, tiles: readonly TileLabels[]): void {
  const [across, down] = [scaled.width / image.width, scaled.height / image.height]
  const columns = Int32Array.from({ length: area.width }, (_, c) => Math.min(Math.floor((area.left + c + 0.5) * across), scaled.width - 1) - window.left)
  for (let y = area.top; y < area.top + area.height; y++) {
    const from = (Math.min(Math.floor((y + 0.5) * down), scaled.height - 1) - window.top) * window.width
    for (let c = 0; c < area.width; c++) {
      if (valid[from + columns[c]]) continue
      const x = area.left + c
      const [row, column] = [Math.floor(y / tile), Math.floor(x / tile)]
      for (const plane of Object.values(tiles[(row - block.row) * block.across + column - block.column])) plane[(y - row * tile) * tile + x - column * tile] = NO_LABEL
    }
  }
}
