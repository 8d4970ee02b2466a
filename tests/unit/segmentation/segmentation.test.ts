import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onnxruntimeBackend } from '../../../src-main/backends/onnxruntime.ts'
import { drawSampleScene } from '../../../src-main/engine/sample/sampleScene.ts'
import { PictureReader } from '../../../src-main/imagery/pictures.ts'
import { type Architecture, initialWeights, trunk } from '../../../src-main/learning/network/architecture.ts'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'
import { standardise } from '../../../src-main/imagery/statistics.ts'
import type { CatalogueImage } from '../../../src-main/contract/imagery.ts'
import { interpolationMatrix } from '../../../src-main/learning/views/geometry.ts'
import { placements } from '../../../src-main/imagery/grid.ts'
import { enlargeLabels, strongest } from '../../../src-main/segmentation/enlarge.ts'
import { type CellGrid, blocksOf, cellGrid, planOf, tilesOf } from '../../../src-main/segmentation/plan.ts'
import { type ReadWindow, createSegmenter } from '../../../src-main/segmentation/segment.ts'

const SIDE = 300
const image = (): CatalogueImage => ({
  path: 'scene.png',
  file: join(folder, 'scene.png'),
  width: SIDE,
  height: SIDE,
  bands: ['red', 'green', 'blue'],
  type: 'uint8'
})
const architecture: Architecture = {
  bands: 3,
  layers: trunk('8s2,8,M,12,12', 1),
  heads: [{ name: 'A', clusters: 6, subHeads: 1 }]
}
/** Sees rows and statistics of boxes wider than the trunk's field of view, and follows edges. */
const refitted: Architecture = {
  bands: 3,
  layers: trunk('8s2,8,M,12', 1),
  statistics: [9],
  kuwahara: 0.3,
  guidedFilter: { box: 21, epsilon: 0.05 },
  upright: true,
  heads: [{ name: 'A', clusters: 6, subHeads: 1, refit: [9, 21, 45] }]
}
function weightsOf(network: Architecture): Record<string, Float32Array> {
  const [normal, start] = [normalFrom(uniformFrom(7)), initialWeights(network, normalFrom(uniformFrom(4)))]
  return Object.fromEntries(
    Object.entries(start).map(([name, values]) => [
      name,
      name.includes('refit/filter') ? values.map(() => 0.3 * normal()) : values
    ])
  )
}
const statistics = [0, 1, 2].map(() => ({ mean: 0.4, deviation: 0.2, low: 0, high: 255 }))
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalti-segment-'))
  await sharp(drawSampleScene(SIDE, 5).colours, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png()
    .toFile(join(folder, 'scene.png'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Returns all labels of an image and the probabilities of its cells, [6, rows, columns]. */
async function segment(
  scale: number,
  covered: number,
  tile = 128,
  network = architecture
): Promise<{ labels: Uint8Array; cells: Uint8Array; grid: CellGrid }> {
  const reader = new PictureReader({ scale, bands: { roles: ['red', 'green', 'blue'] } })
  const segmenter = createSegmenter(onnxruntimeBackend(), {
    architecture: network,
    weights: weightsOf(network),
    subHeads: { A: 0 }
  })
  const plan = planOf(network, image(), scale, tile, covered)
  const labels = new Uint8Array(SIDE * SIDE)
  const grid = cellGrid(plan, network)
  const cells = new Uint8Array(6 * grid.width * grid.height).fill(255)
  const given = new Uint8Array(grid.width * grid.height)
  for (const block of blocksOf(plan, network, 0, tilesOf(plan).rows)) {
    const windows = block.regions.map(({ window }) => window)
    const read = async (): Promise<ReadWindow> => {
      const { values, valid } = await reader.read(image(), windows.shift()!)
      standardise(values, statistics)
      return { values, valid }
    }
    await segmenter.label(plan, block, read, {
      tile(column, row, { A }) {
        for (let r = 0; r < tile && row * tile + r < SIDE; r++)
          labels.set(
            A.subarray(r * tile, r * tile + Math.min(tile, SIDE - column * tile)),
            (row * tile + r) * SIDE + column * tile
          )
        return Promise.resolve()
      },
      cells({ left, top, width, height }, { A }) {
        for (let k = 0; k < 6; k++) {
          for (let r = 0; r < height; r++)
            cells.set(
              A.subarray((k * height + r) * width, (k * height + r + 1) * width),
              (k * grid.height + top + r) * grid.width + left
            )
        }
        for (let r = top; r < top + height; r++) for (let c = left; c < left + width; c++) given[r * grid.width + c]++
        return Promise.resolve()
      }
    })
  }
  expect(given.every((times) => times === 1)).toBe(true)
  await segmenter.dispose()
  await reader.close()
  return { labels, cells, grid }
}

const WHOLE = 2048
const label = async (scale: number, covered: number, tile?: number): Promise<Uint8Array> =>
  (await segment(scale, covered, tile)).labels
const agreement = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((same, value, i) => same + Number(value === b[i]), 0) / a.length

describe('tiled inference', () => {
  it.each([1, 0.5, 0.37, 1.7])('gives the same labels whatever the window size, at scale %d', async (scale) => {
    const whole = await label(scale, WHOLE, 304)
    expect(new Set(whole).size).toBeGreaterThan(2)
    expect(whole).not.toContain(255)
    for (const covered of [64, 128, 300]) expect(agreement(whole, await label(scale, covered))).toBeGreaterThan(0.9999)
  })

  it.each([1, 0.6, 1.5])(
    'gives the same labels with boxes of least variance, rows and edges, at scale %d',
    async (scale) => {
      const whole = await segment(scale, WHOLE, 304, refitted)
      expect(new Set(whole.labels).size).toBeGreaterThan(2)
      for (const covered of [64, 128]) {
        const { labels, cells } = await segment(scale, covered, 128, refitted)
        expect(agreement(whole.labels, labels)).toBeGreaterThan(0.9999)
        expect(cells.filter((value, i) => Math.abs(value - whole.cells[i]) <= 1).length / cells.length).toBeGreaterThan(
          0.9999
        )
      }
    }
  )

  it.each([1, 0.37, 1.7])(
    'gives each cell of the network exactly once, with the same probabilities whatever the window size, at scale %d',
    async (scale) => {
      const whole = await segment(scale, WHOLE, 304)
      expect(whole.grid.width).toBe(Math.ceil(Math.round(SIDE * scale) / 4))
      for (const covered of [64, 128]) {
        const { cells } = await segment(scale, covered)
        expect(Math.max(...cells.map((value, i) => Math.abs(value - whole.cells[i])))).toBeLessThanOrEqual(1)
      }
      const pixels = whole.grid.width * whole.grid.height
      for (let i = 0; i < pixels; i++)
        expect([0, 1, 2, 3, 4, 5].reduce((sum, k) => sum + whole.cells[k * pixels + i], 0)).toBeGreaterThan(250)
    }
  )

  it.each(['bilinear', 'along a guide'])(
    'finds the leader among the clusters around a pixel after interpolation, like the direct formula: %s',
    (how) => {
      const uniform = uniformFrom(6)
      const [side, clusters] = [12, 9]
      const values = Float32Array.from(
        { length: side * side * clusters },
        (_, i) => (i % clusters === Math.floor(i / clusters / 5) % 3 ? 0.6 : 0) + uniform()
      )
      const models =
        how === 'bilinear'
          ? undefined
          : { slopes: values.map(() => 2 * uniform() - 1), guide: Float32Array.from({ length: side * side }, uniform) }
      const heatmap = { values, side, clusters, models }
      const [rows, columns] = [placements(50, side, (i) => 0.21 * i - 0.7), placements(40, side, (i) => 0.3 * i + 0.1)]
      const found = new Uint8Array(60 * 52)
      const leaders = strongest(heatmap)
      const image = { values: Float32Array.from({ length: 30 * 30 }, uniform), side: 30 }
      const full = models && {
        ...image,
        rows: placements(50, 30, (i) => 0.5 * i),
        columns: placements(40, 30, (i) => 0.6 * i + 0.2)
      }
      enlargeLabels(heatmap, leaders, { rows, columns, full }, found, 60, { left: 3, top: 2, width: 40, height: 50 })
      const weights = (position: number, length = side): number[] =>
        interpolationMatrix(1, length, () => position) as unknown as number[]
      for (let r = 0; r < 50; r++) {
        for (let c = 0; c < 40; c++) {
          const [down, across] = [weights(0.21 * r - 0.7), weights(0.3 * c + 0.1)]
          const [imageDown, imageAcross] = [weights(0.5 * r, 30), weights(0.6 * c + 0.2, 30)]
          const here = image.values.reduce(
            (sum, value, i) => sum + imageDown[Math.floor(i / 30)] * imageAcross[i % 30] * value,
            0
          )
          const about = new Set<number>()
          const [top, left] = [
            Math.min(Math.max(Math.floor(0.21 * r - 0.7), 0), side - 2),
            Math.min(Math.max(Math.floor(0.3 * c + 0.1), 0), side - 2)
          ]
          for (const i of [0, 1, side, side + 1]) about.add(leaders[top * side + left + i])
          const direct = Array.from({ length: clusters }, (_, k) => {
            if (!about.has(k)) return -Infinity
            let sum = 0
            for (let i = 0; i < side * side; i++)
              sum +=
                down[Math.floor(i / side)] *
                across[i % side] *
                (values[i * clusters + k] + (models ? models.slopes[i * clusters + k] * (here - models.guide[i]) : 0))
            return sum
          })
          expect(direct[found[(2 + r) * 60 + 3 + c]]).toBeCloseTo(Math.max(...direct), 5)
        }
      }
    }
  )

  it('needs windows whose size depends neither on the scale nor on the image', () => {
    const sides = [1, 0.5, 0.1, 0.03].map(
      (scale) => planOf(architecture, { ...image(), width: 12000, height: 9000 }, scale, 512).side
    )
    for (const side of sides) expect(side).toBeLessThanOrEqual(sides[0])
  })
})
