import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { parsedInput } from '../../src-main/contract/commands.ts'
import { type GeoTag, transformTags } from '../../src-main/imagery/georeference.ts'
import { writeLabels } from '../../src-main/labels/writeLabels.ts'
import { evaluateJob } from '../../src-main/engine/jobs/evaluate.ts'
import { smalti, temporaryFolder } from '../fixtures/commandLine.ts'
import { ask, oracleLack } from '../fixtures/gdal.ts'

type Evaluated = Awaited<ReturnType<typeof evaluateJob>>
interface Counted {
  pixels: number
  noLabel: number
  without: number
  classes: number[]
  confusion: number[][]
  accuracy: number
  boundary: { pixels: number; errorRate: number }
}

const TRAIN = ['--classes', '4', '--over', '8', '--seed', '2', '--preset', 'preview', '--backend', 'onnxruntime']
/** Higher than the number of rows counted at a time. */
const [WIDTH, HEIGHT] = [150, 600]
const FAULTS = resolve('../shared/faults/truth-nodata')

function evaluate(project: string, truth: string, more: object = {}): Promise<Evaluated> {
  return evaluateJob(parsedInput('evaluate', { project, truth, head: 'A', mapping: 'many-to-one', ...more }), {
    signal: new AbortController().signal,
    onProgress: () => undefined,
    whenResumed: () => Promise.resolve()
  })
}

async function labelled(images: string, project: string): Promise<void> {
  for (const args of [
    ['train', images, '--project', project, ...TRAIN],
    ['segment', project]
  ]) {
    const { code, stderr } = await smalti(...args)
    expect(code, stderr).toBe(0)
  }
}

describe.runIf(!oracleLack)('the truth of an evaluation', () => {
  let [folder, project, labels] = ['', '', '']
  const counted = (truth: string, rows: Evaluated): Promise<Counted> =>
    ask<Counted>({ ask: 'compare', labels, truth, clusters: rows.confusion.length, boundary: 9 })

  beforeAll(async () => {
    folder = await temporaryFolder()
    const images = join(folder, 'images')
    await mkdir(images)
    // Some pixels lack data, so that some have no label.
    await ask({
      ask: 'make',
      path: join(images, 'scene.tif'),
      width: WIDTH,
      height: HEIGHT,
      bands: 3,
      type: 'Byte',
      epsg: 32633,
      nodata: 0,
      blank: [100, 500, WIDTH, HEIGHT]
    })
    project = join(folder, 'p')
    await labelled(images, project)
    const out = join(folder, 'labels')
    expect((await smalti('export', project, '--format', 'geotiff', '--what', 'clusters', '--out', out)).code).toBe(0)
    labels = join(out, 'scene.tif')
  })

  it('is counted as in GDAL for masks of every type, however pixels without a class are marked', async () => {
    const { variants } = await ask<{ variants: string[] }>({
      ask: 'truths',
      folder: join(folder, 'truths'),
      name: 'scene',
      width: WIDTH,
      height: HEIGHT
    })
    const accuracies = new Set<number>()
    for (const variant of variants) {
      const truth = join(folder, 'truths', variant)
      const found = await evaluate(project, truth, { boundary: 9 })
      const expected = await counted(
        join(
          truth,
          (await readdir(truth)).find((name) => /\.(tif|png)$/.test(name))!
        ),
        found
      )
      expect([variant, found.pixels, found.leftOut, found.classes]).toEqual([
        variant,
        expected.pixels,
        { noLabel: expected.noLabel, noClass: expected.without, outside: 0 },
        expected.classes
      ])
      expect(found.confusion, variant).toEqual(expected.confusion)
      expect(found.accuracy, variant).toBeCloseTo(expected.accuracy, 12)
      expect(found.warning, variant).toBeUndefined()
      expect(found.boundary!.pixels, variant).toBe(expected.boundary.pixels)
      expect(found.boundary!.errorRate, variant).toBeCloseTo(expected.boundary.errorRate, 12)
      accuracies.add(found.accuracy)
    }
    expect(variants.length).toBeGreaterThan(20)
    expect(accuracies.size).toBe(1)
  })

  it('can be polygons, or PNGs of 1, 2 and 4 bits with their own values', async () => {
    const ring = ([left, top, right, bottom]: readonly [number, number, number, number]): number[][] =>
      [
        [left, top],
        [right, top],
        [right, bottom],
        [left, bottom],
        [left, top]
      ].map(([x, y]) => [500000 + 0.5 * x, 4000000 - 0.5 * y])
    const polygons = [
      [0, [10, 10, 70, 480]],
      [300, [60, 20, 140, 590]],
      [7, [0, 505, 55, 520]]
    ] as const
    const truth = join(folder, 'polygons')
    await mkdir(truth)
    const features = polygons.map(([k, corners]) => ({
      type: 'Feature',
      properties: { class: k },
      geometry: { type: 'Polygon', coordinates: [ring(corners)] }
    }))
    await writeFile(
      join(truth, 'scene.geojson'),
      JSON.stringify({
        type: 'FeatureCollection',
        crs: { type: 'name', properties: { name: 'urn:ogc:def:crs:EPSG::32633' } },
        features
      })
    )
    const found = await evaluate(project, truth)
    const expected = await counted(join(truth, 'scene.geojson'), found)
    expect([found.pixels, found.classes, found.confusion]).toEqual([
      expected.pixels,
      expected.classes,
      expected.confusion
    ])
    expect(found.leftOut).toEqual({ noLabel: expected.noLabel, noClass: 0, outside: expected.without })
    for (const bits of [1, 2, 4]) {
      const path = join(folder, `bits-${bits}`, 'scene.png')
      await mkdir(join(path, '..'))
      await ask({
        ask: 'raster',
        path,
        width: WIDTH,
        height: HEIGHT,
        type: 'Byte',
        options: [`NBITS=${bits}`],
        values: Array.from(
          { length: WIDTH * HEIGHT },
          (_, i) => Math.floor((i % WIDTH) / 40 + i / WIDTH / 90) % 2 ** bits
        )
      })
      const small = await evaluate(project, join(path, '..'))
      const by = await counted(path, small)
      expect([bits, small.pixels, small.classes, small.confusion]).toEqual([bits, by.pixels, by.classes, by.confusion])
    }
  })

  it('treats 255 as unscored in any type unless the truth map lists it, and maps values above 255', async () => {
    const truth = join(folder, 'mapped')
    await mkdir(truth)
    const values = Uint16Array.from({ length: WIDTH * HEIGHT }, (_, i) => [255, 300, 5][i % 3])
    await sharp(values, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toFile(join(truth, 'scene.png'))
    const plain = await evaluate(project, truth)
    expect(plain.classes).toEqual([5, 300])
    const named = await evaluate(project, truth, { truthMap: { 255: 255, 300: 1, 5: 70000 } })
    expect(named.classes).toEqual([1, 255, 70000])
    expect(named.pixels).toBe(plain.pixels + plain.leftOut.noClass)
    const one = await evaluate(project, truth, { truthMap: { 300: 0 } })
    expect([one.classes, one.pixels]).toEqual([[0], plain.confusion.reduce((sum, row) => sum + row[1], 0)])
    await expect(evaluate(project, truth, { truthMap: { 7: 0 } })).rejects.toThrow(
      /No pixels could be scored: [\d,]+ pixels without a reference class, [\d,]+ pixels without a label/
    )
    expect(() =>
      parsedInput('evaluate', { project, truth, head: 'A', mapping: 'many-to-one', truthMap: { 7: 255 } })
    ).toThrow('leave out values')
  })

  it('is rejected by name if it contains no classes, and its file is closed', async () => {
    const write = async (name: string, type: string, value: (i: number) => number, bands = 1): Promise<string> => {
      const path = join(folder, name, 'scene.tif')
      await mkdir(join(path, '..'))
      await ask({
        ask: 'raster',
        path,
        width: WIDTH,
        height: HEIGHT,
        type,
        values: Array.from({ length: bands * WIDTH * HEIGHT }, (_, i) => value(i)),
        bands
      })
      return join(path, '..')
    }
    const refused: [string, RegExp][] = [
      [
        await write('fractions', 'Float32', (i) => (i === 700 ? 1.5 : 1)),
        /contains 1\.5, but classes are whole numbers/
      ],
      [await write('instances', 'UInt16', (i) => i % 400), /more than 255 different classes/],
      [await write('marker', 'Float32', (i) => (i % 2 ? 3.4e38 : 1)), /too large for a class/],
      [await write('two', 'Byte', () => 1, 2), /it has 2 bands/],
      [await write('colours', 'Byte', (i) => i % 7, 3), /not class numbers/]
    ]
    const handles = async (): Promise<string[]> =>
      (
        await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
      ).filter((path) => path.startsWith(folder))
    for (const [truth, sentence] of refused) await expect(evaluate(project, truth), truth).rejects.toThrow(sentence)
    const small = join(folder, 'small.tif')
    await ask({ ask: 'raster', path: small, width: 3, height: 2, type: 'Byte', values: [0, 1, 2, 3, 4, 5] })
    await expect(evaluate(project, small)).rejects.toThrow('3×2')
    if (existsSync('/proc/self/fd')) expect(await handles()).toEqual([])
  })

  it('is rejected if it shows another place than its image', async () => {
    const images = join(folder, 'places')
    await mkdir(images)
    const keys = (epsg: number): GeoTag => ({
      tag: 34735,
      type: 3,
      values: [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, epsg]
    })
    const write = (path: string, east: number, epsg: number): Promise<unknown> =>
      writeLabels(
        path,
        {
          width: 32,
          height: 32,
          tile: 32,
          key: 'k',
          notes: { tags: [...transformTags([east, 1, 0, 5_000_000, 0, -1]), keys(epsg)], nodata: 255 }
        },
        ({ width, height }) => Promise.resolve(Uint8Array.from({ length: width * height }, (_, i) => (i * 7) % 5)),
        new AbortController().signal
      )
    await write(join(images, 'a.tif'), 500_000, 32632)
    const p = join(folder, 'places.smalti')
    await labelled(images, p)
    for (const [name, east, epsg, sentence] of [
      ['same', 500_000, 32632, undefined],
      ['shifted', 500_300, 32632, '300 pixels away'],
      ['zone', 500_000, 32633, 'a different place']
    ] as const) {
      await mkdir(join(folder, name))
      await write(join(folder, name, 'a.tif'), east, epsg)
      if (sentence === undefined) expect((await evaluate(p, join(folder, name))).pixels).toBe(1024)
      else await expect(evaluate(p, join(folder, name)), name).rejects.toThrow(sentence)
    }
  })

  it('causes a warning if fewer than half of the labelled pixels were scored', async () => {
    const truth = join(folder, 'few')
    await mkdir(truth)
    await ask({
      ask: 'raster',
      path: join(truth, 'scene.tif'),
      width: WIDTH,
      height: HEIGHT,
      type: 'Byte',
      bands: 1,
      nodata: 0,
      values: Array.from({ length: WIDTH * HEIGHT }, (_, i) => (i % WIDTH < 15 ? 1 + (i % 2) : 0))
    })
    const found = await evaluate(project, truth)
    const share = Math.floor((100 * found.pixels) / (found.pixels + found.leftOut.noClass))
    expect(found.warning).toBe(
      `Only ${share} % of the labelled pixels were scored. The figures may not represent the rest.`
    )
    const { stdout } = await smalti('evaluate', project, '--truth', truth)
    expect(stdout).toContain(`Warning: ${found.warning}`)
    expect(stdout).toContain(
      `left out  ${found.leftOut.noClass.toLocaleString('en')} pixels without a reference class\n            ${found.leftOut.noLabel.toLocaleString('en')} pixels without a label`
    )
  })

  it.runIf(existsSync(FAULTS))('gives the same result for all masks of the reported faults', async () => {
    const images = join(folder, 'fault')
    await mkdir(images)
    await cp(join(FAULTS, 's.tif'), join(images, 's.tif'))
    const p = join(folder, 'fault.smalti')
    await labelled(images, p)
    const [plain, ...others] = await Promise.all(
      ['png255', 'i16_-1', 'i32', 'u8nd0'].map((variant) => evaluate(p, join(FAULTS, variant)))
    )
    expect([plain.pixels, plain.leftOut.noClass]).toEqual([10788, 1500])
    for (const other of others)
      expect([other.pixels, other.accuracy, other.confusion]).toEqual([plain.pixels, plain.accuracy, plain.confusion])
    // The file named for 300 contains 44, which is a class.
    expect((await evaluate(p, join(FAULTS, 'png16_300'))).classes).toEqual([0, 1, 2, 3, 44])
  })
  if (!existsSync(FAULTS)) console.warn('NOT TESTED: masks of reported faults, because they were not found')
})
