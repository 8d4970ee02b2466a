import { describe, expect, it } from 'vitest'
import { placeFrom } from '../../../../src-main/imagery/crs/crs.ts'
import { type Rings, type ToGeographic, toGeographic } from '../../../../src-main/imagery/crs/geographicPolygons.ts'
import type { Transform } from '../../../../src-main/imagery/crs/transform.ts'
import type { Size } from '../../../../src-main/imagery/grid.ts'
import { ask, oracleLack } from '../../../fixtures/gdal.ts'

async function placer(code: string, transform: Transform, size: Size): Promise<ToGeographic> {
  return toGeographic({ transform, place: await placeFrom(code) }, size)!
}
const rectangle = (left: number, top: number, right: number, bottom: number): number[] => [
  left,
  top,
  left,
  bottom,
  right,
  bottom,
  right,
  top,
  left,
  top
]
const reversed = (ring: readonly number[]): number[] =>
  Array.from({ length: ring.length / 2 }, (_, i) => [
    ring[ring.length - 2 - 2 * i],
    ring[ring.length - 1 - 2 * i]
  ]).flat()
const areaOf = (polygons: readonly Rings[]): number =>
  polygons
    .flat()
    .reduce(
      (sum, ring) =>
        sum +
        ring.reduce(
          (part, [x, y], i) => (i + 1 < ring.length ? part + (x * ring[i + 1][1] - ring[i + 1][0] * y) / 2 : part),
          0
        ),
      0
    )

/** Checks the requirements of RFC 7946; GEOS checks that polygons are valid. */
async function expectValid(polygons: readonly Rings[]): Promise<void> {
  for (const [outer, ...holes] of polygons) {
    for (const ring of [outer, ...holes]) {
      expect(ring[0]).toEqual(ring.at(-1))
      for (const [longitude, latitude] of ring) {
        expect(Math.abs(longitude)).toBeLessThanOrEqual(180)
        expect(Math.abs(latitude)).toBeLessThanOrEqual(90)
      }
    }
    expect(areaOf([[outer]])).toBeGreaterThan(0)
    for (const hole of holes) expect(areaOf([[hole]])).toBeLessThan(0)
  }
  if (oracleLack) return
  const { valid } = await ask<{ valid: boolean }>({
    ask: 'valid',
    geometry: { type: 'MultiPolygon', coordinates: polygons }
  })
  expect(valid).toBe(true)
}

describe('polygons in longitude and latitude', () => {
  it('match the scene away from the antimeridian', async () => {
    const { polygons, onEarth } = await placer('EPSG:32633', [500000, 10, 0, 5400000, 0, -10], {
      width: 100,
      height: 100
    })
    const found = polygons([rectangle(0, 0, 100, 100), reversed(rectangle(20, 20, 40, 40))])
    expect(found).toHaveLength(1)
    expect(found[0]).toHaveLength(2)
    expect(onEarth).toBeUndefined()
    await expectValid(found)
  })

  it('are cut at the antimeridian', async () => {
    const { polygons } = await placer('EPSG:32760', [800000, 100, 0, 8150000, 0, -100], { width: 500, height: 300 })
    const found = polygons([rectangle(0, 0, 500, 300), reversed(rectangle(100, 50, 400, 250))])
    expect(found.length).toBeGreaterThan(1)
    expect(found.some(([outer]) => outer.some(([longitude]) => longitude === 180))).toBe(true)
    expect(found.some(([outer]) => outer.some(([longitude]) => longitude === -180))).toBe(true)
    await expectValid(found)
  })

  it('continue where the scene’s longitudes exceed 180°', async () => {
    const { polygons } = await placer('EPSG:4326', [170, 0.1, 0, 10, 0, -0.1], { width: 200, height: 100 })
    const found = polygons([rectangle(0, 0, 200, 100)])
    expect(found).toHaveLength(2)
    expect(areaOf(found)).toBeCloseTo(200, 6)
    await expectValid(found)
  })

  it('cover the earth once if the scene does, also from 0° to 360°', async () => {
    for (const west of [-180, 0]) {
      const { polygons } = await placer('EPSG:4326', [west, 1, 0, 90, 0, -1], { width: 360, height: 180 })
      const found = polygons([rectangle(0, 0, 360, 180)])
      expect(areaOf(found)).toBeCloseTo(360 * 180, 6)
      await expectValid(found)
    }
    const { polygons } = await placer(
      'EPSG:3857',
      [-20037508.342789244, 156543.033928, 0, 20037508.342789244, 0, -156543.033928],
      { width: 256, height: 256 }
    )
    const found = polygons([rectangle(0, 0, 256, 256)])
    expect(areaOf(found)).toBeCloseTo(360 * 2 * 85.0511287798066, 2)
    await expectValid(found)
  })

  it.each([
    ['EPSG:3031', -90],
    ['EPSG:3995', 90]
  ])('are closed over the pole inside them: %s', async (code, pole) => {
    const { polygons } = await placer(code, [-1e6, 10000, 0, 1e6, 0, -10000], { width: 200, height: 200 })
    const whole = polygons([rectangle(0, 0, 200, 200)])
    expect(whole.flat(2).some(([, latitude]) => latitude === pole)).toBe(true)
    await expectValid(whole)
    const band = polygons([rectangle(0, 0, 200, 200), reversed(rectangle(50, 50, 150, 150))])
    const hole = polygons([rectangle(50, 50, 150, 150)])
    expect(areaOf(band)).toBeCloseTo(areaOf(whole) - areaOf(hole), 3)
    await expectValid(band)
    const beside = polygons([rectangle(10, 10, 60, 60)])
    expect(beside.flat(2).some(([, latitude]) => latitude === pole)).toBe(false)
    await expectValid(beside)
  })

  it('don’t overlap and cover their scene’s ground, also near a pole and the antimeridian', async () => {
    const scenes: [string, Transform, Size][] = [
      ['EPSG:3995', [-1_600_000, 25_000, 0, 1_200_000, 0, -25_000], { width: 128, height: 96 }],
      ['EPSG:3413', [-3_850_000, 60_000, 0, 2_880_000, 0, -60_000], { width: 128, height: 96 }],
      ['EPSG:3413', [-1_612_345, 25_000, 0, 1_198_765, 0, -25_000], { width: 128, height: 96 }],
      ['EPSG:32661', [400_000, 25_000, 0, 3_200_000, 0, -25_000], { width: 128, height: 96 }],
      ['EPSG:6931', [-1_612_345, 25_000, 0, 1_198_765, 0, -25_000], { width: 128, height: 96 }],
      ['EPSG:3571', [-640_000, 10_000, 0, -2_000_000, 0, -10_000], { width: 128, height: 96 }],
      ['+proj=longlat +datum=WGS84 +pm=180 +type=crs', [-5, 10 / 128, 0, 5, 0, -10 / 96], { width: 128, height: 96 }]
    ]
    for (const [code, transform, size] of scenes) {
      const { polygons } = await placer(code, transform, size)
      const whole = polygons([rectangle(0, 0, size.width, size.height)])
      await expectValid(whole)
      // Quarters that meet in the middle of the scene, which may be a pole, and a frame with its contents.
      const [w, h] = [size.width, size.height]
      for (const parts of [
        [
          [rectangle(0, 0, w / 2, h / 2)],
          [rectangle(w / 2, 0, w, h / 2)],
          [rectangle(0, h / 2, w / 2, h)],
          [rectangle(w / 2, h / 2, w, h)]
        ],
        [[rectangle(0, 0, w, h / 2)], [rectangle(0, h / 2, w, h)]],
        [[rectangle(0, 0, w, h), reversed(rectangle(30, 20, 90, 70))], [rectangle(30, 20, 90, 70)]],
        [[[0, 0, 0, h, w / 2, h, w / 2, h / 2, w, h / 2, w, 0, 0, 0]], [rectangle(w / 2, h / 2, w, h)]]
      ]) {
        const found = parts.map((rings) => polygons(rings))
        for (const part of found) await expectValid(part)
        expect(found.reduce((sum, part) => sum + areaOf(part), 0) / areaOf(whole), code).toBeCloseTo(1, 3)
      }
    }
  })

  it('reach the pole if pixel centres are at the pole', async () => {
    const { polygons } = await placer('EPSG:4326', [-0.5, 1, 0, 90.5, 0, -1], { width: 360, height: 181 })
    const found = polygons([rectangle(0, 0, 360, 181)])
    expect(areaOf(found)).toBeCloseTo(360 * 180, 6)
    await expectValid(found)
  })

  it('leave out everything outside the lobes of a sinusoidal map', async () => {
    const { onEarth } = await placer(
      '+proj=sinu +R=6371007.181 +type=crs',
      [-20_015_109, 312_736, 0, 10_007_554, 0, -208_490],
      { width: 128, height: 96 }
    )
    const there = onEarth!({ left: 0, top: 0, width: 128, height: 96 })
    expect(there[0]).toBe(0)
    expect(there.reduce((sum, value) => sum + value, 0) / there.length).toBeCloseTo(2 / Math.PI, 1)
  })

  it('leave out everything off the earth', async () => {
    const { polygons, onEarth } = await placer(
      '+proj=geos +h=35786023 +lon_0=-75 +sweep=x +ellps=GRS80 +type=crs',
      [-5434895, 54349, 0, 5434895, 0, -54349],
      { width: 200, height: 200 }
    )
    expect(polygons([rectangle(0, 0, 200, 200)])).toEqual([])
    const there = onEarth!({ left: 0, top: 0, width: 200, height: 200 })
    expect(there[0]).toBe(0)
    expect(there[100 * 200 + 100]).toBe(1)
    expect(there.reduce((sum, value) => sum + value, 0) / 40000).toBeCloseTo(Math.PI / 4, 1)
  })

  it('don’t exist for a scene whose place is unknown', async () => {
    expect(
      toGeographic({ transform: [0, 1, 0, 0, 0, -1], place: { known: false, reason: 'none' } }, { width: 8, height: 8 })
    ).toBeUndefined()
    expect(
      toGeographic(
        { transform: [500000, 1, 0, 5000000, 0, -1], place: await placeFrom('EPSG:4326') },
        { width: 8, height: 8 }
      )
    ).toBeUndefined()
  })
})
