import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fileAt } from '../../../../src-main/imagery/location.ts'
import { openRaster } from '../../../../src-main/imagery/reading/openRaster.ts'
import type { Raster } from '../../../../src-main/imagery/raster.ts'
import { ask, numbersOf, oracleLack } from '../../../fixtures/gdal.ts'

const FAULTS = '../shared/faults/nbits'
if (!existsSync(FAULTS)) console.warn(`NOT TESTED: ${FAULTS} was not found`)

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'smalti-bits-'))))
afterAll(() => rm(folder, { recursive: true }))

const [WIDTH, HEIGHT] = [101, 67]
const made = async (name: string, request: Record<string, unknown>): Promise<string> => {
  const path = join(folder, `${name}.tif`)
  await ask({ ask: 'make', path, width: WIDTH, height: HEIGHT, bands: 3, ...request })
  return path
}

async function expectAsGdal(path: string): Promise<Raster> {
  const raster = await openRaster(fileAt(path))
  const { width, height } = raster
  const {
    windows: [expected]
  } = await ask<{ windows: (number | string)[][][] }>({ ask: 'windows', path, windows: [[0, 0, width, height, 0]] })
  const { bands } = await raster.read({ left: 0, top: 0, width, height })
  const part = await raster.read({ left: 13, top: 9, width: 31, height: 20 })
  await raster.close()
  bands.forEach((band, b) => expect(Float64Array.from(band)).toEqual(numbersOf(expected[b])))
  part.bands.forEach((band, b) => expect(band[31]).toBe(bands[b][10 * width + 13]))
  return raster
}

const LAYOUTS = [
  [],
  ['ENDIANNESS=BIG', 'BLOCKYSIZE=5'],
  ['TILED=YES', 'BLOCKXSIZE=48', 'BLOCKYSIZE=32', 'COMPRESS=DEFLATE', 'INTERLEAVE=BAND'],
  ['TILED=YES', 'BLOCKXSIZE=48', 'BLOCKYSIZE=32', 'COMPRESS=LZW', 'ENDIANNESS=BIG', 'BIGTIFF=YES'],
  ['COMPRESS=ZSTD', 'ENDIANNESS=BIG', 'INTERLEAVE=BAND']
]

describe.skipIf(oracleLack)('unsigned integers', () => {
  it.each(Array.from({ length: 32 }, (_, i) => i + 1))('of %d bits are read in every layout', async (bits) => {
    const type = bits <= 8 ? 'Byte' : bits <= 16 ? 'UInt16' : 'UInt32'
    for (const [i, options] of LAYOUTS.entries()) {
      const path = await made(`u${bits}-${i}`, {
        type,
        modulus: Math.min(2 ** bits, 2 ** 31),
        options: bits === 8 || bits === 16 || bits === 32 ? options : [...options, `NBITS=${bits}`]
      })
      expect((await expectAsGdal(path)).bands[0].type).toBe({ Byte: 'uint8', UInt16: 'uint16', UInt32: 'uint32' }[type])
    }
  })

  it('keep their highest bit', async () => {
    for (const [bits, type] of [
      [31, 'UInt32'],
      [24, 'UInt32'],
      [12, 'UInt16'],
      [7, 'Byte']
    ] as const) {
      const path = await made(`high-${bits}`, {
        type,
        nodata: 2 ** bits - 1,
        blank: [0, 0, 40, 40],
        options: [`NBITS=${bits}`]
      })
      const raster = await expectAsGdal(path)
      expect(raster.bands[0].nodata).toBe(2 ** bits - 1)
    }
  })

  it('are read if bytes begin with their lowest bit', async () => {
    const path = await made('low', { type: 'Byte', bands: 1, modulus: 2, options: ['NBITS=1', `BLOCKYSIZE=${HEIGHT}`] })
    const bytes = await readFile(path)
    const at = bytes.readUInt32LE(4)
    const place = (tag: number): number =>
      Array.from({ length: bytes.readUInt16LE(at) }, (_, i) => at + 2 + 12 * i).find(
        (entry) => bytes.readUInt16LE(entry) === tag
      )!
    const [from, length] = [bytes.readUInt32LE(place(273) + 8), bytes.readUInt32LE(place(279) + 8)]
    for (let i = from; i < from + length; i++)
      bytes[i] = Number.parseInt(bytes[i].toString(2).padStart(8, '0').split('').reverse().join(''), 2)
    // The planar configuration is meaningless for one band, so its entry can be replaced by the bit order.
    bytes.writeUInt16LE(266, place(284))
    bytes.writeUInt16LE(2, at + 2 + 12 * Math.round((place(266) - at - 2) / 12) + 8)
    await writeFile(path, bytes)
    await expectAsGdal(path)
  })
})

describe.skipIf(oracleLack)('other samples', () => {
  it('are read if they are 16-bit floats', async () => {
    for (const [i, options] of LAYOUTS.entries())
      expect(
        (await expectAsGdal(await made(`f16-${i}`, { type: 'Float32', options: [...options, 'NBITS=16'] }))).bands[0]
          .type
      ).toBe('float32')
  })

  it.each(['LITTLE', 'BIG'])('are read if they are 24-bit floats, byte order %s', async (order) => {
    // GDAL reads such files but can't write them, so relabel integers of the same length as floats.
    const path = await made(`f24-${order}`, { type: 'UInt32', bands: 1, options: ['NBITS=24', `ENDIANNESS=${order}`] })
    const bytes = await readFile(path)
    const [u16, u32] =
      order === 'LITTLE'
        ? [bytes.readUInt16LE.bind(bytes), bytes.readUInt32LE.bind(bytes)]
        : [bytes.readUInt16BE.bind(bytes), bytes.readUInt32BE.bind(bytes)]
    const at = u32(4)
    const entry = Array.from({ length: u16(at) }, (_, i) => at + 2 + 12 * i).find((place) => u16(place) === 339)!
    if (order === 'LITTLE') bytes.writeUInt16LE(3, entry + 8)
    else bytes.writeUInt16BE(3, entry + 8)
    for (let i = 1; i <= 3 * WIDTH * HEIGHT; i++) bytes[bytes.length - i] = (i * 37) % 251
    await writeFile(path, bytes)
    expect((await expectAsGdal(path)).bands[0].type).toBe('float32')
  })

  it('are read if they are signed bytes', async () => {
    const raster = await openRaster(
      fileAt(await made('int8', { type: 'Byte', bands: 1, options: ['PIXELTYPE=SIGNEDBYTE'] }))
    )
    expect(raster.bands[0].type).toBe('int8')
    await raster.close()
  })

  it.each(['CInt16', 'CInt32', 'CFloat32', 'CFloat64'])(
    'of type %s are rejected, with a command that converts them',
    async (type) => {
      await expect(openRaster(fileAt(await made(type, { type, bands: 1 })))).rejects.toMatchObject({
        details: { reason: expect.stringMatching(/complex numbers.*gdal_translate -ot Float32/) as string }
      })
    }
  )

  it.each(['Int64', 'UInt64'])('of type %s are rejected, with a command that converts them', async (type) => {
    await expect(openRaster(fileAt(await made(type, { type, bands: 1 })))).rejects.toMatchObject({
      details: { reason: expect.stringMatching(/64-bit .*integers.*gdal_translate -ot Float64/) as string }
    })
  })

  it('are rejected if they are 12-bit JPEG, with a command that converts them', async () => {
    let path: string
    try {
      path = await made('jpeg12', { type: 'UInt16', options: ['COMPRESS=JPEG', 'NBITS=12', 'TILED=YES'] })
    } catch {
      console.warn('NOT TESTED: this GDAL does not write 12-bit JPEG')
      return
    }
    await expect(openRaster(fileAt(path))).rejects.toMatchObject({
      details: { reason: expect.stringContaining('gdal_translate') as string }
    })
  })
})

it.skipIf(oracleLack || !existsSync(FAULTS)).each(['bit7.tif', 'u16_12bit.tif'])(
  'reported fault %s has GDAL’s values',
  async (name) => {
    await expectAsGdal(join(FAULTS, name))
  }
)
