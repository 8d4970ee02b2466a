import type { Backend, Execution } from '../backends/program.ts'
import type { CatalogueImage } from '../contract/imagery.ts'
import { NO_LABEL, SURE } from '../contract/labels.ts'
import { type Placement, placements } from '../imagery/grid.ts'
import { BORROWED, type Scale, scaledSize } from '../imagery/pictures.ts'
import type { Size, Window } from '../imagery/raster.ts'
import { sharedWork } from '../imagery/reading/sharedWork.ts'
import { inferenceProgram, rowPlaces } from '../learning/inference.ts'
import {
  type Architecture,
  heatmapMargin,
  outputStride,
  receptiveHalo,
  windowStep
} from '../learning/network/architecture.ts'
import type { FrozenTrunk } from '../learning/network/backbone.ts'
import { foldWeights } from '../learning/network/forward.ts'
import { type HeadSums, meanBands, sumsOf } from './clusterSums.ts'
import { type FullGuide, type Heatmap, enlargeLabels, meanOfPlanes, strongest } from './enlarge.ts'

/** Side that a window of the network should cover, in its input pixels: large enough that the halo is a small part of the work. */
const COVERED = 512
const COVERED_WITH_WIDE_HALO = 1024
const WIDE_HALO = 64
const SMALLEST_PART = 32
/** Networks that stay compiled, each for windows of one size. */
const MOST_COMPILED = 4

export interface Model {
  architecture: Architecture
  weights: Record<string, Float32Array>
  subHeads: Record<string, number>
  /** What computes the features where the trunk is a network of others. */
  trunk?: FrozenTrunk
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
  /** Pixels of the network's resolution whose centres lie in the area. */
  cells: Window
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
export function planOf(
  architecture: Architecture,
  image: CatalogueImage,
  scale: Scale,
  tile: number,
  covered = receptiveHalo(architecture) > WIDE_HALO ? COVERED_WITH_WIDE_HALO : COVERED
): Plan {
  const step = windowStep(architecture)
  const scaled = scaledSize(image, scale)
  const ratio = Math.max(scaled.width / image.width, scaled.height / image.height)
  let region = tile
  while (2 * region * ratio <= covered && region < Math.max(image.width, image.height)) region *= 2
  while (region * ratio > covered && region % 2 === 0 && region > SMALLEST_PART) region /= 2
  const halo = haloOf(architecture, image)
  const wanted = Math.min(region * ratio, Math.max(scaled.width, scaled.height)) + 2 * (halo + step)
  const side = roundedUp(wanted, SIZES_APART * step)
  return { image, tile, side, covered: region, scaled }
}

/** Images of nearly one size share a compiled network. */
const SIZES_APART = 4
const roundedUp = (value: number, step: number): number => Math.ceil(value / step) * step

/** Pixels beyond its own that a label depends on, a multiple of the stride. */
function haloOf(architecture: Architecture, { gaps }: Pick<CatalogueImage, 'gaps'>): number {
  const step = windowStep(architecture)
  return Math.ceil((receptiveHalo(architecture) + (gaps ? BORROWED : 0)) / step) * step
}

/** Tiles across and down an image. */
export const tilesOf = ({ image, tile }: Plan): { columns: number; rows: number } => ({
  columns: Math.ceil(image.width / tile),
  rows: Math.ceil(image.height / tile)
})

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
          const area = {
            left,
            top,
            width: Math.min(covered, image.width - left),
            height: Math.min(covered, image.height - top)
          }
          regions.push({
            area,
            window: windowOf(plan, architecture, left, top),
            cells: cellsIn(plan, architecture, area)
          })
        }
      }
      yield { column, row, across, down, regions }
    }
  }
}

/** Rows of blocks begin at multiples of so many tiles. */
export const blockRows = ({ covered, tile }: Plan): number => Math.max(1, covered / tile)

function windowOf({ image, scaled, side }: Plan, architecture: Architecture, left: number, top: number): Window {
  const step = windowStep(architecture)
  const halo = haloOf(architecture, image)
  const start = (at: number, ratio: number): number => Math.floor((at * ratio - halo) / step) * step
  return {
    left: start(left, scaled.width / image.width),
    top: start(top, scaled.height / image.height),
    width: side,
    height: side
  }
}

/** The network's resolution over an image: cells across and down, and how many pixels of the full image one covers. */
export interface CellGrid extends Size {
  cell: Size
}

export function cellGrid({ image, scaled }: Plan, architecture: Architecture): CellGrid {
  const stride = outputStride(architecture)
  return {
    width: Math.ceil(scaled.width / stride),
    height: Math.ceil(scaled.height / stride),
    cell: { width: (stride * image.width) / scaled.width, height: (stride * image.height) / scaled.height }
  }
}

/** Every cell of an image lies in exactly one of the areas that cover it. */
function cellsIn(plan: Plan, architecture: Architecture, { left, top, width, height }: Window): Window {
  const { image } = plan
  const grid = cellGrid(plan, architecture)
  const first = (at: number, length: number, cell: number, cells: number): number =>
    at >= length ? cells : Math.max(0, Math.ceil(at / cell - 0.5))
  const column = first(left, image.width, grid.cell.width, grid.width)
  const row = first(top, image.height, grid.cell.height, grid.height)
  return {
    left: column,
    top: row,
    width: first(left + width, image.width, grid.cell.width, grid.width) - column,
    height: first(top + height, image.height, grid.cell.height, grid.height) - row
  }
}

/** Rows of cells that lie above a row of tiles. */
export function cellRowsAbove(plan: Plan, architecture: Architecture, row: number): number {
  const { image, tile } = plan
  return cellsIn(plan, architecture, { left: 0, top: Math.min(row * tile, image.height), width: 0, height: 0 }).top
}

/** Labels of a tile, by head: the most probable cluster of each pixel, 255 without data. */
export type TileLabels = Record<string, Uint8Array>

/** Assignment probabilities of a region's cells, by head: a plane a cluster, 0…254 of 254, 255 without data. */
export type CellProbabilities = Record<string, Uint8Array>

/** Who takes what is found. */
export interface Sink {
  tile(column: number, row: number, labels: TileLabels): Promise<void>
  cells?(cells: Window, probabilities: CellProbabilities): Promise<void>
  /** What the cells of a region add up to, by head. */
  sums?(sums: HeadSums): void
}

export interface Segmenter {
  /**
   * Labels a block: reads its regions one after the other and gives its tiles row by row.
   * @param read  the next region's window
   */
  label(plan: Plan, block: Block, read: () => Promise<ReadWindow>, sink: Sink): Promise<void>
  /** Milliseconds in which it waited for windows to be read and for tiles to be taken. */
  waited(): number
  dispose(): Promise<void>
}

/** The network and the enlargement of its heatmaps on a backend, compiled for each size once. */
export function createSegmenter(backend: Backend, { architecture, weights, subHeads, trunk }: Model): Segmenter {
  const folded = foldWeights(architecture, weights)
  const stride = outputStride(architecture)
  const compiled = sharedWork<Execution>({ most: MOST_COMPILED, end: (execution) => execution.dispose() })
  let waited = 0
  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const started = performance.now()
    const result = await work
    waited += performance.now() - started
    return result
  }

  return {
    async label(plan, block, read, sink) {
      const { image, tile } = plan
      const tiles = Array.from({ length: block.across * block.down }, () =>
        Object.fromEntries(architecture.heads.map(({ name }) => [name, new Uint8Array(tile * tile).fill(NO_LABEL)]))
      )
      for (const { area, window, cells } of block.regions) {
        const { values, valid } = await timed(read())
        const planes = (of: (name: string, clusters: number) => Uint8Array): CellProbabilities =>
          Object.fromEntries(architecture.heads.map(({ name, clusters }) => [name, of(name, clusters)]))
        if (valid && !valid.includes(1)) {
          if (sink.cells)
            await timed(
              sink.cells(
                cells,
                planes((_, clusters) => new Uint8Array(clusters * cells.width * cells.height).fill(NO_LABEL))
              )
            )
          continue
        }
        const masked = image.gaps === true
        const ones = masked ? Float32Array.from(valid ?? new Uint8Array(window.width ** 2).fill(1)) : undefined
        const rows =
          architecture.upright &&
          rowPlaces(architecture, { top: window.top, window: window.width, height: plan.scaled.height })
        const backbone = trunk && (await trunk.features(values, window.width))
        const make = (): Promise<Execution> =>
          backend.compile(inferenceProgram(architecture, subHeads, { window: window.width, masked }), folded)
        const heatmaps = await compiled.use(`${window.width} ${masked}`, { make }, (network) =>
          network.run({
            image: values,
            ...(ones && { valid: ones }),
            ...(rows && { rows }),
            ...(backbone && { backbone })
          })
        )
        const covered = coveredBy(window)
        const full = architecture.guidedFilter && {
          values: meanOfPlanes(values, window.width ** 2),
          side: window.width
        }
        const view = sink.sums && {
          cells,
          cell: cellGrid(plan, architecture).cell,
          bands: meanBands(cells, { values, valid, window, stride })
        }
        const first = { row: cells.top - covered.top / stride, column: cells.left - covered.left / stride }
        const sums: HeadSums = {}
        for (const { name, clusters } of architecture.heads) {
          const heatmap = {
            values: heatmaps[`heatmap${name}`],
            side: covered.width / stride,
            clusters,
            models: full && { slopes: heatmaps[`slopes${name}`], guide: heatmaps.guide }
          }
          const winners = strongest(heatmap)
          if (view) sums[name] = sumsOf(view, heatmap, winners, first)
          enlarge(
            plan,
            block,
            { area, window, covered },
            { ...heatmap, winners },
            full,
            tiles.map((labels) => labels[name])
          )
        }
        sink.sums?.(sums)
        if (valid) blank(plan, block, area, window, valid, tiles)
        if (sink.cells)
          await timed(
            sink.cells(
              cells,
              planes((name, clusters) =>
                cellPlanes(
                  { values: heatmaps[`heatmap${name}`], side: covered.width / stride, clusters },
                  cells,
                  { window, covered, stride },
                  valid
                )
              )
            )
          )
      }
      for (const [i, labels] of tiles.entries())
        await timed(sink.tile(block.column + (i % block.across), block.row + Math.floor(i / block.across), labels))
    },
    waited: () => waited,
    dispose: () => compiled.close()
  }

  /** What of a window its heatmaps cover. */
  function coveredBy({ left, top, width, height }: Window): Window {
    const margin = heatmapMargin(architecture)
    return { left: left + margin, top: top + margin, width: width - 2 * margin, height: height - 2 * margin }
  }

  /** Writes the labels of an area into the tiles that it lies in, from a heatmap that covers a part of a window. */
  function enlarge(
    { image, scaled, tile }: Plan,
    block: Block,
    { area, window, covered }: Record<'area' | 'window' | 'covered', Window>,
    { winners, ...heatmap }: Heatmap & { winners: Uint8Array },
    guide: Pick<FullGuide, 'values' | 'side'> | undefined,
    tiles: readonly Uint8Array[]
  ): void {
    const along = (start: number, length: number, ratio: number, origin: number): Placement =>
      placements(length, heatmap.side, (i) => ((start + i + 0.5) * ratio - origin) / stride - 0.5)
    const inWindow = (start: number, length: number, ratio: number, origin: number): Placement =>
      placements(length, window.width, (i) => (start + i + 0.5) * ratio - origin - 0.5)
    for (let row = Math.floor(area.top / tile); row * tile < area.top + area.height; row++) {
      const [top, bottom] = [Math.max(area.top, row * tile), Math.min(area.top + area.height, (row + 1) * tile)]
      const down = [top, bottom - top, scaled.height / image.height] as const
      const rows = along(...down, covered.top)
      const guideRows = inWindow(...down, window.top)
      for (let column = Math.floor(area.left / tile); column * tile < area.left + area.width; column++) {
        const [left, right] = [
          Math.max(area.left, column * tile),
          Math.min(area.left + area.width, (column + 1) * tile)
        ]
        const across = [left, right - left, scaled.width / image.width] as const
        const columns = along(...across, covered.left)
        const full = guide && { ...guide, rows: guideRows, columns: inWindow(...across, window.left) }
        const within = { left: left - column * tile, top: top - row * tile, width: right - left, height: bottom - top }
        enlargeLabels(
          heatmap,
          winners,
          { rows, columns, full },
          tiles[(row - block.row) * block.across + column - block.column],
          tile,
          within
        )
      }
    }
  }
}

/** Takes the labels away where there is no data. */
function blank(
  { image, scaled, tile }: Plan,
  block: Block,
  area: Window,
  window: Window,
  valid: Uint8Array,
  tiles: readonly TileLabels[]
): void {
  const [across, down] = [scaled.width / image.width, scaled.height / image.height]
  const columns = Int32Array.from(
    { length: area.width },
    (_, c) => Math.min(Math.floor((area.left + c + 0.5) * across), scaled.width - 1) - window.left
  )
  for (let y = area.top; y < area.top + area.height; y++) {
    const from = (Math.min(Math.floor((y + 0.5) * down), scaled.height - 1) - window.top) * window.width
    for (let c = 0; c < area.width; c++) {
      if (valid[from + columns[c]]) continue
      const x = area.left + c
      const [row, column] = [Math.floor(y / tile), Math.floor(x / tile)]
      for (const plane of Object.values(tiles[(row - block.row) * block.across + column - block.column]))
        plane[(y - row * tile) * tile + x - column * tile] = NO_LABEL
    }
  }
}

/** Planes of the probabilities of some cells; cells none of whose pixels holds data have none. */
function cellPlanes(
  { values, side, clusters }: Heatmap,
  cells: Window,
  { window, covered, stride }: { window: Window; covered: Window; stride: number },
  valid?: Uint8Array
): Uint8Array {
  const planes = new Uint8Array(clusters * cells.width * cells.height)
  for (let r = 0; r < cells.height; r++) {
    const y = (cells.top + r) * stride
    for (let c = 0; c < cells.width; c++) {
      const x = (cells.left + c) * stride
      const there = !valid || holdsData(valid, window.width, x - window.left, y - window.top, stride)
      const from = (((y - covered.top) / stride) * side + (x - covered.left) / stride) * clusters
      for (let k = 0; k < clusters; k++)
        planes[(k * cells.height + r) * cells.width + c] = there
          ? Math.round(Math.min(Math.max(values[from + k], 0), 1) * SURE)
          : NO_LABEL
    }
  }
  return planes
}

function holdsData(valid: Uint8Array, width: number, left: number, top: number, side: number): boolean {
  for (let y = top; y < top + side; y++)
    if (valid.subarray(y * width + left, y * width + left + side).includes(1)) return true
  return false
}
