/** Opens the files named on standard input, reads a window of each level, and reports how each ended. */
import { createInterface } from 'node:readline'
import { SmaltiError } from '../../../src-main/contract/errors.ts'
import { fileAt } from '../../../src-main/imagery/location.ts'
import { openRaster } from '../../../src-main/imagery/reading/openRaster.ts'

const SIDE = 256

async function read(path: string): Promise<string> {
  try {
    const raster = await openRaster(fileAt(path))
    try {
      for (const [level, { width, height }] of raster.levels.entries()) {
        const [w, h] = [Math.min(SIDE, width), Math.min(SIDE, height)]
        for (const [left, top] of [
          [0, 0],
          [width - w, height - h]
        ])
          await raster.read({ left, top, width: w, height: h }, { level })
      }
      return 'picture'
    } finally {
      await raster.close()
    }
  } catch (fault) {
    return fault instanceof SmaltiError && fault.name !== 'InternalError'
      ? `named ${fault.details.reason}`
      : `UNNAMED ${(fault as Error).stack}`
  }
}

for await (const path of createInterface({ input: process.stdin })) {
  const outcome = await read(path)
  process.stdout.write(`${JSON.stringify({ path, outcome, peak: process.resourceUsage().maxRSS * 1024 })}\n`)
}
