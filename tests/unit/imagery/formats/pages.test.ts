import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fileAt } from '../../../../src-main/imagery/location.ts'
import { openRaster } from '../../../../src-main/imagery/reading/openRaster.ts'
import type { Raster, Samples } from '../../../../src-main/imagery/raster.ts'
import { ask, oracleLack } from '../../../fixtures/gdal.ts'

const FAULTS = '../shared/faults/multipage'
if (!existsSync(FAULTS)) console.warn(`NOT TESTED: ${FAULTS} was not found`)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalti-pages-'))
  if (oracleLack) return
  const { status, stderr } = spawnSync('/usr/bin/python3', [resolve('tests/fixtures/oracles/pages.py'), folder], {
    encoding: 'utf8'
  })
  if (status !== 0) throw new Error(stderr)
})
afterAll(() => rm(folder, { recursive: true }))

async function readWhole(path: string, page?: number): Promise<{ raster: Raster; bands: Samples[] }> {
  const raster = await openRaster(fileAt(path), { page })
  try {
    return { raster, bands: (await raster.read({ left: 0, top: 0, width: raster.width, height: raster.height })).bands }
  } finally {
    await raster.close()
  }
}

/** Compares the bands with GDAL's pages, one page for each band. */
async function expectPages(
  path: string,
  pages: readonly number[],
  { page, notice }: { page?: number; notice?: string } = {}
): Promise<void> {
  const { raster, bands } = await readWhole(path, page)
  expect(bands.length).toBe(pages.length)
  for (const [i, number] of pages.entries()) {
    const {
      windows: [[expected]]
    } = await ask<{ windows: number[][][] }>({
      ask: 'windows',
      path: `GTIFF_DIR:${number}:${path}`,
      windows: [[0, 0, raster.width, raster.height, 0]]
    })
    expect(Array.from(bands[i])).toEqual(expected)
  }
  expect(raster.notice).toBe(notice)
}

const onlyPage = (page: number, count: number): string => `only page ${page} of ${count} is used`

describe.skipIf(oracleLack)('a multi-page TIFF', () => {
  const at = (name: string): string => join(folder, name)

  it('is read as its first page, with a notice, if its pages aren’t declared as channels', async () => {
    await expectPages(at('plain.tif'), [1], { notice: onlyPage(1, 4) })
    await expectPages(at('imagej slices.tif'), [1], { notice: onlyPage(1, 4) })
    await expectPages(at('ome slices.tif'), [1], { notice: onlyPage(1, 3) })
    await expectPages(at('sizes.tif'), [1], { notice: onlyPage(1, 3) })
    await expectPages(at('many.tif'), [1], { notice: onlyPage(1, 300) })
    expect((await readWhole(at('plain of colours.tif'))).raster).toMatchObject({
      notice: onlyPage(1, 2),
      bands: { length: 3 }
    })
  })

  it('has a band for each page that is declared as a channel', async () => {
    await expectPages(at('imagej channels.tif'), [1, 2, 3])
    await expectPages(at('imagej channels deep.tif'), [1, 2, 3, 4, 5])
    await expectPages(at('ome channels.tif'), [1, 2, 3])
    await expectPages(at('ome placed.tif'), [2, 1])
    expect((await readWhole(at('ome channels.tif'))).raster.bands.map(({ role }) => role)).toEqual([
      'other',
      'other',
      'other'
    ])
  })

  it('has the channels of its first plane if there are more planes, with a notice', async () => {
    await expectPages(at('imagej channels and slices.tif'), [1, 2], {
      notice: 'only the 2 channels of its first plane are used, of 6 pages'
    })
    await expectPages(at('ome by slices.tif'), [1, 4], {
      notice: 'only the 2 channels of its first plane are used, of 6 pages'
    })
  })

  it('is read as its first page if a channel is in another file', async () => {
    await expectPages(at('ome elsewhere.tif'), [1], {
      notice: `${onlyPage(1, 2)}; the planes in its other OME files are not used`
    })
  })

  it('is read as the chosen page alone', async () => {
    await expectPages(at('plain.tif'), [3], { page: 3, notice: onlyPage(3, 4) })
    await expectPages(at('imagej channels.tif'), [2], { page: 2, notice: onlyPage(2, 3) })
    await expectPages(at('sizes.tif'), [3], { page: 3, notice: onlyPage(3, 3) })
    await expectPages(at('one.tif'), [1], { page: 1 })
  })

  it('rejects a page that doesn’t exist', async () => {
    await expect(openRaster(fileAt(at('plain.tif')), { page: 5 })).rejects.toMatchObject({
      details: { reason: 'it has no page 5, only 4 pages' }
    })
    await expect(openRaster(fileAt(at('one.tif')), { page: 2 })).rejects.toMatchObject({
      details: { reason: 'it has no page 2, only one page' }
    })
  })

  it('doesn’t count overviews and masks as pages', async () => {
    const { raster } = await readWhole(at('one with overviews.tif'))
    expect(raster.notice).toBeUndefined()
    expect(raster.levels.length).toBe(3)
  })
})

/** Writes a large stack as ImageJ does: one directory, its image, then the other images. */
function imageJStack({
  width,
  height,
  images,
  channels
}: {
  width: number
  height: number
  images: number
  channels: number
}): Buffer {
  const description = Buffer.from(
    `ImageJ=1.53t\nimages=${images}\nchannels=${channels}\nslices=${images / channels}\nhyperstack=true\n\0`,
    'latin1'
  )
  const entries: [number, number, number, number][] = [
    [256, 4, 1, width],
    [257, 4, 1, height],
    [258, 3, 1, 16],
    [259, 3, 1, 1],
    [262, 3, 1, 1],
    [270, 2, description.length, 0],
    [273, 4, 1, 0],
    [277, 3, 1, 1],
    [278, 4, 1, height],
    [279, 4, 1, 2 * width * height]
  ]
  const directory = 8 + 2 + 12 * entries.length + 4
  entries[5][3] = directory
  entries[6][3] = directory + description.length
  const head = Buffer.alloc(directory)
  head.write('MM\0*', 'latin1')
  head.writeUInt32BE(8, 4)
  head.writeUInt16BE(entries.length, 8)
  for (const [i, [tag, type, count, value]] of entries.entries()) {
    const place = 10 + 12 * i
    head.writeUInt16BE(tag, place)
    head.writeUInt16BE(type, place + 2)
    head.writeUInt32BE(count, place + 4)
    if (type === 3) head.writeUInt16BE(value, place + 8)
    else head.writeUInt32BE(value, place + 8)
  }
  const pixels = Buffer.alloc(2 * width * height * images)
  for (let i = 0; i < width * height * images; i++) pixels.writeUInt16BE(i, 2 * i)
  return Buffer.concat([head, description, pixels])
}

describe('an ImageJ stack with one directory', () => {
  const numbered = (first: number, length: number): Uint16Array => Uint16Array.from({ length }, (_, i) => first + i)

  it('has its channels as bands, and its other images as pages', async () => {
    const path = join(folder, 'contiguous.tif')
    await writeFile(path, imageJStack({ width: 30, height: 20, images: 6, channels: 3 }))
    const { raster, bands } = await readWhole(path)
    expect(bands).toEqual([numbered(0, 600), numbered(600, 600), numbered(1200, 600)])
    expect(raster.notice).toContain('of 6 pages')
    expect((await readWhole(path, 5)).bands).toEqual([numbered(2400, 600)])
  })

  it('reports missing images if the file is too short', async () => {
    const path = join(folder, 'short.tif')
    await writeFile(path, imageJStack({ width: 30, height: 20, images: 6, channels: 3 }).subarray(0, -100))
    expect((await readWhole(path)).raster.notice).toContain('the first of its 6 images')
  })
})

describe.skipIf(oracleLack || !existsSync(FAULTS))('reported faults with several pages', () => {
  it('are read as bands, or with a notice about what is read', async () => {
    await expectPages(join(FAULTS, 'ij_channels.tif'), [1, 2, 3])
    await expectPages(join(FAULTS, 'zstack.tif'), [1], { notice: onlyPage(1, 4) })
    await expectPages(join(FAULTS, 'zstack.tif'), [3], { page: 3, notice: onlyPage(3, 4) })
  })
})
