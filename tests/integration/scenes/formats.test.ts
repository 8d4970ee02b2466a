import { existsSync } from 'node:fs'
import { cp, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CommandOutput } from '../../../src-main/contract/commands.ts'
import { json, smalti } from '../../fixtures/commandLine.ts'
import { ask, hasCogeo, hasPycocotools, oracleLack, validate } from '../../fixtures/gdal.ts'
import { type Described, rasterHashes, sceneProject } from '../../fixtures/scenes.ts'

describe.skipIf(oracleLack)('scenes', () => {
  let folder: string
  let project: string
  beforeAll(async () => void ({ folder, project } = await sceneProject()))

  it('have polygons that share borders and cover everything labelled', async () => {
    const areas = json<CommandOutput<'export'>>(
      await smalti('export', project, '--format', 'csv', '--out', join(folder, 'csv'), '--json')
    )
    expect(areas.files).toBe(1)
    for (const [format, file, place] of [
      ['geopackage', 'labels.gpkg', 'WGS 84 / UTM zone 33N'],
      ['flatgeobuf', 'north.fgb', 'WGS 84 / UTM zone 33N'],
      ['geojson', 'north.geojson', 'WGS 84']
    ] as const) {
      const out = join(folder, format)
      const exported = await smalti('export', project, '--format', format, '--out', out, '--sieve', '30px')
      expect(exported.code, exported.stderr).toBe(0)
      const { layers } = await ask<{
        layers: {
          name: string
          features: number
          invalid: number
          area: number
          union: number
          projection: string
          names: string[]
        }[]
      }>({ ask: 'vectors', path: join(out, file), union: true })
      const layer = layers.find(({ name }) => name === 'north') ?? layers[0]
      expect(layer).toMatchObject({ invalid: 0, projection: place })
      expect(layer.features).toBeGreaterThan(5)
      // No polygon overlaps another, and none is missing.
      expect(layer.union / layer.area).toBeCloseTo(1, 9)
      if (format !== 'geojson') expect(layer.area / ((700 * 660) / 4)).toBeCloseTo(1, 3)
    }
  })

  it('have the same labels in every format that other programs read', async () => {
    const written = async (format: string): Promise<string> => {
      const out = join(folder, `same-${format}`)
      const exported = await smalti('export', project, '--format', format, '--out', out)
      expect(exported.code, exported.stderr).toBe(0)
      return out
    }
    const pixels = async (path: string): Promise<number[]> =>
      (await ask<{ windows: number[][][] }>({ ask: 'windows', path, windows: [[0, 0, 700, 700, 0]] })).windows[0][0]
    const expected = await pixels(join(await written('geotiff'), 'north.tif'))
    expect(await pixels(join(await written('png'), 'north.png'))).toEqual(expected)
    expect(await pixels(join(await written('png-palette'), 'north.png'))).toEqual(expected)
    expect(
      await ask<{ values: number[]; shape: number[] }>({ ask: 'npy', path: join(await written('npy'), 'north.npy') })
    ).toEqual({ values: expected, shape: [700, 700] })
    const classes = await written('png-classes')
    expect(await pixels(join(classes, 'north', '003 Cluster 4.png'))).toEqual(
      expected.map((value) => (value === 3 ? 255 : 0))
    )
    const panoptic = join(await written('coco-panoptic'))
    expect(await pixels(join(panoptic, 'panoptic', 'north.png'))).toEqual(
      expected.map((value) => (value === 255 ? 0 : value + 1))
    )
    const described = JSON.parse(await readFile(join(panoptic, 'panoptic.json'), 'utf8')) as {
      annotations: { segments_info: { id: number; area: number }[] }[]
    }
    for (const { id, area } of described.annotations[0].segments_info)
      expect(area).toBe(expected.filter((value) => value === id - 1).length)
    if (hasPycocotools) {
      const { pictures } = await ask<{ pictures: Record<string, number[]> }>({
        ask: 'coco',
        path: join(await written('coco-rle'), 'annotations.json')
      })
      expect(pictures['north.tif']).toEqual(expected.map((value) => (value === 255 ? 0 : value + 1)))
    }
    const yolo = (await readFile(join(await written('yolo'), 'labels', 'north.txt'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number))
    const area = yolo.reduce(
      (sum, [, ...corners]) =>
        sum +
        Math.abs(
          corners.reduce(
            (a, _, i) =>
              i % 2
                ? a
                : a +
                  corners[i] * corners[(i + 3) % corners.length] -
                  corners[(i + 2) % corners.length] * corners[i + 1],
            0
          )
        ) /
          2,
      0
    )
    expect(area * 700 * 700).toBeCloseTo(700 * 660, -3)
  })

  it('keep class names in any script, with commas, quotes and line ends, in every format', async () => {
    const run = join(folder, 'named.smalti')
    await cp(project, run, { recursive: true })
    const names = ['Wald, "hoch"', 'воду\nи лёд', '森林 <&>', "l'été"]
    const classes = names.map((name, id) => ({ id, name, colour: ['#102030', '#405060', '#708090', '#a0b0c0'][id] }))
    await writeFile(
      join(run, 'runs', 'run-0001', 'classes.json'),
      JSON.stringify({
        format: 2,
        cursor: 0,
        history: [{ name: 'first', schemes: { A: { classes, of: [0, 0, 1, 1, 2, 2, 3, 3] } } }]
      })
    )
    const written = async (format: string): Promise<string> => {
      const out = join(folder, `named-${format}`)
      const exported = await smalti('export', run, '--format', format, '--out', out)
      expect(exported.code, exported.stderr).toBe(0)
      return out
    }
    const labels = await ask<Described>({
      ask: 'describe',
      path: join(await written('geotiff'), 'north.tif'),
      counts: true
    })
    expect(labels.table!.map(([, name]) => name)).toEqual(names)
    expect(labels.counts!.slice(4, 255).every((count) => count === 0)).toBe(true)
    for (const [format, file] of [
      ['geopackage', 'labels.gpkg'],
      ['geojson', 'north.geojson'],
      ['flatgeobuf', 'north.fgb']
    ]) {
      const { layers } = await ask<{ layers: { name: string; names: string[] }[] }>({
        ask: 'vectors',
        path: join(await written(format), file)
      })
      for (const name of (layers.find((layer) => layer.name === 'north') ?? layers[0]).names)
        expect(names).toContain(name)
    }
    const csv = await readFile(join(await written('csv'), 'areas.csv'), 'utf8')
    expect(csv).toContain('"Wald, ""hoch"""')
    expect(csv).toContain('"süd, ""b"".tif"')
    for (const format of ['coco-rle', 'coco-panoptic']) {
      const file = join(await written(format), format === 'coco-rle' ? 'annotations.json' : 'panoptic.json')
      expect(
        (JSON.parse(await readFile(file, 'utf8')) as { categories: { name: string }[] }).categories.map(
          ({ name }) => name
        )
      ).toEqual(names)
    }
    expect((await readdir(join(await written('png-classes'), 'north'))).length).toBe(4)
    for (const format of ['png', 'npy', 'yolo']) await written(format)
  })

  it('have probabilities, if heatmaps are saved, that GDAL places on them and that agree with the labels', async () => {
    const p = join(folder, 'heatmaps.smalti')
    await cp(project, p, { recursive: true })
    const out = join(folder, 'measures')
    const refused = await smalti('export', p, '--format', 'geotiff', '--confidence', '--out', out)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('no saved probabilities')])
    expect((await smalti('export', p, '--format', 'csv', '--probabilities', '--out', out)).stderr).toContain('GeoTIFF')
    expect(existsSync(out)).toBe(false)
    expect(json<CommandOutput<'segment'>>(await smalti('segment', p, '--heatmaps', '--json'))).toMatchObject({
      images: 2,
      labelled: 2
    })
    expect(await rasterHashes(p)).toMatchObject(await rasterHashes(project))
    expect(json<CommandOutput<'segment'>>(await smalti('segment', p, '--json'))).toMatchObject({ labelled: 0 })
    const exported = await smalti(
      'export',
      p,
      '--format',
      'geotiff',
      '--confidence',
      '--probabilities',
      '--out',
      out,
      '--json'
    )
    expect(exported.code, exported.stderr).toBe(0)
    expect(json<CommandOutput<'export'>>(exported).files).toBe(10)
    const [labels, confidence, probabilities] = await Promise.all(
      ['north.tif', 'north.confidence.tif', 'north.probabilities.tif'].map((name) =>
        ask<Described>({ ask: 'describe', path: join(out, name) })
      )
    )
    expect([confidence.width, confidence.height, confidence.transform, confidence.projection]).toEqual([
      labels.width,
      labels.height,
      labels.transform,
      labels.projection
    ])
    const [x, across, , y, , down] = labels.transform
    expect([probabilities.width, probabilities.height, probabilities.transform, probabilities.projection]).toEqual([
      175,
      175,
      [x, 4 * across, 0, y, 0, 4 * down],
      labels.projection
    ])
    expect(probabilities.names).toEqual(Array.from({ length: 8 }, (_, k) => `Cluster ${k + 1}`))
    for (const { nodata, scale } of [confidence, probabilities]) expect([nodata, scale]).toEqual([255, 1 / 254])
    if (hasCogeo)
      for (const name of ['north.confidence.tif', 'north.probabilities.tif'])
        expect(validate(join(out, name))).toContain('is a valid cloud optimized GeoTIFF')
    const values = async (name: string, side: number): Promise<number[][]> =>
      (
        await ask<{ windows: number[][][] }>({
          ask: 'windows',
          path: join(out, name),
          windows: [[0, 0, side, side, 0]]
        })
      ).windows[0]
    const [[label], [sure], planes] = [
      await values('north.tif', 700),
      await values('north.confidence.tif', 700),
      await values('north.probabilities.tif', 175)
    ]
    expect(sure.every((value, i) => (value === 255) === (label[i] === 255))).toBe(true)
    // Where one cluster leads in all four cells around a point, it is the label there, with at least the lowest
    // confidence of the four.
    let looked = 0
    for (let r = 0; r < 174; r++) {
      for (let c = 12; c < 174; c++) {
        const cells = [r * 175 + c, r * 175 + c + 1, (r + 1) * 175 + c, (r + 1) * 175 + c + 1]
        const leaders = cells.map((cell) =>
          planes.reduce((best, plane, k) => (plane[cell] > planes[best][cell] ? k : best), 0)
        )
        // Bytes can't tell which of two equal clusters led.
        const close = cells.some((cell) =>
          planes.some((plane, k) => k !== leaders[0] && plane[cell] >= planes[leaders[0]][cell] - 1)
        )
        if (new Set(leaders).size > 1 || close) continue
        const [least, most] = [Math.min, Math.max].map((pick) => pick(...cells.map((cell) => planes[leaders[0]][cell])))
        const pixel = (4 * r + 4) * 700 + 4 * c + 4
        looked++
        expect([label[pixel], sure[pixel] >= least - 1, sure[pixel] <= most + 1]).toEqual([leaders[0], true, true])
      }
    }
    expect(looked).toBeGreaterThan(5000)
    // Labels of another head remove this head's confidence and probabilities, but keep a file that the user edited.
    await writeFile(join(out, 'süd, "b".confidence.tif'), 'edited')
    expect((await smalti('export', p, '--format', 'geotiff', '--head', 'B', '--out', out)).code).toBe(0)
    expect((await readdir(out)).filter((name) => /confidence|probabilities/.test(name))).toEqual([
      'süd, "b".confidence.tif'
    ])
  })
})
