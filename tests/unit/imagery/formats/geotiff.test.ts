import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fileAt } from '../../../../src-main/imagery/location.ts'
import { openRaster } from '../../../../src-main/imagery/reading/openRaster.ts'
import type { Raster, Window } from '../../../../src-main/imagery/raster.ts'
import { ask, numbersOf, oracleLack } from '../../../fixtures/gdal.ts'

const SHARED = '../shared/data/geotiff/images'
const here = existsSync(SHARED)
if (!here) console.warn(`NOT TESTED: ${SHARED} was not found`)

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'smalti-geotiff-'))))
afterAll(() => rm(folder, { recursive: true }))

interface Answer {
  bands: number
  width: number
  height: number
  windows: (number | string)[][][]
}

/** Returns three windows of a level: both corners, and one across the middle. */
function windowsOf({ levels }: Raster, level: number): (Window & { level: number })[] {
  const { width, height } = levels[level]
  const [w, h] = [Math.min(width, 97), Math.min(height, 83)]
  return [
    [0, 0],
    [0.45, 0.55],
    [1, 1]
  ].map(([x, y]) => ({
    left: Math.floor((width - w) * x),
    top: Math.floor((height - h) * y),
    width: w,
    height: h,
    level
  }))
}

/** Reads windows at two levels and compares each value with GDAL's. */
async function compare(path: string, gdalPath = path, tolerance = 0): Promise<Raster> {
  const raster = await openRaster(fileAt(path))
  const levels = raster.levels.length > 1 ? [0, raster.levels.length > 2 ? 2 : 1] : [0]
  const windows = levels.flatMap((level) => windowsOf(raster, level))
  const answer = await ask<Answer>({
    ask: 'windows',
    path: gdalPath,
    windows: windows.map(({ left, top, width, height, level }) => [left, top, width, height, level])
  })
  expect([raster.bands.length, raster.width, raster.height]).toEqual([answer.bands, answer.width, answer.height])
  for (const [i, window] of windows.entries()) {
    const { bands } = await raster.read(window, { level: window.level })
    bands.forEach((band, b) => {
      const expected = numbersOf(answer.windows[i][b])
      const wrong = expected.findIndex(
        (value, p) => !(Number.isNaN(value) ? Number.isNaN(band[p]) : Math.abs(value - band[p]) <= tolerance)
      )
      expect(wrong, `band ${b + 1} of window ${i}: ${band[wrong]} in place of ${expected[wrong]}`).toBe(-1)
    })
  }
  await raster.close()
  return raster
}

describe.skipIf(!here || oracleLack)('every shared GeoTIFF', () => {
  const names = here ? readdirSync(SHARED) : []
  it.each(names)('has GDAL’s values at two levels: %s', async (name) => {
    const path = join(SHARED, name)
    // GDAL converts inks to its own colours unless it is asked for the raw values.
    const raster = await compare(path, name.includes('cmyk') ? `GTIFF_RAW:${path}` : path)
    expect(raster.bands.length).toBeGreaterThan(0)
  })
})

describe.skipIf(oracleLack)('GeoTIFFs written by GDAL', () => {
  const made = async (name: string, request: Record<string, unknown>): Promise<string> => {
    const path = join(folder, `${name}.tif`)
    await ask({ ask: 'make', path, width: 150, height: 131, bands: 3, type: 'Byte', ...request })
    return path
  }
  const tiled = ['TILED=YES', 'BLOCKXSIZE=64', 'BLOCKYSIZE=48']

  it.each(['NONE', 'LZW', 'DEFLATE', 'PACKBITS', 'ZSTD', 'LERC', 'LERC_DEFLATE', 'LERC_ZSTD', 'WEBP'])(
    'are read with %s compression',
    async (compression) => {
      const lossless = compression === 'WEBP' ? ['WEBP_LOSSLESS=TRUE'] : []
      await compare(await made(`c-${compression}`, { options: [...tiled, `COMPRESS=${compression}`, ...lossless] }))
      if (compression === 'WEBP') return
      await compare(
        await made(`p-${compression}`, { options: [`COMPRESS=${compression}`, 'INTERLEAVE=BAND'], bands: 2 })
      )
    }
  )

  it.each([
    ['YCBCR', 3],
    ['RGB', 3],
    ['MINISBLACK', 1]
  ])('are read with JPEG compression in %s', async (photometric, bands) => {
    await compare(
      await made(`j-${photometric}`, {
        bands,
        options: [...tiled.slice(0, 1), 'BLOCKXSIZE=64', 'BLOCKYSIZE=64', 'COMPRESS=JPEG', `PHOTOMETRIC=${photometric}`]
      }),
      undefined,
      1
    )
  })

  it.each(['Byte', 'UInt16', 'Int16', 'UInt32', 'Int32', 'Float32', 'Float64'])(
    'are read with %s values, in either byte order, in strips and tiles, with planes together and separate',
    async (type) => {
      for (const [i, options] of [
        ['ENDIANNESS=BIG'],
        [...tiled, 'ENDIANNESS=BIG', 'INTERLEAVE=BAND', 'COMPRESS=LZW'],
        ['BIGTIFF=YES', 'COMPRESS=DEFLATE', 'BLOCKYSIZE=7'],
        [...tiled, 'COMPRESS=DEFLATE']
      ].entries()) {
        await compare(await made(`t-${type}-${i}`, { type, options, bands: 5 }))
      }
    }
  )

  it.each([
    ['Byte', 2],
    ['UInt16', 2],
    ['Int32', 2],
    ['Float32', 3],
    ['Float64', 3]
  ])('are read with %s values and predictor %d', async (type, predictor) => {
    for (const [i, order] of ['LITTLE', 'BIG'].entries())
      await compare(
        await made(`d-${type}-${predictor}-${i}`, {
          type,
          options: [...tiled, 'COMPRESS=DEFLATE', `PREDICTOR=${predictor}`, `ENDIANNESS=${order}`]
        })
      )
  })

  it.each([1, 2, 4])('are read with %d bits', async (bits) => {
    await compare(
      await made(`b-${bits}`, { bands: 1, modulus: 2 ** bits, options: [`NBITS=${bits}`, 'COMPRESS=DEFLATE'] })
    )
  })

  it('are read with half-precision floats', async () => {
    const raster = await compare(
      await made('half', { type: 'Float32', options: [...tiled, 'NBITS=16', 'COMPRESS=DEFLATE'] })
    )
    expect(raster.bands[0].type).toBe('float32')
  })

  it('are read with many bands and with omitted tiles', async () => {
    expect(
      (await compare(await made('many', { bands: 64, options: tiled }))).bands.every(({ role }) => role === 'other')
    ).toBe(true)
    const path = join(folder, 'sparse.tif')
    await ask({
      ask: 'make',
      path,
      width: 300,
      height: 200,
      bands: 1,
      type: 'UInt16',
      options: [...tiled, 'SPARSE_OK=TRUE', 'COMPRESS=DEFLATE'],
      nodata: 0,
      blank: [0, 0, 300, 200]
    })
    await compare(path)
  })

  it('are read with overviews inside and in a separate file', async () => {
    const inside = await made('inside', { width: 700, height: 500, options: tiled, overviews: [2, 4] })
    expect((await compare(inside)).levels).toEqual([
      { width: 700, height: 500 },
      { width: 350, height: 250 },
      { width: 175, height: 125 }
    ])
  })

  it('are read with one large strip, but only the needed part of it', async () => {
    await compare(await made('strip', { width: 900, height: 1200, options: ['BLOCKYSIZE=1200'] }))
  })

  it('are rejected with a reason if they contain complex numbers', async () => {
    await expect(openRaster(fileAt(await made('complex', { type: 'CFloat32', bands: 1 })))).rejects.toMatchObject({
      details: { reason: expect.stringMatching(/complex numbers.*gdal_translate/) as string }
    })
  })

  it('are rejected if they use LZMA, with a command that converts them', async () => {
    let path: string
    try {
      path = await made('lzma', { options: [...tiled, 'COMPRESS=LZMA'] })
    } catch {
      console.warn('NOT TESTED: this GDAL does not write LZMA')
      return
    }
    await expect(openRaster(fileAt(path))).rejects.toMatchObject({
      name: 'UnreadableImage',
      message: expect.stringContaining('gdal_translate') as string
    })
  })

  it('have known band roles and valid pixels', async () => {
    const roles = async (request: Record<string, unknown>, name: string): Promise<string> =>
      (await compare(await made(name, request))).bands.map(({ role }) => role).join()
    expect(await roles({ bands: 4, options: ['PHOTOMETRIC=MINISBLACK', 'ALPHA=NO'] }, 'r1')).toBe('red,green,blue,nir')
    expect(await roles({ bands: 4, options: ['PHOTOMETRIC=RGB', 'ALPHA=YES'] }, 'r2')).toBe('red,green,blue,alpha')
    expect(await roles({ bands: 2, options: ['PHOTOMETRIC=MINISBLACK', 'ALPHA=YES'] }, 'r3')).toBe('grey,alpha')
    expect(await roles({ bands: 1, type: 'Float32' }, 'r4')).toBe('elevation')
    const valid = async (name: string, request: Record<string, unknown>): Promise<number> => {
      const raster = await openRaster(fileAt(await made(name, request)))
      const { valid } = await raster.read({ left: 0, top: 0, width: 150, height: 131 })
      await raster.close()
      return valid ? valid.reduce((sum, value) => sum + value, 0) : 150 * 131
    }
    expect(await valid('v1', { nodata: 0, blank: [0, 0, 50, 131] })).toBe(100 * 131)
    expect(await valid('v2', { type: 'Float32', nodata: NaN.toString(), blank: [0, 0, 150, 31] })).toBe(150 * 100)
    expect(await valid('v3', { type: 'Int16', nodata: -9999, blank: [10, 10, 20, 20], bands: 2 })).toBe(150 * 131 - 100)
    expect(await valid('v4', { mask: true, options: tiled })).toBe(150 * (131 - Math.floor(131 / 3)))
  })

  it('have their palettes resolved', async () => {
    const path = await made('palette', {
      bands: 1,
      modulus: 3,
      palette: [
        [10, 20, 30],
        [200, 100, 50],
        [0, 255, 7]
      ]
    })
    const raster = await openRaster(fileAt(path))
    expect(raster.palette!.map((channel) => [...channel.slice(0, 3)])).toEqual([
      [10, 200, 0],
      [20, 100, 255],
      [30, 50, 7]
    ])
    await raster.close()
  })
})

describe.skipIf(oracleLack)('damaged files', () => {
  it('are rejected if they are truncated, in the tiles or elsewhere', async () => {
    const path = join(folder, 'short.tif')
    await ask({
      ask: 'make',
      path,
      width: 600,
      height: 500,
      bands: 3,
      type: 'Byte',
      options: ['TILED=YES', 'COMPRESS=DEFLATE']
    })
    const { length } = await readFile(path)
    await truncate(path, length - 1000)
    await expect(openRaster(fileAt(path))).rejects.toMatchObject({
      name: 'UnreadableImage',
      details: { reason: 'the file is truncated' }
    })
  })

  it('are rejected if they claim impossible sizes, before memory is allocated', async () => {
    const path = join(folder, 'absurd.tif')
    await ask({ ask: 'make', path, width: 64, height: 64, bands: 1, type: 'Byte' })
    const bytes = await readFile(path)
    const at = bytes.readUInt32LE(4)
    for (let entry = 0; entry < bytes.readUInt16LE(at); entry++) {
      const place = at + 2 + 12 * entry
      if (bytes.readUInt16LE(place) === 256)
        bytes.writeUInt32LE(33554732, (bytes.writeUInt16LE(4, place + 2), place + 8))
    }
    await writeFile(path, bytes)
    await expect(openRaster(fileAt(path))).rejects.toMatchObject({
      details: { reason: expect.stringContaining('33554732') as string }
    })
  })

  it('are rejected if their directories form a loop', async () => {
    const path = join(folder, 'loop.tif')
    await ask({ ask: 'make', path, width: 64, height: 64, bands: 1, type: 'Byte' })
    const handle = await open(path, 'r+')
    const head = Buffer.alloc(8)
    await handle.read(head, 0, 8, 0)
    const at = head.readUInt32LE(4)
    const count = Buffer.alloc(2)
    await handle.read(count, 0, 2, at)
    await handle.write(head.subarray(4, 8), 0, 4, at + 2 + 12 * count.readUInt16LE(0))
    await handle.close()
    await expect(openRaster(fileAt(path))).rejects.toMatchObject({
      details: { reason: expect.stringContaining('loop') as string }
    })
  })
})
