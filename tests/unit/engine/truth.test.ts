import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { beforeEach, describe, expect, it } from 'vitest'
import { coverageWarning, leftOutText } from '../../../src-main/contract/evaluation.ts'
import { openMask } from '../../../src-main/engine/truth/maskTruth.ts'
import { openPolygons } from '../../../src-main/engine/truth/polygonTruth.ts'
import { pairsOf } from '../../../src-main/engine/truth/pairing.ts'
import { type TruthMap, UNSCORED, createTrueClasses } from '../../../src-main/engine/truth/trueClasses.ts'
import type { LabelledImage } from '../../../src-main/project/labelSets.ts'

let folder = ''
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'smalti-truth-'))))

const image = (path: string, file = `/images/${path}`): LabelledImage => ({
  path,
  file,
  width: 8,
  height: 4,
  rasters: {}
})

describe('truth files', () => {
  /** Pairs images with empty truth files of these names. */
  async function pair(
    images: (string | LabelledImage)[],
    truths: string[],
    one?: string
  ): Promise<Record<string, string>> {
    for (const name of truths) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), '')
    }
    const pairs = await pairsOf(
      one ? join(folder, one) : folder,
      images.map((entry) => (typeof entry === 'string' ? image(entry) : entry))
    )
    return Object.fromEntries(pairs.map(({ image: { path }, truth }) => [path, truth.slice(folder.length + 1)]))
  }

  it('are paired with images of the same path, whatever the extension', async () => {
    expect(
      await pair(
        ['a.tif', 'north/a.jpg', 'south/a.jpg', 'b.png'],
        ['a.png', 'north/a.tif', 'south/a.geojson', 'notes.txt', 'east/a.png']
      )
    ).toEqual({ 'a.tif': 'a.png', 'north/a.jpg': 'north/a.tif', 'south/a.jpg': 'south/a.geojson' })
  })

  it('are paired whether letters are composed or decomposed', async () => {
    const name = 'région/été'
    expect(await pair([`${name.normalize('NFC')}.png`], [`${name.normalize('NFD')}.tif`])).toEqual({
      [`${name.normalize('NFC')}.png`]: `${name.normalize('NFD')}.tif`
    })
    expect(await pair([`${name.normalize('NFD')}2.png`], [`${name.normalize('NFC')}2.tif`])).toEqual({
      [`${name.normalize('NFD')}2.png`]: `${name.normalize('NFC')}2.tif`
    })
  })

  it.each([
    ['two formats', ['a.jpg'], ['a.png', 'a.tif']],
    ['two formats, one of them the image’s', ['a.png'], ['a.png', 'a.geojson']],
    [
      'a composed and a decomposed name',
      ['é.jpg'.normalize('NFC')],
      ['é.png'.normalize('NFC'), 'é.png'.normalize('NFD')]
    ],
    ['one file for two images', ['a.jpg', 'a.tif'], ['a.png']],
    ['one file for two images, named like one of them', ['a.png', 'a.tif'], ['a.png']],
    [
      'one file for images of two folders',
      [image('x.png', '/first/x.png'), image('x (2).png', '/second/x.png')],
      ['x.png']
    ]
  ])('are rejected when they could belong to several images: %s', async (_, images, truths) => {
    await expect(pair(images, truths)).rejects.toThrow(expect.objectContaining({ name: 'TruthAmbiguous' }) as Error)
  })

  it('with the same name are paired with images of exactly their names, where each image has its own', async () => {
    expect(await pair(['a.png', 'a.tif'], ['a.png', 'a.tif'])).toEqual({ 'a.png': 'a.png', 'a.tif': 'a.tif' })
    expect(
      await pair([image('x.png', '/first/x.png'), image('x (2).png', '/second/x.png')], ['x.png', 'x (2).png'])
    ).toEqual({ 'x.png': 'x.png', 'x (2).png': 'x (2).png' })
  })

  it('given alone are a mask for the image of that name, or polygons for all images', async () => {
    expect(await pair(['a.jpg', 'north/b.jpg'], ['b.png'], 'b.png')).toEqual({ 'north/b.jpg': 'b.png' })
    expect(await pair(['a.jpg'], ['b.png'], 'b.png')).toEqual({ 'a.jpg': 'b.png' })
    expect(await pair(['a.jpg', 'b.jpg'], ['c.geojson'], 'c.geojson')).toEqual({
      'a.jpg': 'c.geojson',
      'b.jpg': 'c.geojson'
    })
    await expect(pair(['a.jpg', 'b.jpg'], ['c.png'], 'c.png')).rejects.toThrow(
      expect.objectContaining({ name: 'TruthMissing' }) as Error
    )
  })
})

describe('a truth mask', () => {
  const window = { left: 0, top: 0, width: 8, height: 1 }
  /** Class numbers of the pixels in a row; −1 for no class. */
  async function classesOf(path: string, truthMap?: TruthMap): Promise<number[]> {
    const classes = createTrueClasses(truthMap)
    const mask = await openMask(
      path,
      { path: 'a.png', file: join(folder, 'gone.png'), width: 1, height: 1, rasters: {} },
      classes
    )
    try {
      const { classes: found } = await mask.read(window, new AbortController().signal)
      const numbers = classes.numbers()
      return [...found].map((k) => (k === UNSCORED ? -1 : numbers[k]))
    } finally {
      await mask.close()
    }
  }

  const chunk = (name: string, content: Buffer): Buffer => {
    const [length, check, named] = [Buffer.alloc(4), Buffer.alloc(4), Buffer.concat([Buffer.from(name), content])]
    length.writeUInt32BE(content.length)
    check.writeUInt32BE(crc32(named) >>> 0)
    return Buffer.concat([length, named, check])
  }
  /** Writes a PNG of one row, byte by byte. */
  async function png(bits: number, colourType: number, row: number[], ...more: [string, number[]][]): Promise<string> {
    const path = join(folder, 'mask.png')
    const header = Buffer.from([0, 0, 0, 8, 0, 0, 0, 1, bits, colourType, 0, 0, 0])
    await writeFile(
      path,
      Buffer.concat([
        Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
        chunk('IHDR', header),
        ...more.map(([name, content]) => chunk(name, Buffer.from(content))),
        chunk('IDAT', deflateSync(Buffer.from([0, ...row]))),
        chunk('IEND', Buffer.alloc(0))
      ])
    )
    return path
  }
  const grey = (...levels: number[]): number[] => levels.flatMap((level) => [level, level, level])

  it('has its stored values in a PNG of few bits', async () => {
    expect(await classesOf(await png(1, 0, [0b01010011]))).toEqual([0, 1, 0, 1, 0, 0, 1, 1])
    expect(await classesOf(await png(2, 0, [0b00011011, 0b11100100]))).toEqual([0, 1, 2, 3, 3, 2, 1, 0])
    expect(await classesOf(await png(4, 0, [0x01, 0x2f, 0xf3, 0x45]))).toEqual([0, 1, 2, 15, 15, 3, 4, 5])
  })

  it('with a palette is read if its greys equal its indices, and otherwise needs names for its colours', async () => {
    expect(await classesOf(await png(8, 3, [0, 1, 2, 3, 3, 2, 1, 0], ['PLTE', grey(0, 1, 2, 3)]))).toEqual([
      0, 1, 2, 3, 3, 2, 1, 0
    ])
    expect(
      await classesOf(await png(8, 3, [0, 1, 2, 3, 3, 2, 1, 0], ['PLTE', grey(0, 1, 2, 3)], ['tRNS', [255, 0]]))
    ).toEqual([0, -1, 2, 3, 3, 2, -1, 0])
    for (const palette of [grey(0, 255), grey(1, 0), grey(0, 1, 1)])
      await expect(classesOf(await png(8, 3, [0, 1, 0, 1, 0, 1, 0, 1], ['PLTE', palette]))).rejects.toThrow(
        expect.objectContaining({ name: 'TruthInColour' }) as Error
      )
    expect(
      await classesOf(await png(1, 3, [0b01010011], ['PLTE', grey(0, 255)]), { '#000000': 4, '#FFFFFF': 300 })
    ).toEqual([4, 300, 4, 300, 4, 4, 300, 300])
  })

  it('in colours keeps them whatever profile is embedded, and transparent pixels have no class', async () => {
    const colours = [234, 51, 34, 255, 1, 2, 3, 255, 234, 51, 34, 0]
    const stored = Buffer.from([...colours, ...colours, ...colours].slice(0, 32))
    const [plain, profiled] = [join(folder, 'plain.png'), join(folder, 'profiled.png')]
    await sharp(stored, { raw: { width: 8, height: 1, channels: 4 } })
      .png()
      .toFile(plain)
    await sharp(stored, { raw: { width: 8, height: 1, channels: 4 } })
      .withIccProfile('p3')
      .png()
      .toFile(profiled)
    const raw = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer()
    const hex = (bytes: Uint8Array): string => `#${Buffer.from(bytes.subarray(0, 3)).toString('hex')}`
    for (const [path, colour] of [
      [plain, '#ea3322'],
      [profiled, hex(raw)]
    ])
      expect(await classesOf(path, { [colour]: 9 })).toEqual([9, -1, -1, 9, -1, -1, 9, -1])
  })

  it('of 16 bits keeps 255 for unscored and 300 for a class', async () => {
    const path = join(folder, 'deep.png')
    await sharp(Uint16Array.of(0, 255, 256, 300, 511, 44, 65535, 1), { raw: { width: 8, height: 1, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toFile(path)
    expect(await classesOf(path)).toEqual([0, -1, 256, 300, 511, 44, 65535, 1])
    expect(await classesOf(path, { 255: 255, 300: 2, 65535: 2 })).toEqual([-1, 255, -1, 2, -1, -1, 2, -1])
  })
})

describe('truth polygons', () => {
  const ring: [number, number][] = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
    [0, 0]
  ]
  /** Class numbers of features with these properties, in the given files. */
  async function numbersOf(...files: Record<string, unknown>[][]): Promise<number[]> {
    const classes = createTrueClasses(undefined)
    const world = join(folder, 'scene.png')
    await sharp({ create: { width: 8, height: 4, channels: 3, background: 'red' } })
      .png()
      .toFile(world)
    await writeFile(join(folder, 'scene.pgw'), '1\n0\n0\n-1\n0.5\n3.5\n')
    await writeFile(
      join(folder, 'scene.prj'),
      'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433],AUTHORITY["EPSG","4326"]]'
    )
    const found: number[] = []
    for (const [f, features] of files.entries()) {
      const area = {
        features: features.map((properties, i) => ({
          properties,
          polygons: [[ring.map(([x, y]): [number, number] => [x + i, y])]]
        }))
      }
      const truth = await openPolygons(area, `${f}.geojson`, image('scene.png', world), classes)
      const { classes: drawn, covered } = await truth.read(
        { left: 0, top: 0, width: 8, height: 4 },
        new AbortController().signal
      )
      for (let i = 0; i < features.length; i++) found.push(drawn[3 * 8 + i])
      expect(covered!.reduce((sum, inside) => sum + inside, 0)).toBe(features.length)
    }
    const numbers = classes.numbers()
    return found.map((k) => (k === UNSCORED ? -1 : numbers[k]))
  }

  it('get classes from their numbers, even above 255, while negative ones and 255 are unscored', async () => {
    expect(await numbersOf([{ class: 3 }, { class: '300' }, { class: -1 }, { class: 255 }, { class: '4.0' }])).toEqual([
      3, 300, -1, -1, 4
    ])
  })

  it('get the same number for the same name in all files', async () => {
    expect(
      await numbersOf(
        [{ name: 'water' }, { name: 'forêt'.normalize('NFC') }],
        [{ name: 'road' }, { name: 'forêt'.normalize('NFD') }]
      )
    ).toEqual([2, 0, 1, 0])
  })

  it.each([
    ['without a class', [[{}]], 'no property class, value or name'],
    ['partly without a class', [[{ class: 1 }, { value: 2 }]], 'some polygons have no property class'],
    ['with an empty class', [[{ class: '' }]], 'no property'],
    ['with a fraction', [[{ class: 1.5 }]], 'whole numbers'],
    ['with true as a class', [[{ class: true }]], 'neither a number nor text'],
    [
      'with names in one file and numbers in another',
      [[{ class: 1 }], [{ class: 'water' }]],
      'other reference files have class numbers'
    ]
  ])('%s are rejected', async (_, files, sentence) => {
    await expect(numbersOf(...(files as Record<string, unknown>[][]))).rejects.toThrow(sentence)
  })
})

describe('pixels that an evaluation left out', () => {
  it('are listed by reason', () => {
    expect(leftOutText({ noLabel: 1, noClass: 1500, outside: 20 })).toEqual([
      '1,500 pixels without a reference class',
      '20 pixels outside the reference polygons',
      '1 pixel without a label'
    ])
    expect(leftOutText({ noLabel: 0, noClass: 0, outside: 0 })).toEqual([])
  })

  it('cause a warning if less than half of the labelled pixels were scored', () => {
    expect(coverageWarning(10, { noLabel: 500, noClass: 50, outside: 40 })).toMatch(
      /^Only 10 % of the labelled pixels were scored\./
    )
    expect(coverageWarning(1, { noLabel: 0, noClass: 0, outside: 400 })).toMatch(
      /^Less than 1 % of the labelled pixels were scored\./
    )
    expect(coverageWarning(50, { noLabel: 500, noClass: 50, outside: 0 })).toBeUndefined()
  })
})
