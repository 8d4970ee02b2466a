import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCatalogue } from '../../../../src-main/imagery/catalogue.ts'
import { fileAt } from '../../../../src-main/imagery/location.ts'
import { openRaster } from '../../../../src-main/imagery/reading/openRaster.ts'
import type { Patch, Raster } from '../../../../src-main/imagery/raster.ts'
import { ask, gdal, oracleLack } from '../../../fixtures/gdal.ts'

const FAULTS = '../shared/faults'
const here = existsSync(FAULTS)
if (!here) console.warn(`NOT TESTED: ${FAULTS} was not found`)
const signal = new AbortController().signal

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'smalti-photographs-'))))
afterAll(() => rm(folder, { recursive: true }))

const [WIDTH, HEIGHT] = [120, 90]
const noise = (channels: number): Uint8Array =>
  Uint8Array.from({ length: channels * WIDTH * HEIGHT }, (_, i) => (i * 7 + (i >> 8) * 13) % 256)
const picture = (channels: 1 | 2 | 3 | 4 = 3): Sharp =>
  sharp(noise(channels), { raw: { width: WIDTH, height: HEIGHT, channels } })

async function saved(name: string, bytes: Buffer): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, bytes)
  return path
}

async function readWhole(path: string): Promise<{ raster: Raster; patch: Patch }> {
  const raster = await openRaster(fileAt(path))
  try {
    return { raster, patch: await raster.read({ left: 0, top: 0, width: raster.width, height: raster.height }) }
  } finally {
    await raster.close()
  }
}

/** Embeds another JPEG in a JPEG's EXIF block, as cameras store thumbnails. */
async function withThumbnail(jpeg: Buffer): Promise<Buffer> {
  const thumbnail = await sharp(noise(3), { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .resize(16)
    .jpeg()
    .toBuffer()
  const body = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), thumbnail])
  const head = Buffer.of(0xff, 0xe1, (body.length + 2) >> 8, (body.length + 2) & 255)
  return Buffer.concat([jpeg.subarray(0, 2), head, body, jpeg.subarray(2)])
}

describe('the end of a photograph', () => {
  const trailers: [string, (own: Buffer) => Buffer][] = [
    ['padding', () => Buffer.alloc(20_000)],
    ['one byte', () => Buffer.of(0)],
    ['a film', () => Buffer.concat([Buffer.from('0000001c6674797069736f6d', 'hex'), Buffer.from(noise(3))])],
    ['another picture', (own) => own]
  ]
  const kinds: [string, () => Promise<Buffer>][] = [
    ['jpg', () => picture().jpeg().toBuffer()],
    ['progressive.jpg', () => picture().jpeg({ progressive: true }).toBuffer()],
    ['thumbnail.jpg', async () => withThumbnail(await picture().jpeg().toBuffer())],
    ['grey.jpg', () => picture(1).jpeg().toBuffer()],
    ['png', () => picture().png().toBuffer()],
    ['webp', () => picture().webp().toBuffer()]
  ]

  it.each(kinds)('may be followed by other data: %s', async (name, make) => {
    const own = await make()
    const expected = (await readWhole(await saved(`own.${name}`, own))).patch.bands
    for (const [what, trailer] of trailers)
      expect((await readWhole(await saved(`${what}.${name}`, Buffer.concat([own, trailer(own)])))).patch.bands).toEqual(
        expected
      )
  })

  it.each(kinds)('is found missing wherever the file is cut: %s', async (name, make) => {
    const own = await make()
    for (const share of [0.2, 0.5, 0.8, 0.99]) {
      const path = await saved(`cut.${name}`, own.subarray(0, Math.floor(own.length * share)))
      await expect(readCatalogue([path], signal)).rejects.toThrow(/truncated|end|premature|read/i)
    }
    // WebP's decoder notices it first and reports it in its own words.
    await expect(readCatalogue([await saved(`cut.${name}`, own.subarray(0, -3))], signal)).rejects.toThrow(
      name === 'webp' ? 'webp' : 'the file is truncated'
    )
  })

  it.skipIf(!here)('is found in reported faults', async () => {
    const { images } = await readCatalogue([join(FAULTS, 'jpeg-trailer')], signal).then(({ images, skipped }) => ({
      images: images.map(({ path }) => path),
      skipped
    }))
    expect(images).toEqual(['motion_photo.jpg', 'trail_zero8k.jpg'])
    await expect(readCatalogue([join(FAULTS, 'jpeg-trailer/trunc.jpg')], signal)).rejects.toThrow(
      'the file is truncated'
    )
  })
})

/** Declares one colour of an opaque PNG transparent (the tRNS chunk). */
function withClearColour(png: Buffer, colour: readonly number[]): Buffer {
  const values = Buffer.alloc(2 * colour.length)
  colour.forEach((value, i) => values.writeUInt16BE(value, 2 * i))
  return withChunk(png, 'tRNS', values)
}

function withChunk(png: Buffer, name: string, values: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), values])
  const frame = Buffer.alloc(8)
  frame.writeUInt32BE(values.length)
  frame.writeUInt32BE(checksum(body), 4)
  const at = png.indexOf('IDAT') - 4
  return Buffer.concat([png.subarray(0, at), frame.subarray(0, 4), body, frame.subarray(4), png.subarray(at)])
}

function checksum(bytes: Buffer): number {
  let sum = -1
  for (const byte of bytes) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0)
  }
  return (sum ^ -1) >>> 0
}

describe('transparent pixels of a PNG', () => {
  const missing = ({ valid }: Patch): number[] => Array.from(valid ?? []).flatMap((value, i) => (value ? [] : [i]))

  it.each([1, 2, 3, 4] as const)('are missing with %d channels, and values match GDAL', async (channels) => {
    for (const deep of [false, true]) {
      const path = join(folder, `alpha-${channels}-${deep}.png`)
      const values = noise(channels)
      const raw = deep ? Uint16Array.from(values, (value) => value * 257) : values
      const made = sharp(raw, { raw: { width: WIDTH, height: HEIGHT, channels } })
      await (
        deep ? made.toColourspace(channels < 3 ? 'grey16' : 'rgb16') : made.toColourspace(channels < 3 ? 'b-w' : 'srgb')
      )
        .png()
        .toFile(path)
      const { raster, patch } = await readWhole(path)
      if (oracleLack) continue
      const {
        windows: [bands]
      } = await ask<{ windows: number[][][] }>({ ask: 'windows', path, windows: [[0, 0, WIDTH, HEIGHT, 0]] })
      expect(patch.bands.map((band) => Array.from(band))).toEqual(bands)
      const clear = channels % 2 === 0 ? bands[channels - 1].flatMap((value, i) => (value === 0 ? [i] : [])) : []
      expect(missing(patch)).toEqual(clear)
      expect(raster.bands.map(({ role }) => role).join()).toBe(
        ['grey', 'grey,alpha', 'red,green,blue', 'red,green,blue,alpha'][channels - 1]
      )
    }
  })

  it('have the colour that the file declares transparent', async () => {
    const grey = picture(1).toColourspace('b-w')
    const path = await saved('grey-clear.png', withClearColour(await grey.png({ palette: false }).toBuffer(), [77]))
    const { patch } = await readWhole(path)
    expect(missing(patch)).toEqual(Array.from(noise(1)).flatMap((value, i) => (value === 77 ? [i] : [])))
    const deep = sharp(
      Uint16Array.from(noise(1), (value) => value * 200),
      { raw: { width: WIDTH, height: HEIGHT, channels: 1 } }
    ).toColourspace('grey16')
    const deepPath = await saved('grey16-clear.png', withClearColour(await deep.png().toBuffer(), [77 * 200]))
    expect(missing((await readWhole(deepPath)).patch)).toEqual(missing(patch))
    const colours = noise(3)
    const clear = Array.from(colours.slice(0, 3))
    const coloured = await readWhole(
      await saved('colour-clear.png', withClearColour(await picture().png().toBuffer(), clear))
    )
    expect(missing(coloured.patch)).toEqual(
      Array.from({ length: WIDTH * HEIGHT }, (_, i) => i).filter((i) =>
        clear.every((value, c) => colours[3 * i + c] === value)
      )
    )
  })

  it('have the transparent colours of a palette', async () => {
    const own = Uint8Array.from({ length: 4 * WIDTH * HEIGHT }, (_, i) =>
      i % 4 === 3 ? (Math.floor(i / 4) % 3 ? 255 : 0) : Math.floor(i / 4) % 3 ? 90 : 200
    )
    const path = join(folder, 'palette.png')
    await sharp(own, { raw: { width: WIDTH, height: HEIGHT, channels: 4 } })
      .png({ palette: true })
      .toFile(path)
    expect(missing((await readWhole(path)).patch)).toEqual(
      Array.from({ length: WIDTH * HEIGHT }, (_, i) => i).filter((i) => i % 3 === 0)
    )
  })

  it.skipIf(!here)('are found in reported faults', async () => {
    const { raster, patch } = await readWhole(join(FAULTS, 'grey-alpha-png/la.png'))
    expect(missing(patch).length / (raster.width * raster.height)).toBe(0.052083333333333336)
    // No pixel has the grey that this file declares transparent.
    expect(missing((await readWhole(join(FAULTS, 'grey-alpha-png/grey_trns.png'))).patch)).toEqual([])
  })

  it.skipIf(oracleLack)('match GDAL with fewer than 8 bits', async () => {
    const source = await saved('source.png', await picture(1).toColourspace('b-w').png().toBuffer())
    for (const bits of [1, 2, 4]) {
      const [tiff, path] = [join(folder, `bits-${bits}.tif`), join(folder, `bits-${bits}.png`)]
      gdal('gdal_translate', '-q', '-scale', '0', '255', '0', String(2 ** bits - 1), source, tiff)
      gdal('gdal_translate', '-q', '-of', 'PNG', '-co', `NBITS=${bits}`, tiff, path)
      const { patch } = await readWhole(path)
      const {
        windows: [bands]
      } = await ask<{ windows: number[][][] }>({ ask: 'windows', path, windows: [[0, 0, WIDTH, HEIGHT, 0]] })
      // Decoders of photographs scale these values to 8 bits.
      expect(Array.from(patch.bands[0])).toEqual(bands[0].map((value) => Math.round((value * 255) / (2 ** bits - 1))))
    }
  })

  it('are read without changing the file', async () => {
    const bytes = await picture(2).toColourspace('b-w').png().toBuffer()
    const path = await saved('same.png', bytes)
    await readWhole(path)
    expect(await readFile(path)).toEqual(bytes)
  })
})
