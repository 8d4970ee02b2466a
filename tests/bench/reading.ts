import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromFile } from 'geotiff'
import { fileAt } from '../../src-main/imagery/location.ts'
import { openRaster } from '../../src-main/imagery/reading/openRaster.ts'
import { integerBelow, uniformFrom } from '../../src-main/learning/random.ts'
import { writeScene } from './scene.ts'

const SIDE = 8000
const WINDOW = 512
const WINDOWS = 60

/** Reads windows of an 8000² deflate GeoTIFF with Smalti, with plain geotiff.js, and with GDAL on one thread. */
export async function measureReading(): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-reading-'))
  try {
    const path = join(base, 'scene.tif')
    await writeScene(path, SIDE)
    const uniform = uniformFrom(1)
    const windows = Array.from({ length: WINDOWS }, () => ({
      left: integerBelow(SIDE - WINDOW, uniform),
      top: integerBelow(SIDE - WINDOW, uniform),
      width: WINDOW,
      height: WINDOW
    }))
    const megabytes = (WINDOWS * WINDOW * WINDOW * 3) / 1e6
    const timed = async (work: () => Promise<void>): Promise<number> => {
      const started = performance.now()
      await work()
      return megabytes / ((performance.now() - started) / 1e3)
    }
    const ours = await timed(async () => {
      const raster = await openRaster(fileAt(path))
      // Reads a few windows at a time, as the crop threads do.
      for (let i = 0; i < WINDOWS; i += 4)
        await Promise.all(windows.slice(i, i + 4).map((window) => raster.read(window)))
      await raster.close()
    })
    const plain = await timed(async () => {
      const image = await (await fromFile(path)).getImage()
      for (const { left, top, width, height } of windows)
        await image.readRasters({ window: [left, top, left + width, top + height] })
    })
    const script = `
import sys, time, json
from osgeo import gdal
windows = json.load(sys.stdin); began = time.time(); d = gdal.Open(${JSON.stringify(path)})
for l, t, w, h in windows: d.ReadAsArray(l, t, w, h)
print(time.time() - began)`
    const { status, stdout } = spawnSync('/usr/bin/python3', ['-c', script], {
      input: JSON.stringify(windows.map(({ left, top, width, height }) => [left, top, width, height])),
      encoding: 'utf8',
      env: { ...process.env, GDAL_NUM_THREADS: '1' }
    })
    const gdal = status === 0 ? megabytes / Number(stdout) : undefined
    const ratio =
      gdal === undefined
        ? 'GDAL is not here'
        : `GDAL on one thread ${gdal.toFixed(0)} MB/s (${(ours / gdal).toFixed(2)} ×)`
    console.log(
      `${WINDOWS} windows of ${WINDOW}² from ${SIDE}²: ${ours.toFixed(0)} MB/s, plain geotiff.js ${plain.toFixed(0)} MB/s (${(ours / plain).toFixed(1)} ×), ${ratio}`
    )
  } finally {
    await rm(base, { recursive: true })
  }
}
