import { SmaltiError } from '../../contract/errors.ts'
import { sharedWork } from './sharedWork.ts'
import { type Patch, type Raster, type Samples, type Size, type Window, emptySamples } from '../raster.ts'

/** Images with more pixels than this are slow to display whole if no overview is stored. */
const LARGE = 2 ** 26
/** The copy's longer side is at most this, and each of its pixels covers at least 8 × 8. */
const LONGEST = 4096
const LEAST = 8
/** Number of windows read at a time, and their side. */
const AT_ONCE = 4
const SIDE = 1024
/** Every second row and column of a box is enough for its mean. */
const SPARSE = 2
/** Share of a box that must be valid for its pixel to be valid. */
const VALID_SHARE = 0.5

/**
 * Adds an overview, made in memory, to a large raster that stores none. Everyone who needs the overview shares one pass
 * over the image, which stops when no one waits for it any longer. Other rasters are returned unchanged.
 */
export function withOverview(raster: Raster): Raster {
  const { width, height, levels } = raster
  if (levels.length > 1 || width * height < LARGE) return raster
  const factor = Math.max(LEAST, 2 ** Math.ceil(Math.log2(Math.max(width, height) / LONGEST)))
  const size = { width: Math.ceil(width / factor), height: Math.ceil(height / factor) }
  const copies = sharedWork<Patch>({ most: 1 })

  return {
    ...raster,
    levels: [{ width, height }, size],
    async read(window, options = {}) {
      if (options.level !== 1) return raster.read(window, options)
      return cut(
        await copies.get('', { signal: options.signal, make: (signal) => reducedCopy(raster, size, factor, signal) }),
        window,
        options.bands
      )
    },
    close: async () => {
      await copies.close()
      await raster.close()
    }
  }
}

async function reducedCopy(raster: Raster, size: Size, factor: number, signal: AbortSignal): Promise<Patch> {
  const copy: Patch = {
    ...size,
    bands: raster.bands.map(({ type }) => emptySamples(raster.palette ? 'uint8' : type, size.width * size.height)),
    valid: raster.gaps ? new Uint8Array(size.width * size.height) : undefined
  }
  const step = Math.max(factor, Math.floor(SIDE / factor) * factor)
  const windows: Window[] = []
  for (let top = 0; top < raster.height; top += step)
    for (let left = 0; left < raster.width; left += step)
      windows.push({
        left,
        top,
        width: Math.min(step, raster.width - left),
        height: Math.min(step, raster.height - top)
      })
  const readers = Array.from({ length: AT_ONCE }, async () => {
    for (let window = windows.shift(); window; window = windows.shift()) {
      if (signal.aborted) throw new SmaltiError('Cancelled')
      reduceInto(copy, await raster.read(window, { signal }), window, factor, raster.palette !== undefined)
    }
  })
  await Promise.all(readers)
  return copy
}

/** Reduces boxes to their means, or to one value each when values are palette indices. */
function reduceInto(copy: Patch, patch: Patch, { left, top }: Window, factor: number, single: boolean): void {
  const [columns, rows] = [Math.ceil(patch.width / factor), Math.ceil(patch.height / factor)]
  const { valid } = patch
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const to = (top / factor + row) * copy.width + left / factor + column
      const [y0, x0] = [row * factor, column * factor]
      const [y1, x1] = [Math.min(y0 + factor, patch.height), Math.min(x0 + factor, patch.width)]
      let [all, count] = [0, 0]
      if (valid)
        for (let y = y0; y < y1; y += SPARSE)
          for (let x = x0; x < x1; x += SPARSE, all++) count += valid[y * patch.width + x]
      if (copy.valid) copy.valid[to] = Number(!valid || count >= VALID_SHARE * all)
      patch.bands.forEach(
        (band, b) =>
          (copy.bands[b][to] = single
            ? band[y0 * patch.width + x0]
            : meanOf(band, valid, patch.width, { x0, y0, x1, y1 }, copy.bands[b]))
      )
    }
  }
}

function meanOf(
  band: Samples,
  valid: Uint8Array | undefined,
  width: number,
  { x0, y0, x1, y1 }: { x0: number; y0: number; x1: number; y1: number },
  like: Samples
): number {
  let [sum, count] = [0, 0]
  for (let y = y0; y < y1; y += SPARSE) {
    for (let i = y * width + x0; i < y * width + x1; i += SPARSE) {
      if (valid && !valid[i]) continue
      sum += band[i]
      count++
    }
  }
  const mean = count > 0 ? sum / count : 0
  return like instanceof Float32Array || like instanceof Float64Array ? mean : Math.round(mean)
}

function cut(copy: Patch, { left, top, width, height }: Window, wanted?: readonly number[]): Patch {
  const part = <T extends Samples>(plane: T): T => {
    const result = new (plane.constructor as new (length: number) => T)(width * height)
    for (let r = 0; r < height; r++)
      result.set(
        plane.subarray((top + r) * copy.width + left, (top + r) * copy.width + left + width) as never,
        r * width
      )
    return result
  }
  const bands = wanted ? wanted.map((b) => copy.bands[b]) : copy.bands
  return { width, height, bands: bands.map(part), valid: copy.valid && part(copy.valid) }
}
