import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCatalogue } from '../../../../src-main/imagery/catalogue.ts'
import { fileAt } from '../../../../src-main/imagery/location.ts'
import { openRaster } from '../../../../src-main/imagery/reading/openRaster.ts'
import type { Patch, Size, Window } from '../../../../src-main/imagery/raster.ts'
import { sampleStatistics } from '../../../../src-main/imagery/statistics.ts'
import { ask, oracleLack } from '../../../fixtures/gdal.ts'

const SHARED = '../shared/data/geotiff/images'
const FAULTS = '../shared/faults'
for (const path of [SHARED, FAULTS]) if (!existsSync(path)) console.warn(`NOT TESTED: ${path} was not found`)
const signal = new AbortController().signal

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalti-missing-'))
  if (oracleLack) return
  const { status, stderr } = spawnSync('/usr/bin/python3', [resolve('tests/fixtures/oracles/missing.py'), folder], {
    encoding: 'utf8'
  })
  if (status !== 0) throw new Error(stderr)
})
afterAll(() => rm(folder, { recursive: true }))

const whole = ({ width, height }: Size): Window => ({ left: 0, top: 0, width, height })
async function readWhole(path: string): Promise<Patch> {
  const raster = await openRaster(fileAt(path))
  try {
    return await raster.read(whole(raster))
  } finally {
    await raster.close()
  }
}

const FEW_PIXELS = 2 ** 20
const SIDE = 256

/** Returns a whole level and its middle or, for a large level, both corners and a window in the middle. */
function windowsOf(size: Size): Window[] {
  if (size.width * size.height <= FEW_PIXELS)
    return [
      whole(size),
      { left: size.width >> 2, top: size.height >> 2, width: (size.width >> 1) + 1, height: (size.height >> 1) + 1 }
    ].filter(({ left, top, width, height }) => left + width <= size.width && top + height <= size.height)
  const [width, height] = [Math.min(size.width, SIDE), Math.min(size.height, SIDE)]
  return [0, 0.5, 1].map((at) => ({
    left: Math.floor((size.width - width) * at),
    top: Math.floor((size.height - height) * at),
    width,
    height
  }))
}

/**
 * Compares the valid pixels of each band, at every size, with GDAL's masks. NaN, infinities and transparent pixels are
 * never valid.
 */
async function compareMasks(path: string, gdalPath = path): Promise<void> {
  const raster = await openRaster(fileAt(path))
  try {
    const windows = raster.levels.flatMap((size, level) => windowsOf(size).map((window) => ({ window, level })))
    const answer = await ask<{ windows: number[][][] }>({
      ask: 'masks',
      path: gdalPath,
      windows: windows.map(({ window: { left, top, width, height }, level }) => [left, top, width, height, level])
    })
    const alpha = raster.bands.findIndex(({ role }) => role === 'alpha')
    for (const [w, { window, level }] of windows.entries()) {
      const opacity = alpha < 0 ? undefined : (await raster.read(window, { level, bands: [alpha] })).bands[0]
      for (const band of raster.bands.keys()) {
        if (band === alpha) continue
        const {
          valid,
          bands: [values]
        } = await raster.read(window, { level, bands: [band] })
        const wrong = answer.windows[w][band].findIndex(
          (expected, i) =>
            (valid?.[i] ?? 1) !== Number(expected === 1 && Number.isFinite(values[i]) && opacity?.[i] !== 0)
        )
        expect(wrong, `band ${band + 1}, level ${level}: pixel ${wrong} holds ${values[wrong]}`).toBe(-1)
      }
    }
  } finally {
    await raster.close()
  }
}

const shared = existsSync(SHARED) ? readdirSync(SHARED).map((name) => join(SHARED, name)) : []
const faulty = existsSync(FAULTS)
  ? (readdirSync(FAULTS, { recursive: true }) as string[])
      .filter((name) => /\.tif$/.test(name) && !name.startsWith('multipage'))
      .map((name) => join(FAULTS, name))
  : []

describe.skipIf(oracleLack)('missing pixels', () => {
  // GDAL makes its own four bands from inks unless it is asked for the raw values.
  it.each([...shared, ...faulty])('match GDAL in %s', (path) =>
    compareMasks(path, path.includes('cmyk') ? `GTIFF_RAW:${path}` : path)
  )

  it('match GDAL, however a file marks them', async () => {
    const names = readdirSync(folder).filter((name) => /\.tif$/.test(name) && !name.includes('another size'))
    expect(names.length).toBeGreaterThan(150)
    const faults: string[] = []
    for (const name of names)
      await compareMasks(join(folder, name)).catch((fault: Error) =>
        faults.push(`${name}: ${fault.message.split('\n')[0]}`)
      )
    expect(faults).toEqual([])
  })

  it.each(['mask.png', 'mask.jpg', 'beside.png'])('match GDAL in the photograph %s', async (name) => {
    await compareMasks(join(folder, name))
    const {
      images: [image]
    } = await readCatalogue([join(folder, name)], signal)
    expect(image.gaps).toBe(true)
  })

  it('can’t come from a mask file whose size differs from its image’s', async () => {
    await expect(openRaster(fileAt(join(folder, 'mask of another size.tif')))).rejects.toMatchObject({
      name: 'UnreadableImage',
      details: { reason: expect.stringContaining('it is 20 × 20 pixels; its image is 75 × 61') as string }
    })
  })

  it('have GDAL’s values where the file omits tiles', async () => {
    for (const name of readdirSync(folder).filter((name) => name.startsWith('sparse'))) {
      const path = join(folder, name)
      const raster = await openRaster(fileAt(path))
      const { bands } = await raster.read(whole(raster))
      const { windows } = await ask<{ windows: number[][][] }>({
        ask: 'windows',
        path,
        windows: [[0, 0, raster.width, raster.height, 0]]
      })
      expect(
        bands.map((band) => Array.from(band)),
        name
      ).toEqual(windows[0])
      await raster.close()
    }
  })

  it('include those of LERC’s integer mask, which GDAL ignores', async () => {
    // Opacity is LERC's mask: a file whose opacity isn't declared as a band has only that mask.
    const path = join(folder, 'lerc LERC alpha.tif')
    const {
      bands: [, , , opacity]
    } = await readWhole(path)
    const bytes = await readFile(path)
    const at = bytes.readUInt32LE(4)
    for (let entry = at + 2; entry < at + 2 + 12 * bytes.readUInt16LE(at); entry += 12) {
      const tag = bytes.readUInt16LE(entry)
      if (tag === 258 || tag === 339) bytes.writeUInt32LE(3, entry + 4)
      if (tag === 277) bytes.writeUInt16LE(3, entry + 8)
      if (tag === 338) bytes.writeUInt16LE(60_000, entry)
    }
    const masked = join(folder, 'masked integers.tiff')
    await writeFile(masked, bytes)
    const { bands, valid } = await readWhole(masked)
    expect(bands.length).toBe(3)
    expect(valid).toEqual(Uint8Array.from(opacity, (value) => Number(value > 0)))
  })

  it('don’t affect the statistics of other images', async () => {
    const { images } = await readCatalogue([join(folder, 'rounded.tif'), join(folder, 'complete.tif')], signal)
    const [{ low, high }] = await sampleStatistics(
      { scale: 1, bands: { roles: ['elevation'] } },
      images,
      signal,
      () => undefined
    )
    expect(low).toBeGreaterThanOrEqual(0)
    expect(high).toBeLessThan(200)
  })
})

describe.skipIf(oracleLack || !existsSync(FAULTS))('shares of missing pixels in reported faults', () => {
  it.each([
    ['sparse-nodata/sparse_nd-9999.tif', 0.25],
    ['lerc-nan/lerc.tif', 0.09765625],
    ['lerc-nan/lerc_zstd.tif', 0.09765625],
    ['lerc-nan/zstd.tif', 0.09765625],
    ['external-msk/mask_external.tif', 0.14453125],
    ['nodata-text/short.tif', 0.14453125],
    ['nodata-text/zeros.tif', 0.14453125]
  ])('match in %s: %d missing', async (name, share) => {
    const raster = await openRaster(fileAt(join(FAULTS, name)))
    const { valid } = await raster.read(whole(raster))
    expect(valid!.filter((value) => value === 0).length / valid!.length).toBe(share)
    await raster.close()
  })
})
