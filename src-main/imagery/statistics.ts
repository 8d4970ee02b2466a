import type { BandStatistics, CatalogueImage } from '../contract/imagery.ts'
import { TesseraError } from '../contract/errors.ts'
import { type PictureReader, type Scale, type Window, scaledSize } from './pictures.ts'

/** Images that are looked at; more would not move a mean. */
const SAMPLED_IMAGES = 48
/** Every so many pixels of an image are counted. */
const PIXEL_STEP = 7
/** Below this deviation a band is constant and is left unscaled. */
const SMALLEST_DEVIATION = 1e-3

/**
 * Mean and deviation of each band over images spread evenly through the catalogue, on values 0…1.
 * Images that cannot be decoded are reported and left out.
 *
 * @throws Cancelled; NoReadableImages when none of the sampled images decodes
 */
export async function sampleStatistics(
  reader: PictureReader,
  images: readonly CatalogueImage[],
  signal: AbortSignal,
  onUnreadable: (image: CatalogueImage, fault: TesseraError) => void
): Promise<BandStatistics> {
  const sums = Array.from({ length: reader.bands }, () => ({ count: 0, sum: 0, squares: 0 }))
  const step = Math.max(1, images.length / SAMPLED_IMAGES)
  for (let at = 0; at < images.length; at += step) {
    if (signal.aborted) throw new TesseraError('Cancelled')
    const image = images[Math.floor(at)]
    try {
      const { values } = await reader.read(image, centre(image, reader.scale))
      for (let i = 0; i < values.length; i += PIXEL_STEP * reader.bands) {
        sums.forEach((band, b) => {
          const value = values[i + b] / 255
          band.count++
          band.sum += value
          band.squares += value * value
        })
      }
    } catch (fault) {
      if (!(fault instanceof TesseraError)) throw fault
      onUnreadable(image, fault)
    }
  }
  if (sums[0].count === 0) {
    throw new TesseraError('NoReadableImages', { path: reader.folder, files: images.length })
  }
  return sums.map(({ count, sum, squares }) => {
    const mean = sum / count
    const deviation = Math.sqrt(Math.max(squares / count - mean * mean, 0))
    return { mean, deviation: deviation < SMALLEST_DEVIATION ? 1 : deviation }
  })
}

/** A bounded window in the middle of an image, or all of it. */
function centre(image: CatalogueImage, scale: Scale): Window {
  const limit = 2048
  const { width, height } = scaledSize(image, scale)
  const window = { width: Math.min(width, limit), height: Math.min(height, limit) }
  return { left: Math.floor((width - window.width) / 2), top: Math.floor((height - window.height) / 2), ...window }
}

/** Planar values 0…1 to z-scores, in place. */
export function standardise(values: Float32Array, statistics: BandStatistics): void {
  const plane = values.length / statistics.length
  statistics.forEach(({ mean, deviation }, band) => {
    const factor = 1 / deviation
    for (let i = band * plane; i < (band + 1) * plane; i++) values[i] = (values[i] - mean) * factor
  })
}
