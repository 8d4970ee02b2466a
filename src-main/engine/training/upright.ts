import type { BandStatistics, CatalogueImage } from '../../contract/imagery.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { TrainingSettings } from '../../contract/settings.ts'
import type { Upright } from '../../contract/training.ts'
import { type PictureReader, scaledSize } from '../../imagery/pictures.ts'
import { standardise } from '../../imagery/statistics.ts'
import { ROW_BINS, rowEffect } from '../../learning/rowEffect.ts'

/**
 * Number of images sampled, the fewest that allow a decision, and the rows and columns read in the middle of each bin.
 */
const IMAGES = 48
const FEWEST = 8
const STRIP = { rows: 24, columns: 512 }
/** If the row has a larger effect than this, the images count as upright. */
const UPRIGHT = 0.005

/**
 * Decides whether clusters may depend on a pixel's vertical position: they should in photographs with the sky above,
 * and must not in views from above. The user's setting counts; otherwise this is decided without labels.
 * @throws Cancelled
 */
export async function judgeUpright(
  wanted: TrainingSettings['upright'],
  images: readonly CatalogueImage[],
  reader: PictureReader,
  statistics: BandStatistics,
  signal: AbortSignal
): Promise<Upright> {
  if (wanted !== 'auto') return { used: wanted === 'yes', reason: 'as requested' }
  if (images.some(({ placed }) => placed))
    return { used: false, reason: 'the images are georeferenced, so they look down from above' }
  if (images.length < FEWEST) return { used: false, reason: `too few images to tell (${images.length})` }
  const step = Math.max(1, images.length / IMAGES)
  const looked: number[][][] = []
  const slopes = { sum: 0, squares: 0, count: 0 }
  for (let at = 0; at < images.length; at += step) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const bins = await binsOf(images[Math.floor(at)], reader, statistics, slopes)
    if (bins) looked.push(bins)
  }
  if (looked.length < FEWEST) return { used: false, reason: `too few images to tell (${looked.length})` }
  const mean = slopes.sum / slopes.count
  const deviation = Math.sqrt(Math.max(slopes.squares / slopes.count - mean * mean, 1e-12))
  const effect = rowEffect(
    looked.map((bins) => bins.map((features) => [...features.slice(0, -1), (features.at(-1)! - mean) / deviation]))
  )
  const used = effect > UPRIGHT
  return {
    used,
    effect,
    reason: `appearance ${used ? 'clearly' : 'barely'} depends on the vertical position (${effect.toFixed(4)}; threshold ${UPRIGHT})`
  }
}

/**
 * Returns the means of the bands and of their gradient's length in each bin of an image, or undefined if a bin has no
 * valid pixels.
 */
async function binsOf(
  image: CatalogueImage,
  reader: PictureReader,
  statistics: BandStatistics,
  slopes: { sum: number; squares: number; count: number }
): Promise<number[][] | undefined> {
  const { width, height } = scaledSize(image, reader.scale)
  const bins: number[][] = []
  for (let bin = 0; bin < ROW_BINS; bin++) {
    const rows = Math.max(2, Math.min(STRIP.rows, Math.floor(height / ROW_BINS)))
    const columns = Math.min(STRIP.columns, width)
    const window = {
      left: Math.floor((width - columns) / 2),
      top: Math.floor(((bin + 0.5) * height) / ROW_BINS - rows / 2),
      width: columns,
      height: rows
    }
    let picture
    try {
      picture = await reader.read(image, window)
    } catch (fault) {
      // The file is reported when its crops are drawn.
      if (fault instanceof SmaltiError && fault.name === 'UnreadableImage') return undefined
      throw fault
    }
    standardise(picture.values, statistics)
    const plane = columns * rows
    const sums = new Float64Array(statistics.length + 1)
    let count = 0
    for (let y = 0; y + 1 < rows; y++) {
      for (let x = 0; x + 1 < columns; x++) {
        const i = y * columns + x
        if (picture.valid && !(picture.valid[i] && picture.valid[i + 1] && picture.valid[i + columns])) continue
        let energy = 0
        for (let b = 0; b < statistics.length; b++) {
          const value = picture.values[b * plane + i]
          sums[b] += value
          energy +=
            (picture.values[b * plane + i + 1] - value) ** 2 + (picture.values[b * plane + i + columns] - value) ** 2
        }
        sums[statistics.length] += Math.sqrt(energy)
        slopes.squares += energy
        count++
      }
    }
    if (count === 0) return undefined
    slopes.sum += sums[statistics.length]
    slopes.count += count
    bins.push(Array.from(sums, (sum) => sum / count))
  }
  return bins
}
