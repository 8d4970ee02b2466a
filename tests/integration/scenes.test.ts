import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, cp, mkdir, readFile, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { OrtApi } from '../../src-main/backends/onnx/execution.ts'
import type { CommandOutput } from '../../src-main/contract/commands.ts'
import type { Catalogue } from '../../src-main/contract/imagery.ts'
import { drawSampleScene } from '../../src-main/engine/sample/sampleScene.ts'
import { json, smalti, start, temporaryFolder } from '../fixtures/commandLine.ts'
import { ask, gdal, hasCogeo, hasPycocotools, oracleLack, validate } from '../fixtures/gdal.ts'
import { serveFiles } from '../fixtures/server.ts'

const require = createRequire(import.meta.url)
const TRAIN = ['--classes', '4', '--over', '8', '--seed', '2', '--preset', 'preview', '--backend', 'onnxruntime']

interface Described {
  width: number
  height: number
  transform: number[]
  projection: string | null
  nodata: number | null
  names: string[]
  scale: number | null
  overviews: number[][]
  colours: number[][] | null
  table: string[][] | null
  counts: number[] | null
  controlPoints: number
}

let folder: string
let scenes: string

/** Writes a generated scene as a GeoTIFF with GDAL, with a border without data. */
async function drawGeoTiff(
  path: string,
  side: number,
  seed: number,
  options: string[] = [],
  border = 40
): Promise<void> {
  const { colours } = drawSampleScene(side, seed)
  const plain = `${path}.png`
  // No pixel with data may look like one without.
  colours.forEach((value, i) => (colours[i] = Math.max(value, 1)))
  if (border > 0) for (let i = 0; i < side * side; i++) if (i % side < border) colours.fill(0, 3 * i, 3 * i + 3)
  await sharp(colours, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toFile(plain)
  const [x, y] = [400000 + 1000 * seed, 5000000]
  gdal(
    'gdal_translate',
    '-q',
    '-a_srs',
    'EPSG:32633',
    '-a_ullr',
    String(x),
    String(y),
    String(x + side / 2),
    String(y - side / 2),
    ...(border > 0 ? ['-a_nodata', '0'] : []),
    '-co',
    'TILED=YES',
    '-co',
    'BLOCKXSIZE=128',
    '-co',
    'BLOCKYSIZE=128',
    '-co',
    'COMPRESS=DEFLATE',
    ...options,
    plain,
    path
  )
  await rm(plain)
  await rm(`${path}.aux.xml`, { force: true })
}

/** Returns the hashes of all label rasters of a project. */
async function rasterHashes(project: string): Promise<Record<string, string>> {
  const names = (await readdir(join(project, 'runs'), { recursive: true })).filter((name) =>
    /labels\/.*\.tif$/.test(name)
  )
  // The key in the path depends on the images' times, which differ between copies.
  return Object.fromEntries(
    await Promise.all(
      names.map(
        async (name) =>
          [
            name.replace(/[0-9a-f]{16}/, 'KEY'),
            createHash('sha256')
              .update(await readFile(join(project, 'runs', name)))
              .digest('hex')
          ] as const
      )
    )
  )
}

const leftOver = async (project: string): Promise<string[]> =>
  (await readdir(project, { recursive: true })).filter((name) =>
    /\.(part|rows|sums|partial|lock)$|done\.jsonl$|shard-/.test(name)
  )

describe.skipIf(oracleLack)('scenes', () => {
  let project: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    scenes = join(folder, 'scenes')
    await mkdir(scenes)
    await drawGeoTiff(join(scenes, 'north.tif'), 700, 1)
    await drawGeoTiff(join(scenes, 'süd, "b".tif'), 600, 2)
    project = join(folder, 'p.smalti')
    const trained = await smalti('train', scenes, '--project', project, ...TRAIN, '--json')
    expect(trained.code, trained.stderr).toBe(0)
    const segmented = await smalti('segment', project, '--json')
    expect(segmented.code, segmented.stderr).toBe(0)
    expect(json<CommandOutput<'segment'>>(segmented)).toMatchObject({ images: 2, labelled: 2, skipped: [] })
  })

  it('are labelled where they have data, and nowhere else', async () => {
    const out = join(folder, 'where')
    await smalti('export', project, '--format', 'geotiff', '--out', out)
    for (const name of ['north.tif', 'süd, "b".tif']) {
      const [{ counts }, side] = [
        await ask<Described>({ ask: 'describe', path: join(out, name), counts: true }),
        name === 'north.tif' ? 700 : 600
      ]
      expect(counts![255]).toBe(40 * side)
    }
  })

  it('are described by cluster: areas as in GDAL, bands as in the files, neighbours and places', async () => {
    const out = join(folder, 'described')
    await smalti('export', project, '--format', 'geotiff', '--out', out)
    const { clusters, neighbours, names } = json<CommandOutput<'describe'>>(await smalti('describe', project, '--json'))
    const files = ['north.tif', 'süd, "b".tif']
    const counted = await Promise.all(
      files.map(
        async (name) => (await ask<Described>({ ask: 'describe', path: join(out, name), counts: true })).counts!
      )
    )
    const [[labels], bands] = await Promise.all(
      [out, scenes].map(
        async (place) =>
          (
            await ask<{ windows: number[][][] }>({
              ask: 'windows',
              path: join(place, 'north.tif'),
              windows: [[0, 0, 700, 700, 0]]
            })
          ).windows[0]
      )
    )
    const north = json<CommandOutput<'describe'>>(await smalti('describe', await onlyNorth(), '--json'))
    clusters.forEach(({ pixels, squareMetres, confidence, patches }, k) => {
      expect(pixels).toBe(counted[0][k] + counted[1][k])
      // On the ellipsoid, a half-metre pixel of the map is up to 0.1 % larger or smaller.
      expect(Math.abs(squareMetres! - pixels / 4)).toBeLessThanOrEqual((pixels / 4) * 1e-3)
      if (pixels > 2000) expect([confidence! > 1 / names.length, confidence! <= 1]).toEqual([true, true])
      for (const { path, x, y } of patches) if (path === 'north.tif') expect(labels[y * 700 + x]).toBe(k)
      // Averaged over cells instead of pixels, which is close enough for large clusters.
      if (north.clusters[k].pixels < 20_000) return
      bands.forEach((band, b) => {
        const mean = band.reduce((sum, value, i) => (labels[i] === k ? sum + value : sum), 0) / counted[0][k]
        expect(Math.abs(north.clusters[k].bands[b] - mean)).toBeLessThan(6)
      })
      for (let other = 0; other < names.length; other++) {
        let pairs = 0
        for (let i = 0; i < labels.length; i++) {
          for (const next of [...(i % 700 < 699 ? [i + 1] : []), i + 700])
            pairs +=
              Number(labels[i] === k && labels[next] === other) + Number(labels[i] === other && labels[next] === k)
        }
        expect(north.neighbours[k * names.length + other]).toBe(pairs)
      }
    })
    expect(
      neighbours.every(
        (pairs, i) => pairs === neighbours[(i % names.length) * names.length + Math.floor(i / names.length)]
      )
    ).toBe(true)
    expect(clusters.some(({ patches }) => new Set(patches.map(({ path }) => path)).size === 2)).toBe(true)
    expect((await smalti('describe', project)).stdout).toContain(' ha')
  })

  /** Copies the project with the labels of only one of its scenes. */
  async function onlyNorth(): Promise<string> {
    const p = join(folder, 'north.smalti')
    await cp(project, p, { recursive: true })
    const moved = join(folder, 'only-north')
    await mkdir(moved)
    await cp(join(scenes, 'north.tif'), join(moved, 'north.tif'))
    const index = join(p, 'project.json')
    await writeFile(index, (await readFile(index, 'utf8')).replaceAll(scenes, moved))
    await rm(join(p, 'runs', 'run-0001', 'labels'), { recursive: true })
    const segmented = await smalti('segment', p, '--images', moved)
    expect(segmented.code, segmented.stderr).toBe(0)
    return p
  }

  it('have labels that GDAL places exactly on them, with names, colours, counts and overviews', async () => {
    const out = join(folder, 'geotiff')
    const exported = await smalti('export', project, '--format', 'geotiff', '--out', out, '--json')
    expect(exported.code, exported.stderr).toBe(0)
    for (const name of ['north.tif', 'süd, "b".tif']) {
      const [scene, labels] = [
        await ask<Described>({ ask: 'describe', path: join(scenes, name) }),
        await ask<Described>({ ask: 'describe', path: join(out, name), counts: true })
      ]
      expect([labels.width, labels.height, labels.transform, labels.projection]).toEqual([
        scene.width,
        scene.height,
        scene.transform,
        scene.projection
      ])
      expect(labels.nodata).toBe(255)
      expect(labels.overviews).toEqual([[Math.ceil(scene.width / 2), Math.ceil(scene.height / 2)]])
      for (const [value, row] of labels.table!.entries()) {
        const [index, label, red, green, blue, count, area] = row
        expect([index, label, count]).toEqual([String(value), `Cluster ${value + 1}`, String(labels.counts![value])])
        expect([red, green, blue].map(Number)).toEqual(labels.colours![value])
        expect(Math.abs(Number(area) - labels.counts![value] / 4)).toBeLessThanOrEqual(
          (labels.counts![value] / 4) * 1e-3
        )
      }
      if (hasCogeo) expect(validate(join(out, name))).toContain('is a valid cloud optimized GeoTIFF')
      expect(await readFile(join(out, name.replace('.tif', '.qml')), 'utf8')).toContain('<paletteEntry value="7"')
    }
  })

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

  it('get the same labels from the exported network', async () => {
    const out = join(folder, 'onnx')
    expect((await smalti('export', project, '--format', 'onnx', '--out', out)).code).toBe(0)
    const ort = require('onnxruntime-node') as OrtApi
    const session = await ort.InferenceSession.create(join(out, 'labels.onnx'))
    const side = 700
    const { windows } = await ask<{ windows: number[][][] }>({
      ask: 'windows',
      path: join(scenes, 'north.tif'),
      windows: [[0, 0, side, side, 0]]
    })
    const { labels } = await session.run({
      image: new ort.Tensor('float32', Float32Array.from(windows[0].flat()), [1, 3, side, side])
    })
    const ours = (
      await ask<{ windows: number[][][] }>({
        ask: 'windows',
        path: join(folder, 'geotiff', 'north.tif'),
        windows: [[0, 0, side, side, 0]]
      })
    ).windows[0][0]
    let [same, all] = [0, 0]
    for (let r = 80; r < side - 80; r++) {
      for (let c = 120; c < side - 80; c++) {
        all++
        same += Number(Number(labels.data[r * side + c]) === ours[r * side + c])
      }
    }
    expect(same / all).toBeGreaterThan(0.999)
  })

  it('have head B as groups of head A in masks, descriptions, probabilities and the exported network', async () => {
    const p = join(folder, 'groups.smalti')
    await cp(project, p, { recursive: true })
    expect((await smalti('segment', p, '--heatmaps')).code).toBe(0)
    expect(Object.keys(await rasterHashes(p)).filter((name) => name.includes('/B/'))).toEqual([])
    const windowsOf = async (path: string): Promise<number[][]> =>
      (await ask<{ windows: number[][][] }>({ ask: 'windows', path, windows: [[0, 0, 700, 700, 0]] })).windows[0]
    const found: Record<
      string,
      { labels: number[]; planes: number[][]; network: ArrayLike<number | bigint>; pixels: number[] }
    > = {}
    const ort = require('onnxruntime-node') as OrtApi
    const image = new ort.Tensor(
      'float32',
      Float32Array.from((await windowsOf(join(scenes, 'north.tif'))).flat()),
      [1, 3, 700, 700]
    )
    for (const head of ['A', 'B']) {
      const [out, onnx] = [join(folder, `groups-${head}`), join(folder, `groups-onnx-${head}`)]
      expect(
        (await smalti('export', p, '--format', 'geotiff', '--head', head, '--probabilities', '--out', out)).code
      ).toBe(0)
      expect((await smalti('export', p, '--format', 'onnx', '--head', head, '--out', onnx)).code).toBe(0)
      const { clusters } = json<CommandOutput<'describe'>>(await smalti('describe', p, '--head', head, '--json'))
      const planes = (
        await ask<{ windows: number[][][] }>({
          ask: 'windows',
          path: join(out, 'north.probabilities.tif'),
          windows: [[0, 0, 175, 175, 0]]
        })
      ).windows[0]
      const session = await ort.InferenceSession.create(join(onnx, 'labels.onnx'))
      found[head] = {
        labels: (await windowsOf(join(out, 'north.tif')))[0],
        planes,
        network: (await session.run({ image })).labels.data as ArrayLike<number | bigint>,
        pixels: clusters.map(({ pixels }) => pixels)
      }
    }
    const { A, B } = found
    const groups = new Map<number, number>()
    A.labels.forEach((label, i) => groups.set(label, groups.get(label) ?? B.labels[i]))
    expect(A.labels.every((label, i) => groups.get(label) === B.labels[i])).toBe(true)
    expect(new Set(B.labels)).toEqual(new Set([0, 1, 2, 3, 255]))
    expect(B.pixels).toEqual(
      [0, 1, 2, 3].map((group) => A.pixels.reduce((sum, n, k) => (groups.get(k) === group ? sum + n : sum), 0))
    )
    B.planes.forEach((plane, group) => {
      const sums = A.planes[0].map((_, i) =>
        A.planes.reduce((sum, of, k) => (groups.get(k) === group ? sum + of[i] : sum), 0)
      )
      expect(plane.every((value, i) => value === (A.planes[0][i] === 255 ? 255 : Math.min(sums[i], 254)))).toBe(true)
    })
    let [alike, all] = [0, 0]
    for (let i = 0; i < B.labels.length; i++) {
      if (B.labels[i] === 255 || Number(A.network[i]) !== A.labels[i]) continue
      all++
      alike += Number(Number(B.network[i]) === B.labels[i])
    }
    expect([all > 400_000, alike]).toEqual([true, all])
  })

  it('are segmented again only if they have changed', async () => {
    const own = join(folder, 'again')
    await cp(scenes, own, { recursive: true })
    const p = join(folder, 'again.smalti')
    await smalti('train', own, '--project', p, ...TRAIN)
    await smalti('segment', p)
    expect(json<CommandOutput<'segment'>>(await smalti('segment', p, '--json')).labelled).toBe(0)
    await utimes(join(own, 'north.tif'), new Date(), new Date(Date.now() + 5000))
    expect(json<CommandOutput<'segment'>>(await smalti('segment', p, '--json')).labelled).toBe(1)
    await rm(join(own, 'north.tif'))
    expect(json<CommandOutput<'segment'>>(await smalti('segment', p, '--json'))).toMatchObject({
      images: 1,
      labelled: 0
    })
    expect(Object.keys(await rasterHashes(p)).filter((name) => name.includes('north'))).toEqual([])
    // An area of interest or a clean-up changes the labels.
    expect(
      json<CommandOutput<'segment'>>(await smalti('segment', p, '--sieve', '50px', '--majority', '1', '--json'))
        .labelled
    ).toBe(1)
    expect(await leftOver(p)).toEqual([])
  })

  it('have the same bytes after kills at any moment, and nothing is left behind', async () => {
    const p = join(folder, 'killed.smalti')
    await cp(project, p, { recursive: true })
    await rm(join(p, 'runs', 'run-0001', 'labels'), { recursive: true })
    const written = async (): Promise<number> =>
      (await readdir(join(p, 'runs', 'run-0001'), { recursive: true })).filter((name) => /\.(tif|rows)$/.test(name))
        .length
    let cutOff = 0
    for (const files of [0, 1, 2, 3]) {
      const { child, finished } = start('segment', p)
      await vi.waitUntil(async () => (await written()) >= files || child.exitCode !== null, {
        timeout: 240_000,
        interval: 10
      })
      // The engine ends with the command, because there is no one left to report to.
      child.kill('SIGKILL')
      if ((await finished).code === null) cutOff++
      expect(
        (await smalti('export', p, '--out', join(folder, 'killed-out'))).code,
        'a project opens at any moment'
      ).not.toBe(1)
    }
    expect(cutOff, 'killed in the middle of its work').toBeGreaterThanOrEqual(2)
    const done = await smalti('segment', p, '--json')
    expect(done.code, done.stderr).toBe(0)
    expect(await rasterHashes(p)).toEqual(await rasterHashes(project))
    expect(await leftOver(p)).toEqual([])
    expect(await described(p)).toEqual(await described(project))
  })

  /** Returns the output of `describe` without the last digits of numbers. */
  async function described(p: string): Promise<unknown> {
    const found = await smalti('describe', p, '--json')
    expect(found.code, found.stderr).toBe(0)
    return JSON.parse(found.stdout, (_, value: unknown) =>
      typeof value === 'number' ? Number(value.toPrecision(9)) : value
    )
  }

  it('leave a project that opens and is marked partial when segmentation is cancelled', async () => {
    const many = join(folder, 'many')
    await mkdir(many)
    for (let copy = 0; copy < 12; copy++) await cp(join(scenes, 'north.tif'), join(many, `${copy}.tif`))
    const p = join(folder, 'stopped.smalti')
    await smalti('train', many, '--project', p, ...TRAIN)
    const { child, finished } = start('segment', p)
    // Cancel as soon as some images are done.
    const done = async (): Promise<number> =>
      (await readdir(join(p, 'runs', 'run-0001'), { recursive: true })).filter((name) => /\/A\/.*\.tif$/.test(name))
        .length
    await vi.waitUntil(async () => (await done()) >= 2, { timeout: 240_000, interval: 10 })
    child.kill('SIGINT')
    expect((await finished).code).toBe(130)
    const index = JSON.parse(
      await readFile(join(p, 'runs', 'run-0001', 'labels', 'training', 'labels.json'), 'utf8')
    ) as { partial: boolean; images: unknown[] }
    expect(index.partial).toBe(true)
    expect(index.images.length).toBeGreaterThanOrEqual(1)
    expect(index.images.length).toBeLessThan(12)
    expect((await smalti('export', p, '--format', 'csv', '--out', join(folder, 'stopped-csv'))).code).toBe(0)
    const rest = json<CommandOutput<'segment'>>(await smalti('segment', p, '--json'))
    expect(rest).toMatchObject({ images: 12 })
    expect(rest.labelled).toBeLessThan(12)
    expect(await leftOver(p)).toEqual([])
  })

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

  it('are segmented in shards and merged byte for byte, and a missing shard is named', async () => {
    const p = join(folder, 'shards.smalti')
    await cp(project, p, { recursive: true })
    await rm(join(p, 'runs', 'run-0001', 'labels'), { recursive: true })
    // A shard of another division, which was abandoned.
    for (const shard of ['1/2', '1/3', '3/3']) expect((await smalti('segment', p, '--shard', shard)).code).toBe(0)
    const early = await smalti('merge-shards', p)
    expect(early.code).toBe(2)
    expect(early.stderr).toContain('2/3')
    // Two shards at a time don't disturb each other.
    const both = await Promise.all([smalti('segment', p, '--shard', '2/3'), smalti('segment', p, '--shard', '1/3')])
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(json<CommandOutput<'mergeShards'>>(await smalti('merge-shards', p, '--json'))).toMatchObject({
      images: 2,
      shards: 3
    })
    expect(await rasterHashes(p)).toEqual(await rasterHashes(project))
    expect(await described(p)).toEqual(await described(project))
    expect(await leftOver(p)).toEqual([])
  })

  it('keep unfinished shards during a full segmentation, and lose those of an earlier step', async () => {
    const p = join(folder, 'both ways.smalti')
    await cp(project, p, { recursive: true })
    await rm(join(p, 'runs', 'run-0001', 'labels'), { recursive: true })
    expect((await smalti('segment', p, '--shard', '1/2')).code).toBe(0)
    const set = join(p, 'runs', 'run-0001', 'labels', 'training')
    const shards = async (): Promise<string[]> => (await readdir(set)).filter((name) => name.includes('.shard-'))
    const [begun] = await shards()
    expect((await smalti('segment', p)).code).toBe(0)
    expect(await shards()).toEqual([begun])
    expect((await smalti('segment', p, '--shard', '2/2')).code).toBe(0)
    const summary = join(set, begun, 'shard.json')
    for (const name of await shards())
      await writeFile(
        join(set, name, 'shard.json'),
        (await readFile(join(set, name, 'shard.json'), 'utf8')).replace(/"step": \d+/, '"step": -1')
      )
    // Another process is still writing one of them.
    await writeFile(
      join(p, 'shard-1-of-2.lock'),
      JSON.stringify({ id: 'theirs', host: 'elsewhere', boot: '', process: 1, started: '', thread: 0 })
    )
    expect((await smalti('segment', p, '--sieve', '20px')).code).toBe(0)
    expect(existsSync(summary)).toBe(true)
    await rm(join(p, 'shard-1-of-2.lock'))
    expect((await smalti('segment', p)).code).toBe(0)
    expect(await shards()).toEqual([])
  })

  it('keep heatmaps in shards too, merged byte for byte', async () => {
    const [p, whole] = [join(folder, 'shards-heat.smalti'), join(folder, 'whole-heat.smalti')]
    for (const copy of [p, whole]) {
      await cp(project, copy, { recursive: true })
      await rm(join(copy, 'runs', 'run-0001', 'labels'), { recursive: true })
    }
    await smalti('segment', whole, '--heatmaps')
    for (const shard of ['1/3', '2/3', '3/3'])
      expect((await smalti('segment', p, '--heatmaps', '--shard', shard)).code).toBe(0)
    expect((await smalti('merge-shards', p)).code).toBe(0)
    const hashes = await rasterHashes(whole)
    expect(Object.keys(hashes)).toHaveLength(4)
    expect(await rasterHashes(p)).toEqual(hashes)
    expect(await leftOver(p)).toEqual([])
  })

  it('of other folders, files and addresses get labels next to the first ones', async () => {
    const others = join(folder, 'others')
    await mkdir(others)
    await drawGeoTiff(
      join(others, 'east.tif'),
      500,
      3,
      ['-of', 'COG', '-co', 'BLOCKSIZE=128'].filter((_, i) => i < 2),
      0
    )
    const before = await rasterHashes(project)
    const server = await serveFiles([join(others, 'east.tif')])
    try {
      server.dropEvery(5)
      const remote = await smalti('segment', project, '--images', server.address(join(others, 'east.tif')), '--json')
      expect(remote.code, remote.stderr).toBe(0)
      expect(json<CommandOutput<'segment'>>(remote)).toMatchObject({ images: 1, labelled: 1 })
      expect(server.sent().bytes).toBeLessThan(2.5 * (await stat(join(others, 'east.tif'))).size)
      await smalti(
        'export',
        project,
        '--images',
        server.address(join(others, 'east.tif')),
        '--format',
        'geotiff',
        '--out',
        join(folder, 'remote')
      )
    } finally {
      await server.close()
    }
    const local = await smalti('segment', project, '--images', join(others, 'east.tif'), '--json')
    expect(local.code, local.stderr).toBe(0)
    await smalti(
      'export',
      project,
      '--images',
      join(others, 'east.tif'),
      '--format',
      'geotiff',
      '--out',
      join(folder, 'local')
    )
    expect(await readFile(join(folder, 'remote', 'east.tif'))).toEqual(
      await readFile(join(folder, 'local', 'east.tif'))
    )
    expect(await rasterHashes(project)).toMatchObject(before)
  })

  it('on a server that sends only whole files are rejected with a reason', async () => {
    const server = await serveFiles([join(scenes, 'north.tif')])
    try {
      server.ignoreRanges()
      const refused = await smalti('segment', project, '--images', server.address('north.tif'))
      expect(refused.code).toBe(2)
      expect(refused.stderr).toContain('range requests')
      const nowhere = await smalti('segment', project, '--images', server.address('missing.tif'))
      expect(nowhere.stderr).toContain('404')
    } finally {
      await server.close()
    }
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

describe('safeguards', () => {
  let images: string
  let project: string

  beforeAll(async () => {
    const base = await temporaryFolder()
    images = join(base, 'images')
    await mkdir(images)
    for (const seed of [1, 2])
      await sharp(drawSampleScene(160, seed).colours, { raw: { width: 160, height: 160, channels: 3 } })
        .png()
        .toFile(join(images, `${seed}.png`))
    project = join(base, 'p.smalti')
    await smalti('train', images, '--project', project, ...TRAIN)
    await smalti('segment', project)
  })

  it('no export overwrites the originals or goes among them', async () => {
    const before = await readFile(join(images, '1.png'))
    for (const out of [images, join(images, 'masks'), join(images, '..', 'images')]) {
      const refused = await smalti('export', project, '--format', 'png', '--out', out, '--overwrite')
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('outside the images')])
    }
    const link = join(images, '..', 'link')
    await symlink(images, link)
    expect((await smalti('export', project, '--out', link)).code).toBe(2)
    expect(await readFile(join(images, '1.png'))).toEqual(before)
    expect((await readdir(images)).sort()).toEqual(['1.png', '2.png'])
  })

  it('no export overwrites a file that it didn’t write', async () => {
    const out = join(project, '..', 'out')
    await mkdir(out)
    await writeFile(join(out, '2.png'), 'mine')
    const refused = await smalti('export', project, '--out', out)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('2.png')])
    expect(refused.stderr).toContain('allow overwriting')
    expect((await readdir(out)).sort()).toEqual(['2.png'])
    expect((await smalti('export', project, '--out', out, '--overwrite')).code).toBe(0)
    expect((await smalti('export', project, '--out', out)).code, 'an export may overwrite its own files').toBe(0)
    await writeFile(join(out, '1.png'), 'edited since')
    expect((await smalti('export', project, '--out', out)).code).toBe(2)
    expect(await readFile(join(out, '1.png'), 'utf8')).toBe('edited since')
  })

  it.skipIf(process.platform === 'win32')('a limit on open files doesn’t end a large export', async () => {
    const base = await temporaryFolder()
    const many = join(base, 'many')
    await mkdir(many)
    for (let i = 0; i < 130; i++) await cp(join(images, '1.png'), join(many, `${i}.png`))
    const p = join(base, 'p')
    await smalti('train', many, '--project', p, ...TRAIN)
    await smalti('segment', p)
    const { status, stderr } = spawnSync(
      'sh',
      [
        '-c',
        `ulimit -n 110; exec "${process.execPath}" resources/setup/smalti.mjs export "${p}" --format csv --out "${join(base, 'out')}"`
      ],
      { encoding: 'utf8' }
    )
    expect(status, stderr).toBe(0)
    expect((await readFile(join(base, 'out', 'areas.csv'), 'utf8')).trim().split('\r\n')).toHaveLength(1 + 130 * 8)
  })

  it('a project isn’t taken for a folder of images', async () => {
    const refused = await smalti('train', project, '--project', join(project, '..', 'of-project'), ...TRAIN)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('is a Smalti project')])
  })

  it('an unreadable folder doesn’t end the catalogue, and a missing image is named by its path', async () => {
    const base = await temporaryFolder()
    await cp(images, base, { recursive: true })
    await mkdir(join(base, 'locked'))
    await symlink('/proc/1/root', join(base, 'root')).catch(() => undefined)
    await chmod(join(base, 'locked'), 0)
    const trained = await smalti('train', base, '--project', join(project, '..', 'locked.smalti'), ...TRAIN, '--json')
    expect(trained.code, trained.stderr).toBe(0)
    await chmod(join(base, 'locked'), 0o755)
    const p = join(project, '..', 'locked.smalti')
    const catalogue = JSON.parse(await readFile(join(p, 'runs', 'run-0001', 'catalogue.json'), 'utf8')) as Catalogue
    expect(catalogue.images.map(({ path }) => path)).toEqual(['1.png', '2.png'])
  })

  it('a project in the first format still opens', async () => {
    const base = await temporaryFolder()
    const old = join(base, 'photos.tessera')
    await cp(project, old, { recursive: true })
    const run = join(old, 'runs', 'run-0001')
    // As Tessera 0.1 wrote it: one folder, a number of bands, another name and magic for the checkpoint, PNG masks.
    await writeFile(join(old, 'project.json'), JSON.stringify({ format: 1, images, run: 'run-0001' }))
    await rename(join(run, 'checkpoint.smalti'), join(run, 'checkpoint.tessera'))
    await rm(join(run, 'checkpoint.smalti.previous'), { force: true })
    const bytes = await readFile(join(run, 'checkpoint.tessera'))
    const length = bytes.readUInt32LE(8)
    const header = JSON.parse(bytes.subarray(12, 12 + length).toString()) as { meta: Record<string, unknown> }
    header.meta.bands = 3
    header.meta.catalogue = {
      folder: images,
      images: ['1.png', '2.png'].map((path) => ({ path, width: 160, height: 160, bands: 3 })),
      skipped: []
    }
    header.meta.statistics = (header.meta.statistics as { mean: number; deviation: number }[]).map(
      ({ mean, deviation }) => ({ mean, deviation })
    )
    const encoded = Buffer.from(JSON.stringify(header))
    const size = Buffer.alloc(4)
    size.writeUInt32LE(encoded.length)
    await writeFile(
      join(run, 'checkpoint.tessera'),
      Buffer.concat([Buffer.from('TESSERA1'), size, encoded, bytes.subarray(12 + length)])
    )
    await rm(join(run, 'catalogue.json'))
    await rm(join(run, 'labels'), { recursive: true })
    await mkdir(join(run, 'labels', 'A'), { recursive: true })
    for (const name of ['1.png', '2.png']) {
      await sharp(new Uint8Array(160 * 160).fill(3), { raw: { width: 160, height: 160, channels: 1 } })
        .toColourspace('b-w')
        .png()
        .toFile(join(run, 'labels', 'A', `${name}.png`))
    }
    const classes = Array.from({ length: 8 }, (_, c) => ({ name: `Cluster ${c + 1}`, colour: '#aabbcc' }))
    await writeFile(
      join(run, 'labels', 'labels.json'),
      JSON.stringify({
        format: 1,
        step: 0,
        folder: images,
        skipped: [],
        classes: { A: classes, B: classes.slice(4) },
        images: ['1.png', '2.png'].map((path) => ({
          path,
          width: 160,
          height: 160,
          masks: { A: `A/${path}.png`, B: `A/${path}.png` }
        }))
      })
    )
    const out = join(base, 'old-masks')
    const exported = await smalti('export', old, '--format', 'png', '--out', out, '--json')
    expect(exported.code, exported.stderr).toBe(0)
    expect([...new Set(await sharp(join(out, '1.png')).extractChannel(0).raw().toBuffer())]).toEqual([3])
    const segmented = await smalti('segment', old, '--json')
    expect(segmented.code, segmented.stderr).toBe(0)
    expect(json<CommandOutput<'segment'>>(segmented)).toMatchObject({ images: 2, labelled: 2 })
    expect(basename(old)).toBe('photos.tessera')
  })
})
