import { readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EXPORT_FORMATS } from '../../src-main/contract/labels.ts'
import { temporaryFolder } from '../fixtures/commandLine.ts'
import { hasPycocotools, oracleLack } from '../fixtures/gdal.ts'
import { hasYaml, read } from '../fixtures/exportReader.ts'
import { CLASSES, type LabelledImages, exported, labelledProject } from '../fixtures/labelledProject.ts'

/** Names that people use and programs trip over. TIFF is left out because its reading is tested elsewhere. */
const PATHS = [
  '=1+1.png',
  '+plus.jpg',
  '-dash.png',
  '@at.png',
  'a.jpg',
  'a.jpg.png',
  'a.png',
  'b#1?.png',
  'c%20.png',
  'd & e;\'f" = g.png',
  'images/sub.png',
  'line\nend.png',
  'n\u00e9.png',
  'ne\u0301.png',
  'sp ace .png',
  'x.confidence.png',
  'x.jpg',
  'y.tif/z.png',
  'y.webp',
  '\u05e9\u05dc\u05d5\u05dd.png',
  '\u202eltr.png',
  '😀.jpg',
  `${'ö'.repeat(125)}.png`,
  `${'ö'.repeat(125)}.jpg`,
  'con.png',
  'A.jpg'
]

describe.skipIf(oracleLack)('exports of images with odd names', () => {
  let folder: string
  let images: LabelledImages
  const out = (name: string): string => join(folder, 'out # ? % 😀', name)

  beforeAll(async () => {
    folder = await temporaryFolder()
    images = await labelledProject(folder, PATHS, CLASSES)
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const values = (path: string): number[] => [...images.labels.get(path)!]
  const counts = (path: string): Record<string, number> =>
    Object.fromEntries(CLASSES.map((name, k) => [name, values(path).filter((value) => value === k).length]))
  /** Finds each image's exported file, by its name or by the table of names that differ. */
  async function filesOf(place: string, ending: string): Promise<Map<string, string>> {
    const files = read<string[]>({ ask: 'tree', path: place }).filter((file) => file.endsWith(ending))
    expect(files.length).toBe(PATHS.length)
    const table = new Map(
      read<string[][]>({ ask: 'rows', path: join(place, 'names.csv') })
        .slice(1)
        .map(([file, image]) => [file.replace(/^'(?='*[=+\-@])/, ''), image.replace(/^'(?='*[=+\-@])/, '')])
    )
    return new Map(
      files.map((file) => [
        table.get(file) ?? PATHS.find((path) => path.replace(/\.[^./]*$/, '') === file.slice(0, -ending.length))!,
        join(place, file)
      ])
    )
  }

  it.each([
    ['png', '.png'],
    ['png-palette', '.png'],
    ['geotiff', '.tif']
  ] as const)('give one raster per image with its own labels: %s', async (format, ending) => {
    const outcome = await exported(images, { format, out: out(format) })
    expect(outcome.notes).toEqual([expect.stringContaining('names.csv')])
    const files = await filesOf(out(format), ending)
    expect([...files.keys()].sort()).toEqual([...PATHS].sort())
    const found = read<Record<string, number[]>>({ ask: 'rasters', paths: [...files.values()] })
    for (const [path, file] of files) expect(found[file], path).toEqual(values(path))
  })

  it('give one array per image: npy', async () => {
    await exported(images, { format: 'npy', out: out('npy') })
    const files = await filesOf(out('npy'), '.npy')
    const found = read<Record<string, number[]>>({ ask: 'arrays', paths: [...files.values()] })
    for (const [path, file] of files) expect(found[file], path).toEqual(values(path))
    expect(
      (
        JSON.parse(await readFile(join(out('npy'), 'classes.json'), 'utf8')) as { classes: { name: string }[] }
      ).classes.map(({ name }) => name)
    ).toEqual(CLASSES)
  })

  it('give one mask per image and class: png-classes', async () => {
    const { files } = await exported(images, { format: 'png-classes', out: out('png-classes') })
    expect(files).toBe(3 * PATHS.length)
    const table = new Map(
      read<string[][]>({ ask: 'rows', path: join(out('png-classes'), 'names.csv') })
        .slice(1)
        .map(([file, image]) => [file, image])
    )
    const masks = read<string[]>({ ask: 'tree', path: out('png-classes') }).filter((file) => file.endsWith('.png'))
    expect(masks.length).toBe(files)
    const found = read<Record<string, number[]>>({
      ask: 'rasters',
      paths: masks.map((mask) => join(out('png-classes'), mask))
    })
    const renamed = masks.find((mask) => table.get(mask) === 'a.jpg.png' && mask.includes('/001 '))!
    expect(found[join(out('png-classes'), renamed)]).toEqual(
      values('a.jpg.png').map((value) => (value === 1 ? 255 : 0))
    )
  })

  it.each([
    ['geojson', '.geojson'],
    ['flatgeobuf', '.fgb']
  ] as const)('give one file per image whose polygons name the image and its classes: %s', async (format, ending) => {
    await exported(images, { format, out: out(format) })
    const files = await filesOf(out(format), ending)
    const found = read<Record<string, Record<string, Record<string, number>>>>({
      ask: 'layers',
      paths: [...files.values()]
    })
    for (const [path, file] of files) {
      expect(Object.keys(found[file])).toEqual([path])
      expect(Object.keys(found[file][path]).sort()).toEqual([...CLASSES].sort())
    }
  })

  it('are rejected before anything is written if longitudes and latitudes are unknown: geojson', async () => {
    const nowhere = await labelledProject(join(folder, 'nowhere'), ['photo.jpg'], CLASSES, {
      width: 8,
      height: 8,
      placed: false
    })
    await expect(exported(nowhere, { format: 'geojson', out: out('nowhere'), plan: true })).rejects.toMatchObject({
      name: 'PlaceUnknown',
      message: expect.stringContaining('GeoPackage') as string
    })
    await expect(exported(nowhere, { format: 'geojson', out: out('nowhere') })).rejects.toMatchObject({
      name: 'PlaceUnknown'
    })
    await expect(stat(out('nowhere'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('give one layer per image: geopackage', async () => {
    await exported(images, { format: 'geopackage', out: out('geopackage') })
    const found = Object.values(
      read<Record<string, Record<string, object>>>({ ask: 'layers', paths: [join(out('geopackage'), 'labels.gpkg')] })
    )
    expect(found.length).toBe(PATHS.length)
    expect(found.flatMap((layer) => Object.keys(layer)).sort()).toEqual([...PATHS].sort())
  })

  it('give a table of areas that Python reads back and that contains no formula: csv', async () => {
    await exported(images, { format: 'csv', out: out('csv') })
    const [head, ...rows] = read<string[][]>({ ask: 'rows', path: join(out('csv'), 'areas.csv') })
    expect(head.slice(0, 4)).toEqual(['image', 'value', 'class', 'pixels'])
    expect(rows.length).toBe(3 * PATHS.length)
    for (const row of rows) for (const field of [row[0], row[2]]) expect(field).not.toMatch(/^[=+\-@\t\r]/)
    const plain = (field: string): string => field.replace(/^'(?='*[=+\-@])/, '')
    for (const path of PATHS)
      expect(
        Object.fromEntries(rows.filter((row) => plain(row[0]) === path).map((row) => [plain(row[2]), Number(row[3])]))
      ).toEqual(counts(path))
    expect(await readFile(join(out('csv'), 'areas.csv'), 'utf8')).toContain(`"'=1+1.png",0,"'=1+1",`)
  })

  it.skipIf(!hasPycocotools)('give annotations that no loader skips: coco-rle', async () => {
    await exported(images, { format: 'coco-rle', out: out('coco-rle') })
    const { total, kept, pictures, categories } = read<{
      total: number
      kept: number
      pictures: Record<string, number[]>
      categories: Record<string, string>
    }>({ ask: 'rle', path: join(out('coco-rle'), 'annotations.json') })
    expect([total, kept]).toEqual([3 * PATHS.length, 3 * PATHS.length])
    for (const path of PATHS) expect(pictures[path], path).toEqual(values(path))
    expect(Object.values(categories)).toEqual(CLASSES)
  })

  it('pass the checks of its readers: coco-panoptic', async () => {
    await exported(images, { format: 'coco-panoptic', out: out('coco-panoptic') })
    const { pictures } = read<{ pictures: Record<string, number[]> }>({
      ask: 'panoptic',
      path: join(out('coco-panoptic'), 'panoptic.json')
    })
    for (const path of PATHS) expect(pictures[path], path).toEqual(values(path))
  })

  interface Yolo {
    names: string[]
    train: Entry[]
    val: Entry[]
  }
  interface Entry {
    image: string
    bytes: string
    classes: number[]
    areas: number[]
  }

  it.skipIf(!hasYaml)('give a data set in which Ultralytics finds images and labels: yolo', async () => {
    const outcome = await exported(images, { format: 'yolo', out: out('yolo') })
    const found = read<Yolo>({ ask: 'yolo', path: join(out('yolo'), 'data.yaml') })
    expect(found.names).toEqual(CLASSES)
    expect([found.train.length, found.val.length]).toEqual([
      PATHS.length - Math.floor(PATHS.length / 5),
      Math.floor(PATHS.length / 5)
    ])
    const all = [...found.train, ...found.val]
    expect(new Set(all.map(({ image }) => image)).size).toBe(PATHS.length)
    expect(outcome.files).toBe(2 * PATHS.length + 3)
    const originals = await Promise.all(
      PATHS.map(async (path) => (await readFile(join(images.project.sources[0], path))).toString('base64'))
    )
    expect(all.map(({ bytes }) => bytes).sort()).toEqual(originals.sort())
    const dash = all.find(({ image }) => image === 'images/-dash.png')!
    for (let k = 0; k < 3; k++)
      expect(dash.areas.reduce((sum, area, i) => (dash.classes[i] === k ? sum + area : sum), 0) * 37 * 23).toBeCloseTo(
        values('-dash.png').filter((value) => value === k).length,
        -1
      )
  })

  it('have the same names if only some images are exported', async () => {
    const only = ['a.png', `${'ö'.repeat(125)}.jpg`, 'x.jpg']
    await exported(images, { format: 'png', out: out('only'), only })
    const all = read<string[]>({ ask: 'tree', path: out('png') })
    const some = read<string[]>({ ask: 'tree', path: out('only') })
    expect(some.length).toBe(5)
    for (const file of some) expect(all).toContain(file)
  })

  it('lose the table of names with the last name that differs', async () => {
    await exported(images, { format: 'png', out: out('again'), only: ['a.png'] })
    expect(await readdir(out('again'))).toContain('names.csv')
    await exported(images, { format: 'png', out: out('again'), only: ['x.jpg'] })
    expect(await readdir(out('again'))).not.toContain('names.csv')
  })

  it('are planned without being written', async () => {
    const planned = await exported(images, { format: 'yolo', out: out('planned'), plan: true })
    expect(planned.files).toBe(2 * PATHS.length + 3)
    await expect(stat(out('planned'))).rejects.toThrow()
  })

  it('work in every format', () => {
    expect(EXPORT_FORMATS.filter((format) => format !== 'onnx' && format !== 'report').sort()).toEqual(
      [
        'png',
        'png-palette',
        'geotiff',
        'npy',
        'png-classes',
        'geojson',
        'flatgeobuf',
        'geopackage',
        'csv',
        'coco-rle',
        'coco-panoptic',
        'yolo'
      ].sort()
    )
  })
})
