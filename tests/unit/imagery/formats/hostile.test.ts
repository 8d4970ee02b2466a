import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SmaltiError } from '../../../../src-main/contract/errors.ts'
import { readCatalogue } from '../../../../src-main/imagery/catalogue.ts'
import { fileAt } from '../../../../src-main/imagery/location.ts'
import { openRaster } from '../../../../src-main/imagery/reading/openRaster.ts'
import { integerBelow, uniformFrom } from '../../../../src-main/learning/random.ts'

const signal = new AbortController().signal
let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'smalti-hostile-'))))
afterAll(() => rm(folder, { recursive: true }))

const values = Uint8Array.from({ length: 3 * 120 * 90 }, (_, i) => (i * 7 + (i >> 8) * 13) % 256)
const picture = (): Sharp => sharp(values, { raw: { width: 120, height: 90, channels: 3 } })

describe('damaged images', () => {
  it.each([
    ['png', () => picture().png().toBuffer()],
    ['jpg', () => picture().jpeg().toBuffer()],
    ['webp', () => picture().webp().toBuffer()],
    ['lzw.tif', () => picture().tiff({ compression: 'lzw' }).toBuffer()],
    [
      'tiles.tif',
      () => picture().tiff({ compression: 'deflate', tile: true, tileWidth: 32, tileHeight: 32 }).toBuffer()
    ]
  ])('are read or rejected with a reason: %s', async (name, make) => {
    const [original, uniform] = [await make(), uniformFrom(name.length, 5)]
    for (let time = 0; time < 25; time++) {
      const bytes = Buffer.from(original)
      for (let n = 0; n < 6; n++)
        bytes[integerBelow(time % 2 ? Math.min(600, bytes.length) : bytes.length, uniform)] = integerBelow(256, uniform)
      const path = join(folder, `${time}.${name}`)
      await writeFile(path, time % 5 ? bytes : bytes.subarray(0, integerBelow(bytes.length, uniform)))
      try {
        const raster = await openRaster(fileAt(path))
        const side = Math.min(raster.width, raster.height, 64)
        try {
          await raster.read({ left: 0, top: 0, width: side, height: side })
        } finally {
          await raster.close()
        }
      } catch (fault) {
        expect(fault).toBeInstanceOf(SmaltiError)
        expect((fault as SmaltiError).name).toBe('UnreadableImage')
      }
    }
  })

  it('don’t outweigh other images by claiming far more pixels than their bytes could contain', async () => {
    const own = join(folder, 'claims')
    await mkdir(own)
    const bytes = await sharp(new Uint8Array(64 * 64), { raw: { width: 64, height: 64, channels: 1 } })
      .jpeg()
      .toBuffer()
    const frame = bytes.indexOf(Buffer.of(0xff, 0xc0))
    bytes.writeUInt16BE(30000, frame + 5)
    bytes.writeUInt16BE(30000, frame + 7)
    await writeFile(join(own, 'claims.jpg'), bytes)
    await picture().png().toFile(join(own, 'good.png'))
    const { images, skipped } = await readCatalogue([own], signal)
    expect(images.map(({ path }) => path)).toEqual(['good.png'])
    expect(skipped).toEqual([{ path: 'claims.jpg', reason: expect.stringContaining('30000 × 30000') as string }])
  })

  it('are rejected in unsupported formats, with a command that converts them', async () => {
    await writeFile(join(folder, 'scene.jp2'), 'x')
    await expect(readCatalogue([join(folder, 'scene.jp2')], signal)).rejects.toThrow('gdal_translate')
  })
})
