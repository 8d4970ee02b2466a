import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileAt } from '../../../src-main/imagery/location.ts'
import { openRaster } from '../../../src-main/imagery/reading/openRaster.ts'
import type { Window } from '../../../src-main/imagery/raster.ts'
import {
  type HeatmapFile,
  HeatmapWriter,
  cellRowsWritten,
  cellsOf,
  confidenceOf,
  openHeatmap,
  writeHeatmap
} from '../../../src-main/labels/heatmaps.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'
import { interpolationMatrix } from '../../../src-main/learning/views/geometry.ts'
import { labelsOf, readAll } from '../../fixtures/labels.ts'

const [width, height, clusters] = [300, 270, 3]
const cell = { width: 3.7, height: 4.1 }
const signal = new AbortController().signal
const file: HeatmapFile = {
  width,
  height,
  top: 0,
  clusters,
  key: 'k',
  notes: { tags: [], nodata: 255, names: ['one', 'two', 'three'], step: 1 / 254 }
}
const uniform = uniformFrom(3)
const planes = Uint8Array.from({ length: clusters * width * height }, () => Math.floor(uniform() * 255))
// A corner without data.
for (let k = 0; k < clusters; k++)
  for (let r = 0; r < 90; r++) planes.fill(255, (k * height + r) * width, (k * height + r) * width + 70)

let folder: string
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'smalti-heatmaps-'))))
afterEach(() => rm(folder, { recursive: true }))

const cut = ({ left, top, width: w, height: h }: Window, from = planes, of = clusters): Uint8Array =>
  Uint8Array.from(
    { length: of * w * h },
    (_, i) => from[(Math.floor(i / (w * h)) * height + top + (Math.floor(i / w) % h)) * width + left + (i % w)]
  )

/** Writes areas of `step` × `step` cells, which don't match tiles, from one row to another. */
async function give(writer: HeatmapWriter, step: number, from: number, to: number): Promise<void> {
  for (let top = from; top < to; top += step) {
    for (let left = 0; left < width; left += step) {
      const cells = { left, top, width: Math.min(step, width - left), height: Math.min(step, to - top) }
      await writer.add(cells, cut(cells))
    }
    await writer.endRows(Math.min(top + step, to))
  }
}

describe('heatmaps', () => {
  it('are read back unchanged, one band per cluster, with averaged overviews', async () => {
    const path = join(folder, 'heat.tif')
    const writer = await HeatmapWriter.open(path, file)
    await give(writer, 50, 0, height)
    await writer.finish()
    const raster = await openRaster(fileAt(path))
    expect(raster.levels).toEqual([
      { width, height },
      { width: 150, height: 135 },
      { width: 75, height: 68 }
    ])
    expect(Buffer.compare(await cellsOf(raster, { left: 0, top: 0, width, height }), planes)).toBe(0)
    const half = (await raster.read({ left: 0, top: 0, width: 150, height: 135 }, { level: 1 })).bands
    for (let i = 0; i < 1000; i++) {
      const [k, x, y] = [i % clusters, Math.floor(uniform() * 150), Math.floor(uniform() * 135)]
      const four = [0, 1]
        .flatMap((dy) => [0, 1].map((dx) => planes[(k * height + 2 * y + dy) * width + 2 * x + dx]))
        .filter((value) => value !== 255)
      expect(half[k][y * 150 + x]).toBe(four.length > 0 ? Math.round(four.reduce((a, b) => a + b) / four.length) : 255)
    }
    await raster.close()
  })

  it.each([50, 150, 250])('have the same bytes if they are resumed after %d rows of cells', async (rows) => {
    const [undisturbed, resumed] = [join(folder, 'whole.tif'), join(folder, 'resumed.tif')]
    const writer = await HeatmapWriter.open(undisturbed, file)
    await give(writer, 50, 0, height)
    await writer.finish()
    const stopped = await HeatmapWriter.open(resumed, file)
    await give(stopped, 50, 0, rows)
    await stopped.pause()
    const told = await cellRowsWritten(resumed, file)
    expect(told).toBe(Math.floor(rows / 128) * 128)
    const again = await HeatmapWriter.open(resumed, file)
    await give(again, 50, Math.floor(told / 50) * 50, height)
    await again.finish()
    expect(Buffer.compare(await readFile(resumed), await readFile(undisturbed))).toBe(0)
  })

  it('add up the clusters of each class, and leave out clusters without a class', async () => {
    const [path, classed] = [join(folder, 'heat.tif'), join(folder, 'classed.tif')]
    const writer = await HeatmapWriter.open(path, file)
    await give(writer, 128, 0, height)
    await writer.finish()
    const table = new Uint8Array(256).fill(255)
    table.set([1, 0, 1])
    const heatmap = await openHeatmap(path, cell, { table, classes: 2 })
    await writeHeatmap(classed, heatmap, { notes: file.notes, key: 'c' }, signal)
    await heatmap.close()
    const raster = await openRaster(fileAt(classed))
    const [first, second] = (await raster.read({ left: 0, top: 0, width, height })).bands
    const size = width * height
    expect(first.every((value, i) => value === planes[size + i])).toBe(true)
    expect(
      second.every((value, i) => value === (planes[i] === 255 ? 255 : Math.min(254, planes[i] + planes[2 * size + i])))
    ).toBe(true)
    await raster.close()
  })

  it('give each pixel’s confidence according to the direct formula, whatever the windows', async () => {
    const path = join(folder, 'heat.tif')
    const writer = await HeatmapWriter.open(path, file)
    await give(writer, 128, 0, height)
    await writer.finish()
    const [w, h] = [Math.round(width * cell.width), Math.round(height * cell.height)]
    const labels = new Uint8Array(w * h).fill(1)
    labels.fill(255, 5 * w, 5 * w + 40)
    const confidence = confidenceOf(await openHeatmap(path, cell), labelsOf(labels, w))
    const found = await readAll(confidence, 1200)
    expect(Buffer.compare(await readAll(confidence, 333), found)).toBe(0)
    await confidence.close()
    const weights = (position: number, side: number): number[] =>
      interpolationMatrix(1, side, () => position) as unknown as number[]
    const places = Array.from({ length: 400 }, () => [Math.floor(uniform() * w), Math.floor(uniform() * h)])
    for (const [x, y] of [...places, [0, 0], [w - 1, h - 1], [3, 5], [258, 100], [200, 368]]) {
      const [down, across] = [
        weights((y + 0.5) / cell.height - 0.5, height),
        weights((x + 0.5) / cell.width - 0.5, width)
      ]
      const sums = new Float64Array(clusters)
      let whole = 0
      for (let r = 0; r < height; r++) {
        for (let c = 0; down[r] > 0 && c < width; c++) {
          if (across[c] === 0 || planes[r * width + c] === 255) continue
          whole += down[r] * across[c]
          for (let k = 0; k < clusters; k++) sums[k] += down[r] * across[c] * planes[(k * height + r) * width + c]
        }
      }
      if (labels[y * w + x] === 255 || whole === 0) expect(found[y * w + x]).toBe(255)
      else expect(Math.abs(found[y * w + x] - Math.max(...sums) / whole)).toBeLessThan(0.51)
    }
  })
})
