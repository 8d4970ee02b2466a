import { EMPTY_HISTORY, schemeNow } from '../../classes/history.ts'
import { clustersOf } from '../../classes/scheme.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { NO_LABEL, SURE } from '../../contract/labels.ts'
import type { MadePicture, PictureQuery } from '../../contract/window/pictures.ts'
import { placements } from '../../imagery/grid.ts'
import { fileAt } from '../../imagery/location.ts'
import { openRaster } from '../../imagery/reading/openRaster.ts'
import type { Raster, Size, Window } from '../../imagery/raster.ts'
import { storedHead } from '../../project/labelSets.ts'
import { keepOpen, stateOf } from './keptOpen.ts'
import { classHistoryOf, labelledImage } from './labelTile.ts'
import { halved, tileWindow } from './pictures.ts'

const rasters = keepOpen<Raster>()

/**
 * Returns the probability of a class on a tile, or that of the most probable class: 0…254 for 0…1, 255 for no data.
 * @throws NothingSegmented, HeatmapsMissing, UnreadableImage, Cancelled
 */
export async function heatTile(
  { project: folder, head, path, of, level, column, row }: PictureQuery<'heat'>,
  signal: AbortSignal
): Promise<MadePicture> {
  const { project, set, index, image } = await labelledImage(folder, path)
  const { heatmap, table } = storedHead(set, index, image, head)
  if (heatmap === undefined) throw new SmaltiError('HeatmapsMissing', { path })
  const scheme = schemeNow((await classHistoryOf(project)) ?? EMPTY_HISTORY, head, index.classes[head].length)
  const window = tileWindow(halved(image, level), { column, row })
  const bytes = await rasters.use(
    await stateOf(heatmap),
    { signal, make: (opening) => openRaster(fileAt(heatmap), { signal: opening }) },
    (raster) => {
      const stored = raster.bands.map((_, cluster) => cluster)
      const classes = (
        of === 'confidence'
          ? scheme.classes.filter(({ ignored }) => !ignored)
          : scheme.classes.filter(({ id }) => id === of)
      ).map(({ id }) => {
        const own = new Set(clustersOf(scheme, id))
        return stored.filter((cluster) => own.has(table ? table[cluster] : cluster))
      })
      return probabilities(raster, image.heatmaps!.cell, classes, window, level, signal)
    }
  )
  return { type: 'application/octet-stream', bytes, width: window.width, height: window.height }
}

/**
 * Sums each group of bands and returns the largest sum at each pixel of a level, interpolated between the cells'
 * centres.
 */
async function probabilities(
  raster: Raster,
  cell: Size,
  groups: readonly (readonly number[])[],
  window: Window,
  level: number,
  signal: AbortSignal
): Promise<Uint8Array> {
  // The stored level whose cells are as large as the tile's pixels, or a little larger.
  const stored = Math.min(
    raster.levels.length - 1,
    Math.max(0, level - Math.round(Math.log2(Math.max(cell.width, cell.height))))
  )
  const size = raster.levels[stored]
  const step = 2 ** (level - stored)
  const columns = placedIn(window.left, window.width, step / cell.width, size.width)
  const rows = placedIn(window.top, window.height, step / cell.height, size.height)
  const cells = { left: columns.first, top: rows.first, width: columns.count, height: rows.count }
  const bands = [...new Set(groups.flat())]
  // A class that has none of the network's clusters has probability 0 everywhere; any band shows where there is data.
  const planes = (await raster.read(cells, { level: stored, bands: bands.length > 0 ? bands : [0], signal }))
    .bands as Uint8Array[]
  const result = new Uint8Array(window.width * window.height)
  const [right, down] = [cells.width > 1 ? 1 : 0, cells.height > 1 ? cells.width : 0]
  const sums = groups.map((group) => {
    const sum = new Float32Array(cells.width * cells.height)
    for (const band of group)
      planes[bands.indexOf(band)].forEach((value, i) => (sum[i] += value === NO_LABEL ? 0 : value))
    return sum
  })
  for (let y = 0, i = 0; y < window.height; y++) {
    for (let x = 0; x < window.width; x++, i++) {
      const at = rows.before[y] * cells.width + columns.before[x]
      const [across, below] = [columns.weight[x], rows.weight[y]]
      const corners = [at, at + right, at + down, at + down + right]
      const weights = [(1 - across) * (1 - below), across * (1 - below), (1 - across) * below, across * below].map(
        (weight, c) => (planes[0][corners[c]] === NO_LABEL ? 0 : weight)
      )
      const whole = weights[0] + weights[1] + weights[2] + weights[3]
      if (whole === 0) {
        result[i] = NO_LABEL
        continue
      }
      let most = 0
      for (const sum of sums)
        most = Math.max(
          most,
          weights[0] * sum[corners[0]] +
            weights[1] * sum[corners[1]] +
            weights[2] * sum[corners[2]] +
            weights[3] * sum[corners[3]]
        )
      result[i] = Math.min(SURE, Math.round(most / whole))
    }
  }
  return result
}

/**
 * Finds the cells around pixels along an axis: the first one, their number, and for each pixel the cell before it and
 * the weight of the next.
 */
function placedIn(
  start: number,
  length: number,
  cellsPerPixel: number,
  cells: number
): { first: number; count: number; before: Int32Array; weight: Float32Array } {
  const { before, weight } = placements(length, cells, (i) => (start + i + 0.5) * cellsPerPixel - 0.5)
  const first = before[0]
  return {
    first,
    count: Math.min(before[length - 1] + 2, cells) - first,
    before: before.map((at) => at - first),
    weight
  }
}
