import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EMPTY_HISTORY, withEdit } from '../../../src-main/classes/history.ts'
import { initialScheme } from '../../../src-main/classes/scheme.ts'
import { heatTile } from '../../../src-main/engine/pictures/heatTile.ts'
import { type HeatmapFile, HeatmapWriter, confidenceOf, openHeatmap } from '../../../src-main/labels/heatmaps.ts'
import { openLabels, translated } from '../../../src-main/labels/source.ts'
import { writeLabels } from '../../../src-main/labels/writeLabels.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'
import { labelSetOf, saveLabelIndex } from '../../../src-main/project/labelSets.ts'
import { type Project, saveProject } from '../../../src-main/project/project.ts'
import { loadScheme, saveClassHistory, tableOf } from '../../../src-main/project/scheme.ts'
import { labelsOf, readAll } from '../../fixtures/labels.ts'

const { signal } = new AbortController()
const [CELLS, CLUSTERS, CELL] = [{ width: 260, height: 170 }, 4, 4]
const IMAGE = { width: CELLS.width * CELL, height: CELLS.height * CELL }
const uniform = uniformFrom(8)

/** The probabilities of each cell add up to one, except in a corner without data. */
function someCells(): Uint8Array {
  const pixels = CELLS.width * CELLS.height
  const planes = new Uint8Array(CLUSTERS * pixels)
  for (let i = 0; i < pixels; i++) {
    const parts = Array.from({ length: CLUSTERS }, () => uniform() ** 4)
    const sum = parts.reduce((a, b) => a + b, 0)
    const missing = i % CELLS.width < 30 && i / CELLS.width < 20
    parts.forEach((part, k) => (planes[k * pixels + i] = missing ? 255 : Math.floor((254 * part) / sum)))
  }
  return planes
}

describe('a tile of probabilities', () => {
  const planes = someCells()
  let project: Project
  beforeAll(async () => {
    project = { folder: await mkdtemp(join(tmpdir(), 'smalti-heat-')), sources: ['/images'], run: 'run-0001' }
    await saveProject(project)
    const set = labelSetOf(project)
    const labels = new Uint8Array(IMAGE.width * IMAGE.height)
    await writeLabels(
      join(set.folder, 'k/A/a.tif'),
      { ...IMAGE, tile: 512, key: 'k', notes: { tags: [], colours: [], nodata: 255 } },
      labelsOf(labels, IMAGE.width).read,
      signal
    )
    const file: HeatmapFile = {
      ...CELLS,
      top: 0,
      clusters: CLUSTERS,
      key: 'k',
      notes: { tags: [], nodata: 255, names: ['a', 'b', 'c', 'd'], step: 1 / 254 }
    }
    const writer = await HeatmapWriter.open(join(set.folder, 'k/heat/a.tif'), file)
    await writer.add({ left: 0, top: 0, ...CELLS }, planes)
    await writer.endRows(CELLS.height)
    await writer.finish()
    await saveLabelIndex(set, {
      step: 1,
      key: 'k',
      sources: project.sources,
      images: [
        {
          path: 'a.png',
          file: '/images/a.png',
          ...IMAGE,
          rasters: { A: 'k/A/a.tif' },
          heatmaps: { cell: { width: CELL, height: CELL }, rasters: { A: 'k/heat/a.tif' } }
        }
      ],
      skipped: [],
      partial: false,
      classes: { A: initialScheme(CLUSTERS).classes }
    })
    await saveClassHistory(project, withEdit(EMPTY_HISTORY, 'A', CLUSTERS, { kind: 'merge', classes: [0, 2] }))
  })
  afterAll(() => rm(project.folder, { recursive: true }))
  const tile = (of: number | 'confidence', level: number, column: number, row: number) =>
    heatTile({ project: project.folder, head: 'A', path: 'a.png', of, level, column, row }, signal)

  it('has the values that an export has for the same pixels, at full resolution', async () => {
    const set = labelSetOf(project)
    const table = tableOf((await loadScheme(project, 'A'))!)
    const heatmap = await openHeatmap(
      join(set.folder, 'k/heat/a.tif'),
      { width: CELL, height: CELL },
      { table, classes: 3 }
    )
    const source = confidenceOf(heatmap, translated(await openLabels(join(set.folder, 'k/A/a.tif')), table))
    const exported = await readAll(source, 512)
    await source.close()
    for (const [column, row] of [
      [0, 0],
      [2, 1]
    ]) {
      const { bytes, width, height } = await tile('confidence', 0, column, row)
      expect([width, height]).toEqual([column === 2 ? IMAGE.width - 1024 : 512, row === 1 ? IMAGE.height - 512 : 512])
      let farthest = 0
      bytes.forEach((value, i) => {
        const expected = exported[(row * 512 + Math.floor(i / width!)) * IMAGE.width + column * 512 + (i % width!)]
        farthest = Math.max(
          farthest,
          expected === 255 || value === 255 ? Number(expected !== value) * 255 : Math.abs(expected - value)
        )
      })
      expect(farthest).toBeLessThanOrEqual(1)
    }
  })

  it('adds up the clusters of a class, with the stored values at the cells’ own level', async () => {
    const { bytes, width, height } = await tile(0, 2, 0, 0)
    expect([width, height]).toEqual([CELLS.width, CELLS.height])
    const pixels = CELLS.width * CELLS.height
    bytes.forEach((value, i) => {
      const expected = planes[i] === 255 ? 255 : planes[i] + planes[2 * pixels + i]
      if (value !== expected) throw new Error(`cell ${i}: ${value} instead of ${expected}`)
    })
  })

  it('is refused for an image without labels', async () => {
    await expect(
      heatTile({ project: project.folder, head: 'A', path: 'b.png', of: 0, level: 0, column: 0, row: 0 }, signal)
    ).rejects.toMatchObject({ name: 'NothingSegmented' })
  })
})
