import { describe, expect, it } from 'vitest'
import { csvField } from '../../../src-main/export/formats/csv.ts'
import type { ExportItem } from '../../../src-main/export/format.ts'
import { FORMATS } from '../../../src-main/export/formats.ts'
import { classFileName } from '../../../src-main/export/formats/pngMasks.ts'
import { ENDINGS, isRenamed, layersOf, stemsOf } from '../../../src-main/export/stems.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'
import { folded } from '../../../src-main/project/fileNames.ts'
import { rasterNames } from '../../../src-main/project/labelSets.ts'
import { clashes, seen } from '../../fixtures/fileNames.ts'

const CLASSES = [{ name: 'Water', colour: '#102030' }]
const MEASURES = { confidence: true, probabilities: true }
const stems = (paths: readonly string[], inList = false): string[] => {
  const found = stemsOf(paths, inList)
  return paths.map((path) => found.get(path)!)
}
/** Makes items of which only the names are known. */
function itemsOf(paths: readonly string[], inList = false): ExportItem[] {
  const names = stemsOf(paths, inList)
  const layers = layersOf(names)
  return paths.map((path) => ({
    path,
    file: '/nowhere',
    stem: names.get(path)!,
    layer: layers.get(path)!,
    width: 1,
    height: 1,
    open: () => Promise.reject(new Error('not opened'))
  }))
}

const LONG = 'ö'.repeat(125)
const NASTY = [
  'a.jpg',
  'a.png',
  'a.jpg.png',
  'a.jpg.jpg',
  'A.jpg',
  'a .jpg',
  'a..jpg',
  'b.webp',
  'b.tif/c.jpg',
  'b.tif/C.jpg',
  'b.png/d.jpg',
  'B/x.jpg',
  'b/x.jpg',
  'c.jpg',
  'c.confidence.jpg',
  'c.confidence.png',
  'c.tif',
  'é.jpg',
  'e\u0301.jpg',
  'É.jpg',
  'E\u0301.png',
  'ſ.jpg',
  's.jpg',
  'σ.jpg',
  'ς.jpg',
  'con.jpg',
  'con_.jpg',
  'aux.v2.png',
  'nul/com1.jpg',
  'classes.json.jpg',
  'names.csv/q.jpg',
  'CLASSES.JSON/q.jpg',
  `${LONG}.jpg`,
  `${LONG}.png`,
  `${LONG}x.jpg`,
  `${'x'.repeat(251)}.png`,
  `${'😀'.repeat(62)}.png`,
  'two\nlines.jpg',
  'two_lines.jpg',
  'images/a.jpg',
  'images_/a.jpg',
  'dot./a.jpg',
  'dot/a.jpg',
  '-x.png',
  '#1?.png'
]

describe('names of exported files', () => {
  it('are the images’ names without extensions, unless two names differ only by extension', () => {
    expect(stems(['b.jpg', 'sub/c d.tif', 'ü#1?&\'"=+ %.png', '😀.webp', '-x.png', 'v1.2.png'])).toEqual([
      'b',
      'sub/c d',
      'ü#1?&\'"=+ %',
      '😀',
      '-x',
      'v1.2'
    ])
    expect(stems(['a.jpg', 'a.png', 'b.png'])).toEqual(['a.jpg', 'a.png', 'b'])
  })

  it('differ for a.jpg, a.png and a.jpg.png', () => {
    expect(stems(['a.jpg', 'a.png', 'a.jpg.png'])).toEqual(['a.jpg', 'a.png', 'a.jpg.png'])
  })

  it('don’t depend on the order of the images', () => {
    const paths = [...NASTY]
    const [first, second] = [stemsOf(paths), stemsOf(paths.reverse())]
    for (const path of paths) expect(second.get(path)).toBe(first.get(path))
  })

  it.each(Object.keys(FORMATS) as (keyof typeof FORMATS)[])('never collide in %s, whatever the file system', (name) => {
    const items = itemsOf(NASTY, FORMATS[name].inList)
    expect(clashes(FORMATS[name].files(items, CLASSES, MEASURES, '/out'))).toEqual([])
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('never collide in any format for randomly named images (seed %d)', (seed) => {
    const uniform = uniformFrom(seed, 12)
    const pick = <T>(from: readonly T[]): T => from[Math.floor(uniform() * from.length)]
    const word = (): string =>
      Array.from({ length: 1 + Math.floor(uniform() * 2) }, () =>
        pick(['a', 'A', 'é', 'e\u0301', '.jpg', '.tif', '.confidence', ' ', '.', 'con', 'images'])
      ).join('')
    const names = Array.from(
      { length: 120 },
      () => `${uniform() < 0.3 ? `${word()}/` : ''}${word()}${pick(['.jpg', '.png', '.tif'])}`
    ).filter((name) => !/^[. /]|\/[. ]*[./]|\/ /.test(name))
    // A name is either a file or a folder.
    const paths = [...new Set(names)].filter((path) => !names.some((other) => other.startsWith(`${path}/`)))
    expect(paths.length).toBeGreaterThan(30)
    for (const format of Object.values(FORMATS))
      expect(clashes(format.files(itemsOf(paths, format.inList), CLASSES, MEASURES, '/out'))).toEqual([])
    expect(clashes([...rasterNames(paths).values()].map((name) => `${name}.tif`))).toEqual([])
    expect(new Set(itemsOf(paths).map(({ layer }) => seen(layer))).size).toBe(paths.length)
  })

  it('fit into 255 bytes with the longest ending of all formats, and keep long names distinct', () => {
    for (const stem of stems(NASTY))
      for (const part of stem.split('/'))
        for (const ending of ENDINGS) expect(Buffer.byteLength(part + ending)).toBeLessThanOrEqual(255)
    const [first, second] = stems([`${LONG}.jpg`, `${LONG}.png`])
    expect(first).toMatch(/^ö+-[0-9a-f]{8}$/)
    expect(first).not.toBe(second)
    expect(stems([`${'x'.repeat(230)}.jpg`])).toEqual(['x'.repeat(230)])
  })

  it('allow for all endings that formats write', () => {
    const [item] = itemsOf(['probe.jpg'])
    const endings = Object.values(FORMATS).flatMap((format) =>
      format.files([item], CLASSES, MEASURES, '/out').flatMap((file) => /(?:^|\/)probe(\.[^/]*)$/.exec(file)?.[1] ?? [])
    )
    expect(endings.filter((ending) => !ENDINGS.includes(ending))).toEqual([])
  })

  it('avoid names that Windows reserves for devices', () => {
    expect(stems(['con.jpg', 'AUX.v2.png', 'nul/a.jpg', 'com1 .jpg', 'console.jpg', 'lpt.jpg'])).toEqual([
      'con_',
      'AUX_.v2',
      'nul_/a',
      'com1_ ',
      'console',
      'lpt'
    ])
  })

  it('are listed where they differ from the images’ names', () => {
    const items = itemsOf(['a.jpg', 'a.png', 'b.png', 'con.png'])
    expect(items.filter(isRenamed).map(({ path }) => path)).toEqual(['a.jpg', 'a.png', 'con.png'])
  })

  it('take one line each in a file list, with labels where Ultralytics looks for them', () => {
    for (const stem of stems(NASTY, true)) {
      expect(stem).not.toMatch(/[\n\r\u2028]|\.\/|(^|\/)images\//)
      const image = `/out/images/${stem}.jpg`
      expect(
        image.slice(0, image.lastIndexOf('/images/')) +
          '/labels/' +
          image.slice(image.lastIndexOf('/images/') + 8).replace(/\.[^.]*$/, '.txt')
      ).toBe(`/out/labels/${stem}.txt`)
    }
  })
})

describe('layers of a GeoPackage', () => {
  it('have different names, even where a third layer already has the number that tells two apart', () => {
    const names = itemsOf(['a b.jpg', 'a_b.jpg', 'a b_1.jpg', 'A#B.jpg', '???.jpg', 'image.jpg']).map(
      ({ layer }) => layer
    )
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length)
    expect(itemsOf(['north.tif', 'sub/x-1.tif']).map(({ layer }) => layer)).toEqual(['north', 'sub_x_1'])
  })
})

describe('names of label rasters in a project', () => {
  it('are the images’ paths, unless those collide or are too long', () => {
    expect([...rasterNames(['a.jpg', 'a.png', 'a.jpg.png', 'sub/B.tif']).values()]).toEqual([
      'a.jpg',
      'a.png',
      'a.jpg.png',
      'sub/B.tif'
    ])
    expect(clashes([...rasterNames(NASTY).values()].map((name) => `${name}.tif`))).toEqual([])
    expect(clashes([...rasterNames(['a.jpg', 'a.jpg.tif/b.jpg']).values()].map((name) => `${name}.tif`))).toEqual([])
    for (const name of rasterNames(NASTY).values())
      for (const part of name.split('/'))
        expect(
          Buffer.byteLength(`${part}.rows-120000-120000.raw.tif.sums${'.0123456789ab-4294967295-zzzzzzzz.partial'}`)
        ).toBeLessThanOrEqual(255)
  })
})

describe('folded names', () => {
  it('are equal if any file system treats the names as the same', () => {
    for (const [a, b] of [
      ['A', 'a'],
      ['é', 'e\u0301'],
      ['É', 'e\u0301'],
      ['x. ', 'x'],
      ['dir./x', 'dir/x'],
      ['ς', 'Σ']
    ])
      expect(folded(a)).toBe(folded(b))
    for (const [a, b] of [
      ['straße', 'strasse'],
      ['a', 'b'],
      ['.x', 'x'],
      ['a b', 'ab']
    ])
      expect(folded(a)).not.toBe(folded(b))
  })
})

describe('a class’s file name', () => {
  it('has an acceptable length and no trailing space or dot, whatever the class is called', () => {
    for (const name of ['森'.repeat(120), '😀'.repeat(90), `${'a'.repeat(79)} b`, 'x.', '', 'a'.repeat(300)]) {
      const file = classFileName(name, 7)
      expect(Buffer.byteLength(`${file}.png`)).toBeLessThanOrEqual(255)
      expect(file).toMatch(/^007( .*[^ .])?$/u)
      expect(file).not.toMatch(/\p{Surrogate}/u)
    }
    expect(classFileName('a'.repeat(300), 7)).toBe(`007 ${'a'.repeat(80)}`)
  })
})

describe('fields of a CSV file', () => {
  it.each(['=1+1', '+x', '-x', '@sum', '\tx', '\rx', '\n=x', '＝x', "'=x"])('disguise the formula %j', (text) =>
    expect(csvField(text)).toBe(`"'${text}"`)
  )
  it('stay unchanged if they are harmless', () => {
    for (const text of ['Water', "l'été", "'quoted'", 'a=b', '森林', '1', '']) expect(csvField(text)).toBe(text)
    expect(csvField('a "b", c')).toBe('"a ""b"", c"')
  })
})
