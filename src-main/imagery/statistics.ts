import type { BandStatistics, CatalogueImage } from '../contract/imagery.ts'
import { SmaltiError } from '../contract/errors.ts'
import { type Picture, PictureReader, type Sight, scaledSize } from './pictures.ts'
import type { Window } from './raster.ts'

/** Number of images sampled, and of windows in all of them together; more would hardly move a mean. */
const SAMPLED_IMAGES = 64
const SAMPLED_WINDOWS = 320
const WINDOW = 256
/** One pixel in this many is counted. */
const PIXEL_STEP = 7
/** Values kept to find the dark and bright ends of bands with more than 8 bits. */
const KEPT_VALUES = 200_000
/** Share of the values below 0 after scaling, and of those above 1. */
const DARKEST = 0.005
/** A band that deviates less than this is constant and is left unscaled. */
const SMALLEST_DEVIATION = 1e-3

/**
 * Samples each band in windows spread evenly over the images. Returns the values that become 0 and 1 (the full range
 * for 8-bit data, otherwise without the darkest and brightest half per cent), and the mean and deviation between them.
 * Pixels without data don't count. Images that can't be read are reported and left out.
 *
 * @throws Cancelled; NoReadableImages when none of the sampled images can be read; NothingValid when none of them
 *   contains valid pixels
 */
export async function sampleStatistics(
  sight: Omit<Sight, 'ranges'>,
  images: readonly CatalogueImage[],
  signal: AbortSignal,
  onUnreadable: (image: CatalogueImage, fault: SmaltiError) => void,
  onProgress: (share: number, copying?: CatalogueImage) => void = () => undefined
): Promise<BandStatistics> {
  const bands = sight.bands.roles.length
  const units = images[0].type === 'uint8' ? { low: 0, high: 255 } : { low: 0, high: 1 }
  const reader = new PictureReader({ ...sight, ranges: Array(bands).fill(units) }, undefined, (image, share) =>
    onProgress(share, image)
  )
  const values = Array.from({ length: bands }, () => createSample())
  let read = 0
  const step = Math.max(1, images.length / SAMPLED_IMAGES)
  const each = Math.max(1, Math.floor(SAMPLED_WINDOWS / Math.min(images.length, SAMPLED_IMAGES)))
  try {
    for (let at = 0; at < images.length; at += step) {
      const image = images[Math.floor(at)]
      try {
        for (const window of spreadWindows(image, sight, each)) {
          if (signal.aborted) throw new SmaltiError('Cancelled')
          count(await reader.read(image, window, signal), values)
          read++
        }
      } catch (fault) {
        if (!(fault instanceof SmaltiError) || fault.name !== 'UnreadableImage') throw fault
        onUnreadable(image, fault)
      }
      onProgress(Math.min(1, (at + step) / images.length))
    }
  } finally {
    await reader.close()
  }
  if (read === 0) throw new SmaltiError('NoReadableImages', { path: images[0].path, files: images.length })
  if (values[0].count() === 0) throw new SmaltiError('NothingValid', { images: images.length })
  return values.map((sample) => sample.statistics(units.high === 255 ? { low: 0, high: 1, units } : undefined))
}

function count({ bands, values, valid, width, height }: Picture, samples: ReturnType<typeof createSample>[]): void {
  const plane = width * height
  for (let b = 0; b < bands; b++)
    for (let i = 0; i < plane; i += PIXEL_STEP) if (!valid || valid[i]) samples[b].add(values[b * plane + i])
}

interface Fixed {
  low: number
  high: number
  units: { low: number; high: number }
}

/** Samples a stream of values evenly in bounded memory, by halving the sample whenever it is full. */
function createSample(): {
  add(value: number): void
  count(): number
  statistics(fixed?: Fixed): BandStatistics[number]
} {
  let kept: number[] = []
  let [every, seen, sum, squares] = [1, 0, 0, 0]
  return {
    add(value) {
      sum += value
      squares += value * value
      if (seen++ % every > 0) return
      kept.push(value)
      if (kept.length < KEPT_VALUES) return
      kept = kept.filter((_, i) => i % 2 === 0)
      every *= 2
    },
    count: () => seen,
    statistics(fixed) {
      const mean = sum / seen
      const spread = Math.sqrt(Math.max(squares / seen - mean * mean, 0))
      if (fixed) return { mean, deviation: spread < SMALLEST_DEVIATION ? 1 : spread, ...fixed.units }
      const sorted = Float64Array.from(kept).sort()
      const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
      const low = at(DARKEST)
      const high = at(1 - DARKEST) > low ? at(1 - DARKEST) : low + 1
      const deviation = spread / (high - low)
      return { mean: (mean - low) / (high - low), deviation: deviation < SMALLEST_DEVIATION ? 1 : deviation, low, high }
    }
  }
}

/** Spreads windows over an image, or covers a small image completely. */
function spreadWindows(image: CatalogueImage, { scale }: Pick<Sight, 'scale'>, most: number): Window[] {
  const { width, height } = scaledSize(image, scale)
  const [across, down] = [Math.ceil(width / WINDOW), Math.ceil(height / WINDOW)]
  const wanted = Math.min(most, across * down)
  return Array.from({ length: wanted }, (_, i) => {
    const cell = Math.floor(((i + 0.5) * across * down) / wanted)
    const [left, top] = [(cell % across) * WINDOW, Math.floor(cell / across) * WINDOW]
    return { left, top, width: Math.min(WINDOW, width - left), height: Math.min(WINDOW, height - top) }
  })
}

/** Converts planar values 0…1 to z-scores, in place. */
export function standardise(values: Float32Array, statistics: BandStatistics): void {
  const plane = values.length / statistics.length
  statistics.forEach(({ mean, deviation }, band) => {
    const factor = 1 / deviation
    for (let i = band * plane; i < (band + 1) * plane; i++) values[i] = (values[i] - mean) * factor
  })
}
