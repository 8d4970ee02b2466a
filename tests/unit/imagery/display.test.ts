import { describe, expect, it } from 'vitest'
import { shownAs, shownWindow } from '../../../src-main/imagery/display.ts'
import type { Band, Patch, Raster, Samples } from '../../../src-main/imagery/raster.ts'

const [WIDTH, HEIGHT] = [60, 40]
const valueOf = (b: number, x: number, y: number): number => (b + 1) * (x + WIDTH * y)

/** A small raster whose values are computed when they are read. */
function rasterOf(roles: Band['role'][], type: Band['type'], limit = Infinity): Raster {
  return {
    width: WIDTH,
    height: HEIGHT,
    levels: [{ width: WIDTH, height: HEIGHT }],
    gaps: false,
    bands: roles.map((role) => ({ type, role })) as Band[],
    read: ({ left, top, width, height }, { bands = roles.map((_, b) => b) } = {}): Promise<Patch> => {
      const plane = (b: number): Samples => {
        const values = type === 'uint8' ? new Uint8Array(width * height) : new Uint16Array(width * height)
        for (let i = 0; i < values.length; i++)
          values[i] = Math.min(limit, valueOf(b, left + (i % width), top + Math.floor(i / width)))
        return values
      }
      return Promise.resolve({ width, height, bands: bands.map(plane) })
    },
    georeference: () => Promise.resolve(undefined),
    close: () => Promise.resolve()
  } as Raster
}
const whole = { left: 0, top: 0, width: WIDTH, height: HEIGHT }
const pixels = async (raster: Raster, look: Parameters<typeof shownAs>[1]): Promise<Uint8Array> =>
  new Uint8Array(await (await shownWindow(await shownAs(raster, look), whole, whole)).raw().toBuffer())
const stretched = (value: number, low: number, high: number): number =>
  Math.min(255, Math.max(0, Math.round(((value - low) / (high - low)) * 255)))

describe('the display of an image', () => {
  const scene = rasterOf(['red', 'green', 'blue', 'nir'], 'uint16')

  it('shows the chosen bands as red, green and blue, from their smallest value to their largest', async () => {
    const shown = await pixels(scene, { bands: '4,1,2', clip: 0 })
    for (const [x, y] of [
      [0, 0],
      [17, 3],
      [59, 39],
      [30, 20]
    ]) {
      const at = 3 * (x + WIDTH * y)
      ;[3, 0, 1].forEach((b, channel) =>
        expect(Math.abs(shown[at + channel] - stretched(valueOf(b, x, y), 0, valueOf(b, 59, 39)))).toBeLessThanOrEqual(
          1
        )
      )
    }
  })

  it('clips the requested share at both ends', async () => {
    const shown = await pixels(scene, { clip: 0.1 })
    const black =
      Array.from({ length: WIDTH * HEIGHT }, (_, i) => shown[3 * i]).filter((value) => value === 0).length /
      (WIDTH * HEIGHT)
    const white =
      Array.from({ length: WIDTH * HEIGHT }, (_, i) => shown[3 * i]).filter((value) => value === 255).length /
      (WIDTH * HEIGHT)
    expect(black).toBeCloseTo(0.1, 2)
    expect(white).toBeCloseTo(0.1, 2)
  })

  it('leaves 8-bit values unchanged unless a stretch is requested', async () => {
    const bytes = rasterOf(['red', 'green', 'blue'], 'uint8', 100)
    expect(Math.max(...(await pixels(bytes, {})))).toBe(100)
    expect(Math.max(...(await pixels(bytes, { clip: 0 })))).toBe(255)
  })

  it('uses the default bands if an image lacks a chosen band', async () => {
    expect((await shownAs(scene, { bands: '5,1,2' })).shown).toEqual((await shownAs(scene)).shown)
    expect((await shownAs(rasterOf(['grey'], 'uint8'), { bands: '4,3,2' })).shown.roles).toEqual(['grey'])
  })
})
