import type { CatalogueImage } from '../contract/imagery.ts'
import { BORROWED, type Scale, scaledSize } from '../imagery/pictures.ts'
import type { Size, Window } from '../imagery/raster.ts'
import { type Architecture, outputStride, receptiveHalo, windowStep } from '../learning/network/architecture.ts'

/**
 * Side that a window of the network should cover, in input pixels: large enough that the halo is a small part of the
 * work.
 */
const COVERED = 512

const COVERED_WITH_WIDE_HALO = 1024

const WIDE_HALO = 64

const SMALLEST_PART = 32

/** A part of an image that the network labels in one go. */
export interface Region {
  /** In pixels of the full image: whole tiles, or a part of one. */
  area: Window
  /** Window that the network reads, in pixels of the scaled image; it may extend beyond it. */
  window: Window
  /** Pixels at the network's resolution whose centres are in the area. */
  cells: Window
}

/** A block of whole tiles and the regions that label it, in reading order. */
export interface Block {
  /** First tile, and number of tiles across and down. */
  column: number
  row: number
  across: number
  down: number
  regions: Region[]
}

/** The division of an image into windows. */
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
 * Divides an image into windows. A window starts at a multiple of the network's stride, includes a halo of everything
 * that the network sees, and continues the image mirrored, so that labels do not depend on where windows are. A window
 * covers several tiles where the image is scaled down, and a part of one where it is enlarged.
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

/**
 * Window sides are rounded to multiples of this many steps, so that images of similar size share a compiled network.
 */
const SIZES_APART = 4

const roundedUp = (value: number, step: number): number => Math.ceil(value / step) * step

/** Pixels beyond its own on which a label depends, a multiple of the stride. */
function haloOf(architecture: Architecture, { gaps }: Pick<CatalogueImage, 'gaps'>): number {
  const step = windowStep(architecture)
  return Math.ceil((receptiveHalo(architecture) + (gaps ? BORROWED : 0)) / step) * step
}

/** Number of tiles across and down an image. */
export const tilesOf = ({ image, tile }: Plan): { columns: number; rows: number } => ({
  columns: Math.ceil(image.width / tile),
  rows: Math.ceil(image.height / tile)
})

/** Yields the blocks between two rows of tiles, row by row. The first row of tiles must begin a block. */
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

/** Rows of tiles in a row of blocks. */
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

/** The network's resolution over an image: cells across and down, and the size of one in pixels of the full image. */
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

/** Returns the cells in an area. Areas that cover an image contain each of its cells exactly once. */
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

/** Number of rows of cells above a row of tiles. */
export function cellRowsAbove(plan: Plan, architecture: Architecture, row: number): number {
  const { image, tile } = plan
  return cellsIn(plan, architecture, { left: 0, top: Math.min(row * tile, image.height), width: 0, height: 0 }).top
}
