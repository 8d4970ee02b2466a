import type { Backend, Execution } from '../backends/program.ts'
import { NO_LABEL, SURE } from '../contract/labels.ts'
import { type Placement, placements } from '../imagery/grid.ts'
import type { Window } from '../imagery/raster.ts'
import { sharedWork } from '../imagery/reading/sharedWork.ts'
import { inferenceProgram, rowPlaces } from '../learning/inference.ts'
import { type Architecture, heatmapMargin, outputStride } from '../learning/network/architecture.ts'
import type { FrozenTrunk } from '../learning/network/backbone.ts'
import { foldWeights } from '../learning/network/forward.ts'
import { type HeadSums, meanBands, sumsOf } from './clusterSums.ts'
import { type FullGuide, type Heatmap, enlargeLabels, meanOfPlanes, strongest } from './enlarge.ts'
import { type Region, type Block, type Plan, cellGrid } from './plan.ts'

/** Compiled networks to keep, each for windows of one size. */
const MOST_COMPILED = 4

export interface Model {
  architecture: Architecture
  weights: Record<string, Float32Array>
  subHeads: Record<string, number>
  /** Computes the features where the trunk is a pretrained network. */
  trunk?: FrozenTrunk
}

/** Values read for a region: z-scored planes of a square window, and which of its pixels have data. */
export interface ReadWindow {
  values: Float32Array
  valid?: Uint8Array
}

/** Labels of a tile, by head: the most probable cluster of each pixel, 255 for no data. */
export type TileLabels = Record<string, Uint8Array>

/** Assignment probabilities of a region's cells, by head: one plane per cluster, 0…254 of 254, 255 for no data. */
export type CellProbabilities = Record<string, Uint8Array>

/** Receives the results. */
export interface Sink {
  tile(column: number, row: number, labels: TileLabels): Promise<void>
  cells?(cells: Window, probabilities: CellProbabilities): Promise<void>
  /** Receives the sums over a region's cells, by head. */
  sums?(sums: HeadSums): void
}

export interface Segmenter {
  /**
   * Labels a block: reads its regions one after the other and delivers its tiles row by row.
   * @param read  reads the next region's window
   */
  label(plan: Plan, block: Block, read: () => Promise<ReadWindow>, sink: Sink): Promise<void>
  /** Milliseconds spent waiting for windows to be read and for tiles to be accepted. */
  waited(): number
  dispose(): Promise<void>
}

/** Labels blocks of an image: runs the network on a backend and enlarges its heatmaps. */
export function createSegmenter(backend: Backend, model: Model): Segmenter {
  const { heads } = model.architecture
  const network = createNetwork(backend, model)
  const stride = outputStride(model.architecture)
  let waited = 0
  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const started = performance.now()
    const result = await work
    waited += performance.now() - started
    return result
  }
  const planes = (of: (name: string, clusters: number) => Uint8Array): CellProbabilities =>
    Object.fromEntries(heads.map(({ name, clusters }) => [name, of(name, clusters)]))

  return {
    async label(plan, block, read, sink) {
      const tiles = Array.from({ length: block.across * block.down }, () =>
        Object.fromEntries(heads.map(({ name }) => [name, new Uint8Array(plan.tile ** 2).fill(NO_LABEL)]))
      )
      for (const region of block.regions) {
        const { cells } = region
        const seen = await timed(read())
        const { valid } = seen
        if (valid && !valid.includes(1)) {
          const nothing = planes((_, clusters) => new Uint8Array(clusters * cells.width * cells.height).fill(NO_LABEL))
          if (sink.cells) await timed(sink.cells(cells, nothing))
          continue
        }
        const found = await network.heatmapsOf(plan, region, seen)
        const sums = labelRegion(model.architecture, plan, block, region, found, tiles, sink.sums && seen)
        sink.sums?.(sums)
        if (valid) blank(plan, block, region.area, region.window, valid, tiles)
        const { window } = region
        const probabilities = (name: string): Uint8Array =>
          cellPlanes(found.heatmaps[name], cells, { window, covered: found.covered, stride }, valid)
        if (sink.cells) await timed(sink.cells(cells, planes(probabilities)))
      }
      for (const [i, labels] of tiles.entries())
        await timed(sink.tile(block.column + (i % block.across), block.row + Math.floor(i / block.across), labels))
    },
    waited: () => waited,
    dispose: () => network.dispose()
  }
}

/** Heatmaps of a window, by head, and the data to enlarge them. */
interface Found {
  heatmaps: Record<string, Heatmap>
  /** The part of the window that the heatmaps cover. */
  covered: Window
  /** The image at full resolution, which guides the enlargement if the network has a guided filter. */
  guide?: Pick<FullGuide, 'values' | 'side'>
}

interface Network {
  heatmapsOf(plan: Plan, region: Region, seen: ReadWindow): Promise<Found>
  dispose(): Promise<void>
}

/** Compiles the network on a backend, once for each window size. */
function createNetwork(backend: Backend, { architecture, weights, subHeads, trunk }: Model): Network {
  const folded = foldWeights(architecture, weights)
  const compiled = sharedWork<Execution>({ most: MOST_COMPILED, end: (execution) => execution.dispose() })
  return {
    async heatmapsOf({ image, scaled }, { window }, { values, valid }) {
      const masked = image.gaps === true
      const ones = masked ? Float32Array.from(valid ?? new Uint8Array(window.width ** 2).fill(1)) : undefined
      const rows =
        architecture.upright &&
        rowPlaces(architecture, { top: window.top, window: window.width, height: scaled.height })
      const backbone = trunk && (await trunk.features(values, window.width))
      const make = (): Promise<Execution> =>
        backend.compile(inferenceProgram(architecture, subHeads, { window: window.width, masked }), folded)
      const output = await compiled.use(`${window.width} ${masked}`, { make }, (network) =>
        network.run({
          image: values,
          ...(ones && { valid: ones }),
          ...(rows && { rows }),
          ...(backbone && { backbone })
        })
      )
      const covered = coveredBy(architecture, window)
      const guide = architecture.guidedFilter && {
        values: meanOfPlanes(values, window.width ** 2),
        side: window.width
      }
      const heatmapOf = (name: string, clusters: number): Heatmap => ({
        values: output[`heatmap${name}`],
        side: covered.width / outputStride(architecture),
        clusters,
        models: guide && { slopes: output[`slopes${name}`], guide: output.guide }
      })
      const heatmaps = architecture.heads.map(({ name, clusters }) => [name, heatmapOf(name, clusters)] as const)
      return { heatmaps: Object.fromEntries(heatmaps), covered, guide }
    },
    dispose: () => compiled.close()
  }
}

/**
 * Writes the labels of a region into its tiles.
 * @param seen  values read for the region, if sums over its cells are wanted
 * @returns     sums over the region's cells, by head; empty if not wanted
 */
function labelRegion(
  architecture: Architecture,
  plan: Plan,
  block: Block,
  { area, window, cells }: Region,
  { heatmaps, covered, guide }: Found,
  tiles: readonly TileLabels[],
  seen?: ReadWindow
): HeadSums {
  const stride = outputStride(architecture)
  const view = seen && {
    cells,
    cell: cellGrid(plan, architecture).cell,
    bands: meanBands(cells, { ...seen, window, stride })
  }
  const first = { row: cells.top - covered.top / stride, column: cells.left - covered.left / stride }
  const sums: HeadSums = {}
  for (const [name, heatmap] of Object.entries(heatmaps)) {
    const winners = strongest(heatmap)
    if (view) sums[name] = sumsOf(view, heatmap, winners, first)
    const planes = tiles.map((labels) => labels[name])
    enlarge(plan, block, { area, window, covered, stride }, { ...heatmap, winners }, guide, planes)
  }
  return sums
}

/** The part of a window that its heatmaps cover. */
function coveredBy(architecture: Architecture, { left, top, width, height }: Window): Window {
  const margin = heatmapMargin(architecture)
  return { left: left + margin, top: top + margin, width: width - 2 * margin, height: height - 2 * margin }
}

/** Writes the labels of an area into its tiles, from a heatmap that covers a part of a window. */
function enlarge(
  { image, scaled, tile }: Plan,
  block: Block,
  { area, window, covered, stride }: Record<'area' | 'window' | 'covered', Window> & { stride: number },
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
      const [left, right] = [Math.max(area.left, column * tile), Math.min(area.left + area.width, (column + 1) * tile)]
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

/** Returns planes of the probabilities of some cells; those without a valid pixel have no data. */
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
