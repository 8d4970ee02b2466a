import { Geodesic } from 'geographiclib-geodesic'
import { describe, expect, it } from 'vitest'
import { placeFrom } from '../../../../src-main/imagery/crs/crs.ts'
import { type GroundAreas, groundAreas, groundSamplingDistance } from '../../../../src-main/imagery/crs/groundArea.ts'
import { type Transform, toWorld } from '../../../../src-main/imagery/crs/transform.ts'
import type { Size } from '../../../../src-main/imagery/grid.ts'

/** The number of pieces that each edge is cut into, because pixel edges aren't geodesics. */
const PIECES = 200

async function scene(
  code: string,
  transform: Transform,
  size: Size
): Promise<{
  areas: GroundAreas
  geodesic(column: number, row: number, width?: number, height?: number): number
  gsd: number
}> {
  const place = await placeFrom(code)
  if (!place.known) throw new Error(place.reason)
  const { crs } = place
  const earth = new Geodesic.Geodesic(crs.ellipsoid.semiMajor, crs.ellipsoid.flattening)
  return {
    areas: groundAreas({ transform, place }, size)!,
    gsd: groundSamplingDistance({ transform, place }, size)!,
    /** Computes the area of a block of pixels in square metres with GeographicLib. */
    geodesic(column, row, width = 1, height = 1) {
      const corners = [
        [0, 0],
        [0, height],
        [width, height],
        [width, 0],
        [0, 0]
      ]
      const ring = corners
        .slice(1)
        .flatMap(([c, r], i) =>
          Array.from({ length: PIECES }, (_, k) =>
            toWorld(
              transform,
              column + corners[i][0] + ((c - corners[i][0]) * k) / PIECES,
              row + corners[i][1] + ((r - corners[i][1]) * k) / PIECES
            )
          )
        )
      const points = Float64Array.from(ring.flat())
      crs.toGeodetic(points)
      const polygon = earth.Polygon(false)
      for (let i = 0; i < points.length; i += 2)
        polygon.AddPoint((points[i + 1] * 180) / Math.PI, (points[i] * 180) / Math.PI)
      return Math.abs(polygon.Compute(false, true).area ?? NaN)
    }
  }
}

const SCENES: [name: string, code: string, transform: Transform, size: Size][] = [
  ['Web Mercator at 59° N', 'EPSG:3857', [2010000, 0.6, 0, 8250000, 0, -0.6], { width: 128, height: 96 }],
  [
    'Web Mercator from the equator to 70° N',
    'EPSG:3857',
    [0, 10000, 0, 11000000, 0, -10000],
    { width: 400, height: 1100 }
  ],
  ['UTM within its zone', 'EPSG:32633', [300000, 10, 0, 5900000, 0, -10], { width: 5000, height: 5000 }],
  ['UTM, turned by 30°', 'EPSG:32633', [500000, 8.66, 5, 5400000, 5, -8.66], { width: 300, height: 200 }],
  ['US survey feet', 'EPSG:2263', [984250, 1, 0, 194342, 0, -1], { width: 128, height: 96 }],
  ['degrees', 'EPSG:4326', [10, 0.001, 0, 50, 0, -0.001], { width: 1000, height: 1000 }],
  ['degrees from pole to pole', 'EPSG:4326', [-180, 2.8125, 0, 90, 0, -1.875], { width: 128, height: 96 }],
  ['grads', 'EPSG:4807', [0, 0.001, 0, 54, 0, -0.001], { width: 500, height: 500 }],
  [
    'polar stereographic with the pole inside',
    'EPSG:3031',
    [-3000000, 10000, 0, 3000000, 0, -10000],
    { width: 600, height: 600 }
  ],
  ['Lambert conic of a continent', 'EPSG:3034', [2500000, 1000, 0, 4500000, 0, -1000], { width: 4000, height: 3500 }],
  ['equal areas', 'EPSG:6933', [-1000000, 1000, 0, 6000000, 0, -1000], { width: 2000, height: 4000 }],
  [
    'sinusoidal on a sphere',
    '+proj=sinu +R=6371007.181 +type=crs',
    [0, 463.3127, 0, 5559752.6, 0, -463.3127],
    { width: 2400, height: 2400 }
  ],
  ['British National Grid', 'EPSG:27700', [430000, 1, 0, 290000, 0, -1], { width: 128, height: 96 }]
]

describe('ground areas of pixels', () => {
  it.each(SCENES)('match GeographicLib to 0.02 %%: %s', async (_, code, transform, size) => {
    const { areas, geodesic } = await scene(code, transform, size)
    for (const [x, y] of [
      [0, 0],
      [0.99, 0],
      [0, 0.99],
      [0.99, 0.99],
      [0.5, 0.5],
      [0.31, 0.77]
    ]) {
      const [column, row] = [Math.floor(x * size.width), Math.floor(y * size.height)]
      const exact = geodesic(column, row)
      expect(Math.abs(areas.at(column, row) / exact - 1), `${column}, ${row}`).toBeLessThan(2e-4)
    }
  })

  it.each(SCENES)('add up to the scene’s area: %s', async (_, code, transform, size) => {
    const { areas } = await scene(code, transform, size)
    const sums = new Float64Array(256)
    for (let top = 0; top < size.height; top += 700) {
      const window = { left: 0, top, width: size.width, height: Math.min(700, size.height - top) }
      areas.add(
        sums,
        new Uint8Array(window.width * window.height).map((_, i) => i % 3),
        window
      )
    }
    const whole = sums[0] + sums[1] + sums[2]
    expect(areas.within([[0, 0, size.width, 0, size.width, size.height, 0, size.height, 0, 0]]) / whole).toBeCloseTo(
      1,
      9
    )
    expect(sums.subarray(3).every((sum) => sum === 0)).toBe(true)
    // Half of the scene, with a hole.
    const half = areas.within([[0, 0, size.width / 2, 0, size.width / 2, size.height, 0, size.height, 0, 0]])
    const hole = areas.within([[10, 10, 10, 20, 20, 20, 20, 10, 10, 10]])
    expect(
      areas.within([
        [0, 0, size.width / 2, 0, size.width / 2, size.height, 0, size.height, 0, 0],
        [10, 10, 10, 20, 20, 20, 20, 10, 10, 10]
      ])
    ).toBeCloseTo(half - hole, -1)
  })

  it('add up to the earth’s surface for a map of the whole earth', async () => {
    const { areas } = await scene('EPSG:4326', [-180, 2.8125, 0, 90, 0, -1.875], { width: 128, height: 96 })
    const sums = new Float64Array(256)
    areas.add(sums, new Uint8Array(128 * 96), { left: 0, top: 0, width: 128, height: 96 })
    expect(Math.abs(sums[0] / 510_065_621_724_089 - 1)).toBeLessThan(2e-5)
  })

  it('add up to the earth’s surface for a sinusoidal map, without the pixels outside the map', async () => {
    const { areas } = await scene(
      '+proj=sinu +R=6371007.181 +type=crs',
      [-20_015_109, 312_736, 0, 10_007_554, 0, -208_490],
      { width: 128, height: 96 }
    )
    const sums = new Float64Array(256)
    areas.add(sums, new Uint8Array(128 * 96), { left: 0, top: 0, width: 128, height: 96 })
    expect(Math.abs(sums[0] / (4 * Math.PI * 6371007.181 ** 2) - 1)).toBeLessThan(0.005)
  })

  it('give a ground sampling distance in metres, whatever the unit', async () => {
    expect((await scene('EPSG:3857', [2010000, 0.6, 0, 8250000, 0, -0.6], { width: 128, height: 96 })).gsd).toBeCloseTo(
      0.3065,
      3
    )
    expect((await scene('EPSG:2263', [984250, 1, 0, 194342, 0, -1], { width: 128, height: 96 })).gsd).toBeCloseTo(
      0.3048,
      4
    )
  })

  it('are unknown if the place is unknown', () => {
    expect(
      groundAreas({ transform: [0, 1, 0, 0, 0, -1], place: { known: false, reason: 'none' } }, { width: 8, height: 8 })
    ).toBeUndefined()
    expect(groundAreas(undefined, { width: 8, height: 8 })).toBeUndefined()
  })

  it('are unknown if the coordinates aren’t latitudes', async () => {
    const place = await placeFrom('EPSG:4326')
    expect(groundAreas({ transform: [500000, 1, 0, 5000000, 0, -1], place }, { width: 8, height: 8 })).toBeUndefined()
  })
})
