import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCatalogue } from '../../../src-main/imagery/catalogue.ts'
import type { BandRole, CatalogueImage } from '../../../src-main/contract/imagery.ts'
import { type Picture, PictureReader, type Sight, mirrored } from '../../../src-main/imagery/pictures.ts'
import { sampleStatistics } from '../../../src-main/imagery/statistics.ts'

const signal = new AbortController().signal
let folder: string
const RGB: BandRole[] = ['red', 'green', 'blue']
const sight: Sight = { scale: 1, bands: { roles: RGB } }
const rgbImage = (path: string, width: number, height: number): CatalogueImage => ({
  path,
  file: join(folder, path),
  width,
  height,
  bands: RGB,
  type: 'uint8'
})

const raw = (width: number, height: number, value: (x: number, y: number, b: number) => number): Sharp =>
  sharp(
    Uint8Array.from({ length: width * height * 3 }, (_, i) =>
      value(Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3)
    ),
    {
      raw: { width, height, channels: 3 }
    }
  )

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalti-imagery-'))
  await mkdir(join(folder, 'sub'))
  await raw(40, 30, (x, y, b) => (b === 0 ? 5 * x : b === 1 ? 5 * y : 100))
    .png()
    .toFile(join(folder, 'gradient.png'))
  await raw(20, 10, () => 90)
    .jpeg()
    .withMetadata({ orientation: 6 })
    .toFile(join(folder, 'turned.jpg'))
  await raw(12, 12, () => 10)
    .webp()
    .toFile(join(folder, 'sub', 'small.webp'))
  await raw(33, 17, () => 200)
    .tiff({ compression: 'lzw' })
    .toFile(join(folder, 'sub', 'flat.tif'))
  const whole = await raw(64, 64, (x, y) => (x * 31 + y * 17) % 256)
    .png()
    .toBuffer()
  await writeFile(join(folder, 'truncated.png'), whole.subarray(0, whole.length / 2))
  await writeFile(join(folder, 'empty.png'), '')
  await writeFile(join(folder, 'notes.txt'), 'no image')
  await sharp(new Uint16Array(16), { raw: { width: 4, height: 4, channels: 1 } })
    .toColourspace('grey16')
    .png()
    .toFile(join(folder, 'deep.png'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('catalogue', () => {
  it('lists images of every format in a fixed order, with their sizes as displayed', async () => {
    const { images } = await readCatalogue([folder], signal)
    expect(images.map(({ path, width, height, bands, type }) => ({ path, width, height, bands, type }))).toEqual([
      { path: 'deep.png', width: 4, height: 4, bands: ['grey'], type: 'uint16' },
      { path: 'gradient.png', width: 40, height: 30, bands: RGB, type: 'uint8' },
      { path: 'sub/flat.tif', width: 33, height: 17, bands: RGB, type: 'uint8' },
      { path: 'sub/small.webp', width: 12, height: 12, bands: RGB, type: 'uint8' },
      { path: 'turned.jpg', width: 10, height: 20, bands: RGB, type: 'uint8' }
    ])
  })

  it('names every skipped file, with the reason', async () => {
    const { skipped } = await readCatalogue([folder], signal)
    expect(Object.fromEntries(skipped.map(({ path, reason }) => [path, reason]))).toEqual({
      'empty.png': 'the file is empty',
      'notes.txt': "it isn't an image in a supported format",
      'truncated.png': 'the file is truncated'
    })
  })

  it('leaves out the masks of a project inside the folder', async () => {
    const project = join(folder, 'project')
    await mkdir(project)
    await writeFile(join(project, 'project.json'), '{}')
    await raw(8, 8, () => 1)
      .png()
      .toFile(join(project, 'mask.png'))
    expect((await readCatalogue([folder], signal)).images.map(({ path }) => path)).not.toContain('project/mask.png')
    await rm(project, { recursive: true })
  })

  it('follows links to files and folders, visits each folder once, and names broken links', async () => {
    const links = await mkdtemp(join(tmpdir(), 'smalti-links-'))
    await symlink(join(folder, 'gradient.png'), join(links, 'linked.png'))
    await symlink(join(folder, 'sub'), join(links, 'more'))
    await symlink(links, join(links, 'round'))
    await symlink(join(links, 'gone.png'), join(links, 'dangling.png'))
    const { images, skipped } = await readCatalogue([links], signal)
    expect(images.map(({ path }) => path)).toEqual(['linked.png', 'more/flat.tif', 'more/small.webp'])
    expect(skipped).toEqual([{ path: 'dangling.png', reason: 'the link is broken' }])
    await rm(links, { recursive: true })
  })

  it.each([
    ['FolderNotFound', async () => join(folder, 'nowhere')],
    ['EmptyFolder', () => mkdtemp(join(tmpdir(), 'smalti-empty-'))],
    [
      'NoReadableImages',
      async () => {
        const texts = await mkdtemp(join(tmpdir(), 'smalti-texts-'))
        await writeFile(join(texts, 'a.txt'), 'a')
        return texts
      }
    ]
  ])('fails with %s', async (name, make) => {
    await expect(readCatalogue([await make()], signal)).rejects.toMatchObject({ name })
  })
})

describe('a file that isn’t an image', () => {
  it('is named alone in the error', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'smalti-texts-')), 'notes.txt')
    await writeFile(file, 'text')
    await expect(readCatalogue([file], signal)).rejects.toThrow(`Smalti can't read an image from ${file}.`)
  })
})

describe('picture reader', () => {
  const image = (): CatalogueImage => rgbImage('gradient.png', 40, 30)
  /** Returns the bands of a pixel, 0…255. */
  const at = ({ values, width, height }: Picture, r: number, c: number): number[] =>
    [0, 1, 2].map((b) => Math.round(255 * values[b * width * height + r * width + c]))

  it('reads a window of the image unchanged', async () => {
    const part = await new PictureReader(sight).read(image(), { left: 7, top: 11, width: 5, height: 4 })
    for (let r = 0; r < 4; r++)
      for (let c = 0; c < 5; c++) expect(at(part, r, c)).toEqual([5 * (7 + c), 5 * (11 + r), 100])
  })

  it('mirrors the image beyond its border', async () => {
    const part = await new PictureReader(sight).read(image(), { left: -3, top: 28, width: 6, height: 4 })
    const expected = (r: number, c: number): number[] => [5 * mirrored(c - 3, 40), 5 * mirrored(28 + r, 30), 100]
    for (let r = 0; r < 4; r++) for (let c = 0; c < 6; c++) expect(at(part, r, c)).toEqual(expected(r, c))
    expect([-1, 0, 39, 40, 41].map((i) => mirrored(i, 40))).toEqual([0, 0, 39, 39, 38])
  })

  it('rotates a photograph according to its EXIF orientation', async () => {
    const turned = await new PictureReader(sight).whole(rgbImage('turned.jpg', 10, 20))
    expect([turned.width, turned.height]).toEqual([10, 20])
  })

  it('names a file that can’t be decoded', async () => {
    const reader = new PictureReader(sight)
    await expect(reader.whole(rgbImage('truncated.png', 64, 64))).rejects.toMatchObject({ name: 'UnreadableImage' })
  })
})

describe('band statistics', () => {
  it('match the pixels', async () => {
    const [, , blue] = await sampleStatistics(sight, [rgbImage('gradient.png', 40, 30)], signal, () => undefined)
    expect(blue.mean).toBeCloseTo(100 / 255, 6)
    expect(blue.deviation).toBe(1)
  })
})
