import { spawnSync } from 'node:child_process'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CommandOutput } from '../../../src-main/contract/commands.ts'
import { drawSampleScene } from '../../../src-main/engine/sample/sampleScene.ts'
import { json, smalti } from '../../fixtures/commandLine.ts'
import { ask, gdal, oracleLack } from '../../fixtures/gdal.ts'
import { type Described, TRAIN, geoScenes } from '../../fixtures/scenes.ts'

describe.skipIf(oracleLack)('scenes', () => {
  let folder: string
  let scenes: string
  beforeAll(async () => void ({ folder, scenes } = await geoScenes()))

  it('with ground control points are used, with a warning', async () => {
    const points = join(folder, 'points')
    await mkdir(points)
    gdal(
      'gdal_translate',
      '-q',
      '-a_srs',
      'EPSG:4326',
      ...[
        [0, 0, 10, 50],
        [600, 0, 10.1, 50],
        [0, 600, 10, 49.9],
        [600, 600, 10.1, 49.9]
      ].flatMap((point) => ['-gcp', ...point.map(String)]),
      join(scenes, 'süd, "b".tif'),
      join(points, 'gcp.tif')
    )
    const p = join(folder, 'points.smalti')
    const trained = json<CommandOutput<'train'>>(await smalti('train', points, '--project', p, ...TRAIN, '--json'))
    expect(trained.warnings).toEqual([
      { path: 'gcp.tif', reason: expect.stringContaining('ground control points') as string }
    ])
    await smalti('segment', p)
    await smalti('export', p, '--format', 'geotiff', '--out', join(folder, 'points-out'))
    expect((await ask<Described>({ ask: 'describe', path: join(folder, 'points-out', 'gcp.tif') })).controlPoints).toBe(
      4
    )
  })

  it('keep to an area of interest in any coordinate system', async () => {
    const area = join(folder, 'aoi.geojson')
    // A square of 100 m (200 pixels) in the north scene, whose upper left corner is at 401000, 5000000.
    const ring = [
      [401100, 4999900],
      [401200, 4999900],
      [401200, 4999800],
      [401100, 4999800],
      [401100, 4999900]
    ]
    const inDegrees = ring.map(([x, y]) => gdalTransform(x, y))
    for (const content of [
      {
        type: 'Polygon',
        coordinates: [ring],
        crs: { type: 'name', properties: { name: 'urn:ogc:def:crs:EPSG::32633' } }
      },
      {
        type: 'FeatureCollection',
        features: [{ type: 'Feature', properties: {}, geometry: { type: 'Polygon', coordinates: [inDegrees] } }]
      }
    ]) {
      await writeFile(area, JSON.stringify(content))
      const p = join(folder, `aoi-${content.type}.smalti`)
      const trained = await smalti('train', scenes, '--project', p, ...TRAIN, '--area', area, '--json')
      expect(trained.code, trained.stderr).toBe(0)
      expect((await smalti('segment', p)).code).toBe(0)
      await smalti('export', p, '--format', 'geotiff', '--out', join(p, 'out'))
      const { counts } = await ask<Described>({ ask: 'describe', path: join(p, 'out', 'north.tif'), counts: true })
      expect(700 * 700 - counts![255]).toBeGreaterThan(39_000)
      expect(700 * 700 - counts![255]).toBeLessThan(41_000)
      const { windows } = await ask<{ windows: number[][][] }>({
        ask: 'windows',
        path: join(p, 'out', 'north.tif'),
        windows: [
          [205, 205, 190, 190, 0],
          [0, 0, 700, 195, 0]
        ]
      })
      expect(windows[0][0]).not.toContain(255)
      expect(windows[1][0].every((value) => value === 255)).toBe(true)
      const other = await ask<Described>({ ask: 'describe', path: join(p, 'out', 'süd, "b".tif'), counts: true })
      expect(other.counts![255]).toBe(600 * 600)
    }
    const lost = await smalti(
      'train',
      scenes,
      '--project',
      join(folder, 'aoi-none'),
      ...TRAIN,
      '--area',
      join(folder, 'nowhere.geojson')
    )
    expect([lost.code, lost.stderr]).toEqual([2, expect.stringContaining('does not exist')])
  })

  function gdalTransform(x: number, y: number): [number, number] {
    const { stdout } = spawnSync('gdaltransform', ['-s_srs', 'EPSG:32633', '-t_srs', 'OGC:CRS84'], {
      input: `${x} ${y}\n`,
      encoding: 'utf8'
    })
    const [longitude, latitude] = stdout.split(' ').map(Number)
    return [longitude, latitude]
  }

  it('with different resolutions are seen at one resolution, and compared with truth of any kind', async () => {
    const mixed = join(folder, 'mixed')
    await mkdir(mixed)
    await cp(join(scenes, 'north.tif'), join(mixed, 'fine.tif'))
    gdal(
      'gdal_translate',
      '-q',
      '-outsize',
      '50%',
      '50%',
      '-r',
      'average',
      join(scenes, 'süd, "b".tif'),
      join(mixed, 'coarse.tif')
    )
    const p = join(folder, 'gsd.smalti')
    const trained = await smalti('train', mixed, '--project', p, ...TRAIN, '--gsd', '1', '--json')
    expect(trained.code, trained.stderr).toBe(0)
    expect((await smalti('segment', p)).code).toBe(0)
    const out = join(folder, 'gsd-out')
    await smalti('export', p, '--format', 'geotiff', '--out', out)
    expect((await ask<Described>({ ask: 'describe', path: join(out, 'fine.tif') })).width).toBe(700)
    expect((await ask<Described>({ ask: 'describe', path: join(out, 'coarse.tif') })).width).toBe(300)
    // Use labels as their own truth: as GeoTIFF, as PNG and as polygons.
    await smalti('export', p, '--format', 'png', '--out', join(folder, 'gsd-png'))
    await smalti('export', p, '--format', 'geojson', '--out', join(folder, 'gsd-json'))
    for (const truth of [out, join(folder, 'gsd-png'), join(folder, 'gsd-json')]) {
      const scored = await smalti('evaluate', p, '--truth', truth, '--json')
      expect(scored.code, scored.stderr).toBe(0)
      expect(json<CommandOutput<'evaluate'>>(scored).accuracy).toBeGreaterThan(truth.endsWith('json') ? 0.97 : 0.99999)
    }
  })

  it('without a known pixel size are left out where one is needed', async () => {
    const photos = join(folder, 'photos')
    await mkdir(photos)
    await sharp(drawSampleScene(200, 5).colours, { raw: { width: 200, height: 200, channels: 3 } })
      .png()
      .toFile(join(photos, 'a.png'))
    const refused = await smalti('train', photos, '--project', join(folder, 'p-photos'), ...TRAIN, '--gsd', '0.5')
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('pixel size on the ground is unknown')])
    // A world file gives the pixel size.
    await writeFile(join(photos, 'a.pgw'), '0.5\n0\n0\n-0.5\n400000.25\n4999999.75\n')
    await writeFile(
      join(photos, 'a.prj'),
      'PROJCS["WGS 84 / UTM zone 33N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",15],PARAMETER["scale_factor",0.9996],PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1],AUTHORITY["EPSG","32633"]]'
    )
    const p = join(folder, 'world.smalti')
    expect((await smalti('train', photos, '--project', p, ...TRAIN, '--gsd', '0.5')).code).toBe(0)
    await smalti('segment', p)
    await smalti('export', p, '--format', 'geotiff', '--out', join(folder, 'world'))
    const labels = await ask<Described>({ ask: 'describe', path: join(folder, 'world', 'a.tif') })
    expect(labels.transform).toEqual([400000, 0.5, 0, 5000000, 0, -0.5])
    expect(labels.projection).toContain('UTM zone 33N')
  })

  it('with different bands and depths are trained on in their common bands, or rejected with a list', async () => {
    const bands = join(folder, 'bands')
    await mkdir(bands)
    const make = (name: string, request: object): Promise<unknown> =>
      ask({
        ask: 'make',
        path: join(bands, name),
        width: 200,
        height: 200,
        type: 'UInt16',
        options: ['TILED=YES'],
        ...request
      } as never)
    await make('four.tif', { bands: 4 })
    await make('three.tif', { bands: 3 })
    const p = join(folder, 'bands.smalti')
    const together = await smalti('train', bands, '--project', p, ...TRAIN, '--json')
    expect(together.code, together.stderr).toBe(0)
    expect((await smalti('segment', p, '--json')).code).toBe(0)
    const chosen = await smalti(
      'train',
      bands,
      '--project',
      join(folder, 'bands-2.smalti'),
      ...TRAIN,
      '--bands',
      '4,3,2',
      '--json'
    )
    expect(json<CommandOutput<'train'>>(chosen)).toMatchObject({ images: 1, skipped: [{ path: 'three.tif' }] })
    await make('eight.tif', { bands: 3, type: 'Byte' })
    const refused = await smalti('train', bands, '--project', join(folder, 'bands-3.smalti'), ...TRAIN)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('eight.tif')])
  })
})
