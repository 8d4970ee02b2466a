import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { placeFrom } from '../../../../src-main/imagery/crs/crs.ts'
import { toWorld } from '../../../../src-main/imagery/crs/transform.ts'
import type { Georeference } from '../../../../src-main/imagery/georeference.ts'
import { fileAt } from '../../../../src-main/imagery/location.ts'
import { openRaster } from '../../../../src-main/imagery/reading/openRaster.ts'
import type { Raster } from '../../../../src-main/imagery/raster.ts'
import { oracleLack } from '../../../fixtures/gdal.ts'

const SCENES = [
  '../shared/data/geotiff/images',
  ...[
    'antimeridian',
    'datum-shift',
    'feet-user-defined',
    'geokeys-crs',
    'gpkg-fgb-no-crs',
    'mercator-area',
    'tfw-with-geokeys',
    'pam-sidecar'
  ].map((name) => `../shared/faults/${name}`)
]
for (const path of SCENES) if (!existsSync(path)) console.warn(`NOT TESTED: ${path} was not found`)

interface Expected {
  name: string
  path: string
  transform: number[] | null
  /** Longitudes and latitudes of the four corners and the middle. */
  places: ([number, number] | null)[] | null
}

let folder: string
let expected: Expected[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalti-places-'))
  if (oracleLack) return
  const scenes = SCENES.filter(existsSync).flatMap((path) =>
    readdirSync(path)
      .filter((name) => /\.(tif|png)$/.test(name))
      .map((name) => resolve(path, name))
  )
  const { status, stdout, stderr } = spawnSync(
    '/usr/bin/python3',
    [resolve('tests/fixtures/oracles/places.py'), folder, ...scenes],
    { encoding: 'utf8', maxBuffer: 2 ** 26 }
  )
  if (status !== 0) throw new Error(stderr)
  expected = JSON.parse(stdout) as Expected[]
})
afterAll(() => rm(folder, { recursive: true }))

async function headerOf(path: string): Promise<Pick<Raster, 'width' | 'height'> & { georeference?: Georeference }> {
  const raster = await openRaster(fileAt(path))
  const georeference = await raster.georeference()
  await raster.close()
  return { width: raster.width, height: raster.height, georeference }
}

/** Returns longitudes and latitudes of a scene's corners and middle, or why they are unknown. */
function placesOf({ width, height, georeference }: Awaited<ReturnType<typeof headerOf>>): [number, number][] | string {
  const { transform, place } = georeference ?? {}
  if (!transform) return 'no transform'
  if (!place?.known) return place?.reason ?? 'no place'
  const points = Float64Array.from(
    [
      [0, 0],
      [width, 0],
      [0, height],
      [width, height],
      [width / 2, height / 2]
    ].flatMap(([column, row]) => toWorld(transform, column, row))
  )
  place.crs.toLonLat(points)
  return Array.from({ length: 5 }, (_, i) => [points[2 * i], points[2 * i + 1]])
}

function metresBetween([a, b]: readonly [number, number], [c, d]: readonly [number, number]): number {
  const longitudes = Math.abs(a - c) % 360
  return 111_320 * Math.hypot(Math.min(longitudes, 360 - longitudes) * Math.cos((b * Math.PI) / 180), b - d)
}

/** Geocentric coordinates, which GDAL places and Smalti treats as unknown. */
const UNKNOWN = [/^EPSG 4978/]

describe.skipIf(oracleLack)('places of scenes', () => {
  it('match GDAL and PROJ to 5 m, or are unknown, in all kinds of coordinate systems', async () => {
    expect(expected.length).toBeGreaterThan(200)
    const wrong: string[] = []
    const unknown: string[] = []
    for (const { name, path, places } of expected) {
      const found = placesOf(await headerOf(path))
      if (typeof found === 'string') {
        if (places && places.every((place) => place)) unknown.push(`${name}: ${found}`)
      } else if (!places) {
        if (found.some(([longitude]) => !Number.isNaN(longitude)))
          wrong.push(`${name}: Smalti has ${found[4].join(' ')}, GDAL none`)
      } else {
        found.forEach((place, i) => {
          const theirs = places[i]
          if (theirs && !(metresBetween(place, theirs) <= 5))
            wrong.push(`${name}, ${i}: ${place.join(' ')}, GDAL ${theirs.join(' ')}`)
        })
      }
    }
    expect(wrong).toEqual([])
    expect(unknown.filter((name) => !UNKNOWN.some((pattern) => pattern.test(name)))).toEqual([])
  })

  it('have GDAL’s origin, from tags, notes and world files', async () => {
    for (const { path, transform, name } of expected) {
      const found = (await headerOf(path)).georeference?.transform
      if (transform === null) expect(found, name).toBeUndefined()
      else transform.forEach((value, i) => expect(found?.[i], name).toBeCloseTo(value, 6))
    }
  })
})

describe('a coordinate system', () => {
  it('is unknown, with a reason, if it says nothing about the earth', async () => {
    for (const [definition, reason] of [
      ['LOCAL_CS["site",UNIT["metre",1]]', 'local'],
      ['EPSG:5773', 'heights'],
      ['EPSG:4978', 'geocentric'],
      ['EPSG:999999', 'PROJ'],
      ['nonsense', 'PROJ'],
      ['', 'PROJ']
    ]) {
      const place = await placeFrom(definition)
      expect(place.known, definition).toBe(false)
      expect(!place.known && place.reason, definition).toContain(reason)
    }
  })

  it('states the published accuracy of its longitudes and latitudes, if there is one', async () => {
    const at = async (code: string, longitude: number, latitude: number): Promise<number | undefined> => {
      const place = await placeFrom(code)
      return place.known ? place.crs.accuracyAt(longitude, latitude) : NaN
    }
    expect(await at('EPSG:32633', 15, 50)).toBe(0)
    expect(await at('EPSG:27700', -1.5, 52)).toBeGreaterThanOrEqual(1)
    expect(await at('EPSG:27700', -1.5, 52)).toBeLessThanOrEqual(5)
    expect(await at('+proj=utm +zone=33 +ellps=bessel +type=crs', 15, 50)).toBeUndefined()
  })

  it('converts coordinates there and back', async () => {
    for (const [code, x, y] of [
      ['EPSG:27700', 430_000, 290_000],
      ['EPSG:2056', 2_600_000, 1_200_000],
      ['EPSG:3031', 500_000, 1_500_000],
      ['EPSG:4807', 2.6, 54],
      ['EPSG:2263', 984_250, 194_342]
    ] as const) {
      const place = await placeFrom(code)
      if (!place.known) throw new Error(place.reason)
      const points = Float64Array.of(x, y)
      place.crs.toLonLat(points)
      place.crs.toLonLat(points, true)
      expect(Math.abs(points[0] - x) * place.crs.unit.size, code).toBeLessThan(0.01)
      expect(Math.abs(points[1] - y) * place.crs.unit.size, code).toBeLessThan(0.01)
    }
  })

  it('gets a code if its text matches one, and otherwise keeps its text', async () => {
    const utm = await placeFrom(
      'PROJCS["WGS_1984_UTM_Zone_33N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",15.0],PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
    )
    expect(utm.known && utm.crs.code).toBe('EPSG:32633')
    const sinusoidal = await placeFrom('+proj=sinu +R=6371007.181 +type=crs')
    expect(sinusoidal.known && sinusoidal.crs.code).toBeUndefined()
    expect(sinusoidal.known && sinusoidal.crs.wkt('WKT1:GDAL')).toContain('Sinusoidal')
  })
})
