import { describe, expect, it, vi } from 'vitest'
import { withOverview } from '../../../src-main/imagery/reading/reduced.ts'
import type { Band, Patch, Raster } from '../../../src-main/imagery/raster.ts'

const [WIDTH, HEIGHT] = [9000, 8000]
const at = (x: number, y: number, b: number): number =>
  (Math.floor(x / 100) * 7 + Math.floor(y / 64) * 13 + b * 50) % 251
const missing = (x: number, y: number): boolean => x > 8500 && y < 3000

/** A large raster of two bands, computed when it is read. */
function rasterOf(levels = [{ width: WIDTH, height: HEIGHT }]): Raster & { reads: number } {
  const raster = {
    width: WIDTH,
    height: HEIGHT,
    levels,
    gaps: true,
    reads: 0,
    bands: [
      { type: 'uint8', role: 'other' },
      { type: 'uint16', role: 'other' }
    ] as Band[],
    read({ left, top, width, height }: { left: number; top: number; width: number; height: number }): Promise<Patch> {
      raster.reads++
      const [bands, valid] = [
        [new Uint8Array(width * height), new Uint16Array(width * height)],
        new Uint8Array(width * height)
      ]
      for (let y = top, i = 0; y < top + height; y++) {
        for (let x = left; x < left + width; x++, i++) {
          bands.forEach((plane, b) => (plane[i] = at(x, y, b)))
          valid[i] = Number(!missing(x, y))
        }
      }
      return new Promise((resolve) => setImmediate(() => resolve({ width, height, bands, valid })))
    },
    georeference: () => Promise.resolve(undefined),
    close: () => Promise.resolve()
  }
  return raster
}

describe('an overview of a large raster that has none', () => {
  it('contains means of 8 × 8 boxes, and is made once for all who need it', async () => {
    const raster = rasterOf()
    const seen = withOverview(raster)
    expect(seen.levels).toEqual([
      { width: WIDTH, height: HEIGHT },
      { width: 1125, height: 1000 }
    ])
    const window = { left: 900, top: 300, width: 200, height: 150 }
    const [patch, again] = await Promise.all([
      seen.read(window, { level: 1 }),
      seen.read(window, { level: 1, bands: [1] })
    ])
    expect(raster.reads).toBe(9 * 8)
    expect(again.bands).toEqual([patch.bands[1]])
    for (let i = 0; i < window.width * window.height; i += 37) {
      const [column, row] = [window.left + (i % window.width), window.top + Math.floor(i / window.width)]
      const box = [0, 2, 4, 6]
        .flatMap((dy) => [0, 2, 4, 6].map((dx) => [column * 8 + dx, row * 8 + dy]))
        .filter(([x, y]) => !missing(x, y))
      expect(patch.valid![i]).toBe(Number(box.length >= 8))
      for (const b of [0, 1])
        expect(patch.bands[b][i]).toBe(
          box.length > 0 ? Math.round(box.reduce((sum, [x, y]) => sum + at(x, y, b), 0) / box.length) : 0
        )
    }
  })

  it('stops when nobody waits for it, and starts again when somebody does', async () => {
    const raster = rasterOf()
    const seen = withOverview(raster)
    const controller = new AbortController()
    const asked = seen.read({ left: 0, top: 0, width: 1, height: 1 }, { level: 1, signal: controller.signal })
    await vi.waitUntil(() => raster.reads > 0)
    controller.abort()
    await expect(asked).rejects.toMatchObject({ name: 'Cancelled' })
    // At most, readers finish windows that they have begun.
    const soFar = raster.reads
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(raster.reads - soFar).toBeLessThan(9)
    expect((await seen.read({ left: 0, top: 0, width: 1, height: 1 }, { level: 1 })).bands[0][0]).toBe(at(0, 0, 0))
  })

  it('isn’t made for a raster that has overviews or is small', () => {
    const has = rasterOf([
      { width: WIDTH, height: HEIGHT },
      { width: 4500, height: 4000 }
    ])
    expect(withOverview(has)).toBe(has)
    const small = { ...rasterOf(), width: 100, height: 100, levels: [{ width: 100, height: 100 }] }
    expect(withOverview(small)).toBe(small)
  })
})
