import { copyFile, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import sharp from 'sharp'
import type { GroundAreas } from '../../../src-main/imagery/crs/groundArea.ts'
import { fileAt } from '../../../src-main/imagery/location.ts'
import { openRaster } from '../../../src-main/imagery/reading/openRaster.ts'
import { cleaned } from '../../../src-main/labels/cleaned.ts'
import { type PatchPolygon, doubledArea, polygonsOf } from '../../../src-main/labels/polygons.ts'
import { openLabels } from '../../../src-main/labels/source.ts'
import { needsBigTiff, pyramidOf } from '../../../src-main/labels/tiffFile.ts'
import { writeLabels } from '../../../src-main/labels/writeLabels.ts'
import { type RasterFile, RasterWriter } from '../../../src-main/labels/writer.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'
import { labelsOf, readAll, speckled } from '../../fixtures/labels.ts'

const signal = new AbortController().signal
let folder: string
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'smalti-labels-'))))
afterEach(() => rm(folder, { recursive: true }))

const fileOf = (width: number, height: number, tile: number): RasterFile => ({
  width,
  height,
  tile,
  key: 'k',
  notes: { tags: [], colours: ['#ff0000', '#00ff00'], nodata: 255 }
})

/** Finds the most frequent of each 2×2 labels by simple counting. */
function halvedSlowly(
  values: Uint8Array,
  width: number,
  height: number
): { values: Uint8Array; width: number; height: number } {
  const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)]
  const result = Uint8Array.from({ length: w * h }, (_, i) => {
    const [x, y] = [2 * (i % w), 2 * Math.floor(i / w)]
    const four = [
      [x, y],
      [x + 1, y],
      [x, y + 1],
      [x + 1, y + 1]
    ].flatMap(([c, r]) => (c < width && r < height && values[r * width + c] !== 255 ? [values[r * width + c]] : []))
    const counts = four.map((value) => four.filter((other) => other === value).length)
    return four[counts.indexOf(Math.max(...counts))] ?? 255
  })
  return { values: result, width: w, height: h }
}

describe('label raster', () => {
  const [width, height, tile] = [301, 203, 64]
  const values = speckled(width, height, 7, uniformFrom(1))
  const read = labelsOf(values, width).read

  it('is read back unchanged, with overviews of the most frequent labels', async () => {
    const path = join(folder, 'a', 'labels.tif')
    await writeLabels(path, fileOf(width, height, tile), read, signal)
    const raster = await openRaster(fileAt(path))
    let expected = { values, width, height }
    for (const [level, size] of raster.levels.entries()) {
      expect(size).toEqual({ width: expected.width, height: expected.height })
      const { bands } = await raster.read({ left: 0, top: 0, ...size }, { level })
      expect(Buffer.compare(Buffer.from(bands[0] as Uint8Array), Buffer.from(expected.values)), `level ${level}`).toBe(
        0
      )
      expected = halvedSlowly(expected.values, expected.width, expected.height)
    }
    expect(raster.levels).toEqual(pyramidOf({ width, height, tile }))
    expect(raster.palette![0].slice(0, 2)).toEqual(Uint8Array.of(255, 0))
    await raster.close()
    expect(await readdir(join(folder, 'a'))).toEqual(['labels.tif'])
  })

  /** Writes up to a row and leaves the files as a killed process would. */
  async function begin(path: string, rows: number, key = 'k'): Promise<void> {
    const writer = await RasterWriter.open(path, { ...fileOf(width, height, tile), key })
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < 5; column++) {
        const whole = new Uint8Array(tile * tile).fill(255)
        const window = {
          left: column * tile,
          top: row * tile,
          width: Math.min(tile, width - column * tile),
          height: Math.min(tile, height - row * tile)
        }
        const part = await read(window)
        for (let r = 0; r < window.height; r++)
          whole.set(part.subarray(r * window.width, (r + 1) * window.width), r * tile)
        await writer.write(column, row, whole)
      }
      await writer.endRows(row + 1)
    }
    await writer.pause()
  }

  it.each([1, 2, 3])('has the same bytes if it is resumed after row %d', async (rows) => {
    const [undisturbed, resumed] = [join(folder, 'whole.tif'), join(folder, 'resumed.tif')]
    await writeLabels(undisturbed, fileOf(width, height, tile), read, signal)
    await begin(resumed, rows)
    // Data after the last recorded row is cut off, and an incomplete line of the journal doesn't count.
    await truncate(`${resumed}.part`, (await stat(`${resumed}.part`)).size + 500)
    const journal = await readFile(`${resumed}.rows`, 'utf8')
    await rm(`${resumed}.rows`)
    await writeFile(`${resumed}.rows`, `${journal}{"rows": 99, "en`)
    let reads = 0
    await writeLabels(resumed, fileOf(width, height, tile), (window) => (reads++, read(window)), signal)
    expect(reads).toBe((4 - rows) * 5)
    expect(Buffer.compare(await readFile(resumed), await readFile(undisturbed))).toBe(0)
    expect((await readdir(folder)).filter((name) => name.startsWith('resumed'))).toEqual(['resumed.tif'])
  })

  it('starts again for another key, and leaves the finished raster in place until then', async () => {
    const path = join(folder, 'labels.tif')
    await writeLabels(path, fileOf(width, height, tile), read, signal)
    await copyFile(path, join(folder, 'before.tif'))
    await begin(path, 2, 'old')
    expect(Buffer.compare(await readFile(path), await readFile(join(folder, 'before.tif')))).toBe(0)
    const anew = await RasterWriter.open(path, { ...fileOf(width, height, tile), key: 'new' })
    expect(anew.rowsDone).toBe(0)
    await anew.pause()
  })

  it('uses 64-bit offsets only if it could need them', () => {
    expect(needsBigTiff({ width: 20000, height: 20000, tile: 512 })).toBe(false)
    expect(needsBigTiff({ width: 60000, height: 60000, tile: 512 })).toBe(true)
  })
})

/** Finds patches by flood fill. */
function floodFill(
  values: Uint8Array,
  width: number,
  eight: boolean
): { of: Int32Array; sizes: number[]; labels: number[] } {
  const height = values.length / width
  const of = new Int32Array(values.length).fill(-1)
  const [sizes, labels]: number[][] = [[], []]
  for (let start = 0; start < values.length; start++) {
    if (of[start] >= 0) continue
    const patch = sizes.push(0) - 1
    labels.push(values[start])
    const queue = [start]
    of[start] = patch
    while (queue.length > 0) {
      const i = queue.pop()!
      sizes[patch]++
      const [x, y] = [i % width, Math.floor(i / width)]
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          if ((dx === 0) === (dy === 0) && !(eight && dx !== 0)) continue
          const [nx, ny] = [x + dx, y + dy]
          if (
            nx < 0 ||
            ny < 0 ||
            nx >= width ||
            ny >= height ||
            of[ny * width + nx] >= 0 ||
            values[ny * width + nx] !== values[start]
          )
            continue
          of[ny * width + nx] = patch
          queue.push(ny * width + nx)
        }
      }
    }
  }
  return { of, sizes, labels }
}

describe('clean-up', () => {
  const width = 230
  const values = speckled(width, 190, 6, uniformFrom(3))

  it('gives each pixel the most frequent label in the square around it, whatever the windows', async () => {
    const height = values.length / width
    const slow = Uint8Array.from(values, (own, i) => {
      if (own === 255) return 255
      const [x, y] = [i % width, Math.floor(i / width)]
      const counts = new Int32Array(256)
      for (let r = Math.max(0, y - 2); r <= Math.min(height - 1, y + 2); r++)
        for (let c = Math.max(0, x - 2); c <= Math.min(width - 1, x + 2); c++) counts[values[r * width + c]]++
      counts[255] = 0
      const most = Math.max(...counts)
      return counts[own] === most ? own : counts.indexOf(most)
    })
    const source = cleaned(labelsOf(values, width), { majority: 2 })
    for (const side of [300, 64, 37])
      expect(Buffer.compare(Buffer.from(await readAll(source, side)), Buffer.from(slow)), `windows of ${side}`).toBe(0)
  })

  it.each([5, 40, 400])(
    'leaves no patch of fewer than %d pixels next to a larger one, whatever the windows',
    async (least) => {
      const source = cleaned(labelsOf(values, width), { sieve: { value: least, unit: 'px' } })
      const whole = await readAll(source, 500)
      for (const side of [64, 41])
        expect(Buffer.compare(Buffer.from(await readAll(source, side)), Buffer.from(whole)), `windows of ${side}`).toBe(
          0
        )
      const { sizes, labels } = floodFill(whole, width, true)
      const small = sizes.filter((size, patch) => size < least && labels[patch] !== 255)
      expect(small).toEqual([])
      const before = floodFill(values, width, true)
      // Large patches stay unchanged, and pixels without a label stay without one.
      values.forEach((value, i) => {
        if (value === 255 || before.sizes[before.of[i]] >= least) expect(whole[i]).toBe(value)
      })
    }
  )

  it('joins a patch to the neighbour with the longest shared border', async () => {
    const rows = ['0000000111', '0000020111', '0000002111', '0000002111']
    const small = Uint8Array.from(rows.join(''), Number)
    const sieved = await readAll(cleaned(labelsOf(small, 10), { sieve: { value: 5, unit: 'px' } }), 10)
    expect(Array.from({ length: 4 }, (_, r) => sieved.slice(10 * r, 10 * r + 10).join(''))).toEqual([
      '0000000111',
      '0000000111',
      '0000000111',
      '0000000111'
    ])
  })

  it('accepts square metres, and reports when they are unknown', async () => {
    const quarters: GroundAreas = { middle: 0.25, at: () => 0.25, add: () => undefined, within: () => 0 }
    const inMetres = await readAll(
      cleaned(labelsOf(values, width), { sieve: { value: 10, unit: 'm2' } }, quarters),
      500
    )
    expect(inMetres).toEqual(await readAll(cleaned(labelsOf(values, width), { sieve: { value: 40, unit: 'px' } }), 500))
    expect(() => cleaned(labelsOf(values, width), { sieve: { value: 10, unit: 'm2' } })).toThrow(
      'square metres need georeferenced images'
    )
  })
})

/** Returns the labels of pixels whose centres are inside polygons, from the crossings of each row. */
function drawn(polygons: readonly PatchPolygon[], width: number, height: number): Uint8Array {
  const values = new Uint8Array(width * height).fill(255)
  for (const { label, rings } of polygons) {
    for (let y = 0; y < height; y++) {
      const crossings = rings
        .flatMap((ring) => {
          const found: number[] = []
          for (let i = 0; i + 3 < ring.length; i += 2) {
            const [x0, y0, x1, y1] = ring.slice(i, i + 4)
            if (Math.min(y0, y1) <= y + 0.5 && Math.max(y0, y1) > y + 0.5)
              found.push(x0 + ((y + 0.5 - y0) * (x1 - x0)) / (y1 - y0))
          }
          return found
        })
        .sort((a, b) => a - b)
      for (let k = 0; k + 1 < crossings.length; k += 2)
        for (let x = Math.ceil(crossings[k] - 0.5); x + 0.5 < crossings[k + 1]; x++) values[y * width + x] = label
    }
  }
  return values
}

describe('polygons', () => {
  it.each([1, 2, 3, 4, 5, 6])('of random labels draw exactly those labels, one per patch (seed %d)', async (seed) => {
    const uniform = uniformFrom(seed, 9)
    const [width, height] = [20 + Math.floor(60 * uniform()), 15 + Math.floor(50 * uniform())]
    const values = speckled(width, height, 2 + (seed % 4), uniform, seed === 6 ? 1 : 0.25)
    const polygons = await polygonsOf(labelsOf(values, width), 0, signal)
    expect(Buffer.compare(Buffer.from(drawn(polygons, width, height)), Buffer.from(values))).toBe(0)
    const { sizes, labels } = floodFill(values, width, false)
    const area = ({ rings }: PatchPolygon): number => -rings.reduce((sum, ring) => sum + doubledArea(ring), 0) / 2
    expect(polygons.map(area).sort((a, b) => a - b)).toEqual(
      sizes.filter((_, patch) => labels[patch] !== 255).sort((a, b) => a - b)
    )
    for (const { rings } of polygons) {
      expect(doubledArea(rings[0])).toBeLessThan(0)
      for (const hole of rings.slice(1)) expect(doubledArea(hole)).toBeGreaterThan(0)
      for (const ring of rings) {
        const corners = Array.from({ length: ring.length / 2 - 1 }, (_, i) => `${ring[2 * i]} ${ring[2 * i + 1]}`)
        expect(new Set(corners).size, 'no ring touches itself').toBe(corners.length)
      }
    }
  })

  it('take time linear in the nodes of a ring, and stop when they are cancelled', async () => {
    // One patch between teeth: a ring with two nodes per pixel of its length.
    const teeth = (length: number): Uint8Array =>
      Uint8Array.from({ length: 3 * length }, (_, i) =>
        Math.floor(i / length) === 1 ? 0 : 1 + (i % 2) + 2 * Math.floor(i / length)
      )
    const polygons = await polygonsOf(labelsOf(teeth(60_000), 60_000), 0, signal)
    const [{ rings }] = polygons.filter(({ label }) => label === 0)
    expect([polygons.length, rings[0].length]).toEqual([120_001, 2 * (2 * 60_001 + 1)])
    const controller = new AbortController()
    const given = polygonsOf(labelsOf(teeth(200_000), 200_000), 0, controller.signal)
    setImmediate(() => controller.abort())
    await expect(given).rejects.toMatchObject({ name: 'Cancelled' })
  })

  it('share simplified borders, so that their areas add up to everything labelled', async () => {
    const values = speckled(160, 140, 5, uniformFrom(8), 0.02)
    const polygons = await polygonsOf(labelsOf(values, 160), 0.5, signal)
    const exact = await polygonsOf(labelsOf(values, 160), 0, signal)
    const corners = (list: readonly PatchPolygon[]): number =>
      list.reduce((sum, { rings }) => sum + rings.flat().length, 0)
    expect(corners(polygons)).toBeLessThan(corners(exact))
    const total = (list: readonly PatchPolygon[]): number =>
      -list.reduce((sum, { rings }) => sum + rings.reduce((a, ring) => a + doubledArea(ring), 0), 0) / 2
    expect(Math.abs(total(polygons) / total(exact) - 1)).toBeLessThan(1e-3)
    // Differences are within half a pixel of a border.
    const wrong = drawn(polygons, 160, 140).filter((value, i) => value !== values[i]).length
    expect(wrong / values.length).toBeLessThan(0.02)
  })
})

describe('label source', () => {
  it('reads the grey masks of earlier projects', async () => {
    const path = join(folder, 'mask.png')
    await sharp(Uint8Array.of(0, 3, 255, 7), { raw: { width: 2, height: 2, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toFile(path)
    const labels = await openLabels(path)
    expect([...(await labels.read({ left: 0, top: 0, width: 2, height: 2 }))]).toEqual([0, 3, 255, 7])
    await labels.close()
  })
})
