import { SmaltiError } from '../contract/errors.ts'
import { NO_LABEL } from '../contract/labels.ts'
import { placements } from '../imagery/grid.ts'
import { fileAt } from '../imagery/location.ts'
import { openRaster } from '../imagery/reading/openRaster.ts'
import type { Raster, Size, Window } from '../imagery/raster.ts'
import type { LabelSource } from './source.ts'
import { type RasterNotes, tilesAlong } from './tiffFile.ts'
import { type RasterFile, RasterWriter, rowsWritten } from './writer.ts'

/** Side of a heatmap's tiles, in cells of the network's resolution; usually covers as much as a label tile. */
const TILE = 128
const TILE_MULTIPLE = 16

/** Probabilities of clusters at the network's resolution: one band per cluster, 0…254 of 254, 255 without data. */
export interface HeatmapFile extends Size {
  /** First row of cells in the file. */
  top: number
  clusters: number
  notes: RasterNotes
  key: string
}

function rasterOf({ width, height, clusters, notes, key }: HeatmapFile): RasterFile {
  const tile = Math.min(TILE, Math.ceil(Math.max(width, height) / TILE_MULTIPLE) * TILE_MULTIPLE)
  return { width, height, tile, bands: clusters, overviews: 'mean', notes, key }
}

/** Returns the row of cells above which the heatmap is already written. */
export async function cellRowsWritten(path: string, file: HeatmapFile): Promise<number> {
  const raster = rasterOf(file)
  return file.top + Math.min(file.height, (await rowsWritten(path, raster)) * raster.tile)
}

/** Collects cells, which arrive by areas of the image, into tiles of a raster, and writes each complete tile. */
export class HeatmapWriter {
  readonly #file: HeatmapFile
  readonly #tile: number
  readonly #raster: RasterWriter
  readonly #pending = new Map<string, { planes: Uint8Array; missing: number }>()

  private constructor(file: HeatmapFile, tile: number, raster: RasterWriter) {
    this.#file = file
    this.#tile = tile
    this.#raster = raster
  }

  /** Starts a heatmap, or resumes one that was started for the same key. @throws DiskFull, FolderNotWritable */
  static async open(path: string, file: HeatmapFile): Promise<HeatmapWriter> {
    const raster = rasterOf(file)
    return new HeatmapWriter(file, raster.tile, await RasterWriter.open(path, raster))
  }

  /**
   * Adds cells of the image, `planes` [clusters, rows, columns]. Cells that are already written are ignored.
   * @throws DiskFull, FolderNotWritable
   */
  async add(cells: Window, planes: Uint8Array): Promise<void> {
    const [tile, top] = [this.#tile, cells.top - this.#file.top]
    if (cells.width === 0 || cells.height === 0) return
    for (let row = Math.max(Math.floor(top / tile), this.#raster.rowsDone); row * tile < top + cells.height; row++) {
      for (let column = Math.floor(cells.left / tile); column * tile < cells.left + cells.width; column++) {
        const whole = this.#join(column, row, { ...cells, top }, planes)
        if (!whole) continue
        for (let band = 0; band < this.#file.clusters; band++)
          await this.#raster.write(column, row, whole.subarray(band * tile * tile, (band + 1) * tile * tile), band)
      }
    }
  }

  /** Copies a tile's share of some cells. Returns its planes once the tile is complete. */
  #join(column: number, row: number, cells: Window, planes: Uint8Array): Uint8Array | undefined {
    const { width, height, clusters } = this.#file
    const [tile, key] = [this.#tile, `${column} ${row}`]
    const [left, top] = [Math.max(cells.left, column * tile), Math.max(cells.top, row * tile)]
    const [right, bottom] = [
      Math.min(cells.left + cells.width, (column + 1) * tile),
      Math.min(cells.top + cells.height, (row + 1) * tile)
    ]
    let begun = this.#pending.get(key)
    if (!begun) {
      const missing = Math.min(tile, width - column * tile) * Math.min(tile, height - row * tile)
      begun = { planes: new Uint8Array(clusters * tile * tile).fill(NO_LABEL), missing }
      this.#pending.set(key, begun)
    }
    for (let k = 0; k < clusters; k++) {
      for (let y = top; y < bottom; y++) {
        const from = (k * cells.height + y - cells.top) * cells.width - cells.left
        begun.planes.set(
          planes.subarray(from + left, from + right),
          (k * tile + y - row * tile) * tile + left - column * tile
        )
      }
    }
    begun.missing -= (right - left) * (bottom - top)
    if (begun.missing > 0) return undefined
    this.#pending.delete(key)
    return begun.planes
  }

  /** Declares all cells above a row of the image complete. @throws DiskFull, FolderNotWritable */
  async endRows(row: number): Promise<void> {
    const rows = row - this.#file.top
    const done = rows >= this.#file.height ? tilesAlong(this.#file.height, this.#tile) : Math.floor(rows / this.#tile)
    if (done > this.#raster.rowsDone) await this.#raster.endRows(done)
  }

  /** Completes the file and gives it its name. @throws DiskFull, FolderNotWritable */
  finish(): Promise<void> {
    return this.#raster.finish()
  }

  /** Closes the unfinished file so that it can be resumed. @throws DiskFull, FolderNotWritable */
  pause(): Promise<void> {
    return this.#raster.pause()
  }
}

/** Reads all planes of some cells, [bands, rows, columns]. @throws UnreadableImage, Cancelled */
export async function cellsOf(raster: Raster, cells: Window, signal?: AbortSignal): Promise<Uint8Array> {
  const { bands } = await raster.read(cells, { signal })
  const planes = new Uint8Array(bands.length * cells.width * cells.height)
  bands.forEach((plane, k) => planes.set(plane, k * cells.width * cells.height))
  return planes
}

/** Probabilities of classes at the network's resolution, read by windows of cells. */
export interface Heatmap extends Size {
  classes: number
  /** Number of image pixels that a cell covers. */
  cell: Size
  /** Reads planes [classes, rows, columns] of 0…254 of 254, 255 without data. @throws UnreadableImage, Cancelled */
  read(cells: Window, signal?: AbortSignal): Promise<Uint8Array>
  close(): Promise<void>
}

/**
 * Opens a heatmap of clusters, or of classes.
 * @param classOf  the class of each cluster; probabilities of a class's clusters are added up, and clusters without a
 *                 class (255) are left out
 * @throws UnreadableImage
 */
export async function openHeatmap(
  path: string,
  cell: Size,
  classOf?: { table: Uint8Array; classes: number }
): Promise<Heatmap> {
  const raster = await openRaster(fileAt(path))
  return {
    width: raster.width,
    height: raster.height,
    classes: classOf?.classes ?? raster.bands.length,
    cell,
    async read(cells, signal) {
      const planes = await cellsOf(raster, cells, signal)
      return classOf ? addedUp(planes, cells.width * cells.height, classOf) : planes
    },
    close: () => raster.close()
  }
}

function addedUp(
  planes: Uint8Array,
  pixels: number,
  { table, classes }: { table: Uint8Array; classes: number }
): Uint8Array {
  const sums = new Uint16Array(classes * pixels)
  for (let k = 0; k * pixels < planes.length; k++) {
    if (table[k] === NO_LABEL) continue
    for (let i = 0; i < pixels; i++) sums[table[k] * pixels + i] += planes[k * pixels + i]
  }
  // Rounded parts may add up to slightly more than the whole. A cell without data has no data for any class.
  return Uint8Array.from(sums, (sum, at) => (planes[at % pixels] === NO_LABEL ? NO_LABEL : Math.min(sum, NO_LABEL - 1)))
}

/** Writes a heatmap of classes to a separate raster. @throws Cancelled, DiskFull, FolderNotWritable, UnreadableImage */
export async function writeHeatmap(
  path: string,
  heatmap: Heatmap,
  { notes, key }: Pick<HeatmapFile, 'notes' | 'key'>,
  signal: AbortSignal
): Promise<void> {
  const { width, height, classes } = heatmap
  const writer = await HeatmapWriter.open(path, { width, height, top: 0, clusters: classes, notes, key })
  try {
    for (let top = 0; top < height; top += TILE) {
      for (let left = 0; left < width; left += TILE) {
        if (signal.aborted) throw new SmaltiError('Cancelled')
        const cells = { left, top, width: Math.min(TILE, width - left), height: Math.min(TILE, height - top) }
        await writer.add(cells, await heatmap.read(cells, signal))
      }
      await writer.endRows(Math.min(top + TILE, height))
    }
    await writer.finish()
  } catch (fault) {
    await writer.pause().catch(() => undefined)
    throw fault
  }
}

/**
 * Returns the probability of each pixel's most probable class, 0…254 of 254, with bilinear interpolation between cells;
 * 255 where there is no label.
 */
export function confidenceOf(heatmap: Heatmap, labels: LabelSource): LabelSource {
  const { cell, classes } = heatmap
  return {
    ...labels,
    async read(window, signal) {
      const confidence = await labels.read(window, signal)
      const columns = placementsIn(window.left, window.width, cell.width, heatmap.width)
      const rows = placementsIn(window.top, window.height, cell.height, heatmap.height)
      const cells = { left: columns.first, top: rows.first, width: columns.count, height: rows.count }
      const planes = await heatmap.read(cells, signal)
      const [pixels, right] = [cells.width * cells.height, cells.width > 1 ? 1 : 0]
      const blended = new Float32Array(classes * cells.width)
      const weights = new Float32Array(cells.width)
      for (let y = 0, at = 0; y < window.height; y++) {
        const [upper, down] = [rows.before[y] * cells.width, rows.weight[y]]
        blendRows(
          planes,
          { classes, pixels, width: cells.width },
          upper,
          cells.height > 1 ? upper + cells.width : upper,
          down,
          blended,
          weights
        )
        for (let x = 0; x < window.width; x++, at++) {
          if (confidence[at] === NO_LABEL) continue
          const [before, across] = [columns.before[x], columns.weight[x]]
          const whole = weights[before] * (1 - across) + weights[before + right] * across
          let most = 0
          for (let k = before; k < blended.length; k += cells.width)
            most = Math.max(most, blended[k] * (1 - across) + blended[k + right] * across)
          confidence[at] = whole > 0 ? Math.round(most / whole) : NO_LABEL
        }
      }
      return confidence
    },
    async close() {
      await heatmap.close()
      await labels.close()
    }
  }
}

/**
 * Interpolates between two rows of cells, weighting each cell by whether it contains data. Also returns the weights.
 */
function blendRows(
  planes: Uint8Array,
  { classes, pixels, width }: { classes: number; pixels: number; width: number },
  upper: number,
  lower: number,
  down: number,
  blended: Float32Array,
  weights: Float32Array
): void {
  for (let c = 0; c < width; c++) {
    const [above, below] = [planes[upper + c] === NO_LABEL ? 0 : 1 - down, planes[lower + c] === NO_LABEL ? 0 : down]
    weights[c] = above + below
    for (let k = 0; k < classes; k++)
      blended[k * width + c] = above * planes[k * pixels + upper + c] + below * planes[k * pixels + lower + c]
  }
}

/**
 * Finds the cells around a range of pixels along one axis: the range needed and, for each pixel, the cell before it,
 * counted from the first, with the weight of the next.
 */
function placementsIn(
  start: number,
  length: number,
  cell: number,
  cells: number
): { first: number; count: number; before: Int32Array; weight: Float32Array } {
  const { before, weight } = placements(length, cells, (i) => (start + i + 0.5) / cell - 0.5)
  const first = before[0]
  const count = Math.min(before[length - 1] + 2, cells) - first
  return { first, count, before: before.map((at) => at - first), weight }
}
