import { describe, expect, it } from 'vitest'
import type { Area } from '../../../../src-main/contract/imagery.ts'
import { fillRings, inPixels } from '../../../../src-main/imagery/area/area.ts'
import { placeFrom } from '../../../../src-main/imagery/crs/crs.ts'
import { type Transform, toWorld } from '../../../../src-main/imagery/crs/transform.ts'

type Ring = [number, number][]
const box = (west: number, south: number, east: number, north: number): Ring => [
  [west, south],
  [east, south],
  [east, north],
  [west, north],
  [west, south]
]
const areaOf = (rings: Ring[], crs?: string): Area => ({
  crs,
  features: [{ polygons: rings.map((ring) => [ring]), properties: {} }]
})

/** Returns the pixels that an area covers, and those whose centres PROJ places inside it, in longitude and latitude. */
async function covered(
  code: string,
  transform: Transform,
  [width, height]: [number, number],
  area: Area,
  isInside: (longitude: number, latitude: number) => boolean
): Promise<{ drawn: Uint8Array; exact: Uint8Array; differing: number }> {
  const place = await placeFrom(code)
  if (!place.known) throw new Error(place.reason)
  const drawn = new Uint8Array(width * height)
  const scene = { width, height, georeference: { transform, place, tags: [], sidecars: { read: [], ignored: [] } } }
  for (const rings of await inPixels(area, scene, 'scene.tif'))
    fillRings(rings, { left: 0, top: 0, width, height }, { x: 1, y: 1 }, drawn, 1)
  const points = new Float64Array(2 * width * height)
  for (let i = 0; i < width * height; i++)
    points.set(toWorld(transform, (i % width) + 0.5, Math.floor(i / width) + 0.5), 2 * i)
  place.crs.toLonLat(points)
  const exact = Uint8Array.from({ length: width * height }, (_, i) =>
    Number(isInside(points[2 * i], points[2 * i + 1]))
  )
  return { drawn, exact, differing: drawn.reduce((sum, value, i) => sum + Number(value !== exact[i]), 0) }
}

describe('an area on a scene', () => {
  it('has edges that follow the projection, and its datum shifted', async () => {
    const rings = [box(-1.68, 52.42, -1.45, 52.57)]
    const { differing, exact } = await covered(
      'EPSG:27700',
      [420_000, 50, 0, 300_000, 0, -50],
      [500, 500],
      areaOf(rings),
      (x, y) => x > -1.68 && x < -1.45 && y > 52.42 && y < 52.57
    )
    expect(exact.includes(1) && exact.includes(0)).toBe(true)
    // A centre within a tenth of a pixel of the border may fall on either side.
    expect(differing).toBeLessThan(60)
  })

  it('is complete if its polygons are cut at the antimeridian', async () => {
    const rings = [box(179, -18, 180, -16), box(-180, -18, -179, -16)]
    const { drawn, differing } = await covered(
      'EPSG:32760',
      [800_000, 100, 0, 8_150_000, 0, -100],
      [500, 300],
      areaOf(rings),
      (x, y) => Math.abs(x) > 179 && y > -18 && y < -16
    )
    expect(drawn.every((value) => value === 1)).toBe(true)
    expect(differing).toBe(0)
  })

  it('may be the whole earth', async () => {
    for (const [code, transform] of [
      ['EPSG:32633', [300_000, 1000, 0, 5_900_000, 0, -1000]],
      ['EPSG:3031', [-1e6, 20_000, 0, 1e6, 0, -20_000]],
      ['EPSG:4326', [-180, 3.6, 0, 90, 0, -1.8]]
    ] as [string, Transform][]) {
      const { drawn } = await covered(code, transform, [100, 100], areaOf([box(-180, -90, 180, 90)]), () => true)
      expect(
        drawn.every((value) => value === 1),
        code
      ).toBe(true)
    }
  })

  it('may surround a pole', async () => {
    const { differing, exact } = await covered(
      'EPSG:3031',
      [-2e6, 20_000, 0, 2e6, 0, -20_000],
      [200, 200],
      areaOf([box(-180, -90, 180, -80)]),
      (_, y) => y < -80
    )
    expect(exact.includes(1) && exact.includes(0)).toBe(true)
    expect(differing).toBeLessThan(40)
  })

  it('also applies to scenes with longitudes from 0° to 360°', async () => {
    for (const code of ['EPSG:4326', 'EPSG:4258']) {
      const { differing, exact } = await covered(
        code,
        [0, 1, 0, 90, 0, -1],
        [360, 180],
        areaOf([box(-20, -10, 20, 10)]),
        (x, y) => Math.abs(((x + 180) % 360) - 180) < 20 && Math.abs(y) < 10
      )
      expect(exact.includes(1)).toBe(true)
      expect(differing, code).toBe(0)
    }
  })

  it('is the same in the scene’s own coordinates', async () => {
    const { drawn } = await covered(
      'EPSG:32633',
      [300_000, 10, 0, 5_900_000, 0, -10],
      [100, 100],
      areaOf([box(300_200, 5_899_300, 300_600, 5_899_800)], 'urn:ogc:def:crs:EPSG::32633'),
      () => false
    )
    expect(drawn.reduce((sum, value) => sum + value, 0)).toBe(40 * 50)
  })

  it('is not found on a scene whose place is unknown', async () => {
    await expect(inPixels(areaOf([box(0, 0, 1, 1)]), { width: 8, height: 8 }, 'a.tif')).rejects.toMatchObject({
      name: 'AreaUnreachable'
    })
    const georeference = {
      transform: [0, 1, 0, 0, 0, -1] as Transform,
      place: { known: false as const, reason: 'its coordinate system is not given' },
      tags: [],
      sidecars: { read: [], ignored: [] }
    }
    await expect(
      inPixels(areaOf([box(0, 0, 1, 1)]), { width: 8, height: 8, georeference }, 'a.tif')
    ).rejects.toMatchObject({ message: expect.stringContaining('coordinate system is not given') as string })
  })
})
