import type { CropperConfig } from './cropSource.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { CatalogueImage, SkippedFile } from '../../contract/imagery.ts'
import {
  type Picture,
  PictureReader,
  VALID_SHARE,
  imageByArea,
  mostlyValid,
  scaledSize
} from '../../imagery/pictures.ts'
import { standardise } from '../../imagery/statistics.ts'
import { type Uniform, integerBelow, uniformFrom } from '../../learning/random.ts'
import { adversarialStep } from '../../learning/views/adef.ts'
import { moveBrightness } from '../../learning/views/brightness.ts'
import { composed, shiftStep } from '../../learning/views/geometricSteps.ts'
import {
  type Batch,
  type ViewPair,
  drawDisplacements,
  emptyBatch,
  geometryOf,
  sampleViewPair,
  writePair
} from '../../learning/views/pairs.ts'
import { randomPart, resample, samplingOf } from '../../learning/views/warp.ts'

const BATCH_STREAM = 2
const ADVERSARY_STREAM = 8
/** Places tried per pair before the images count as empty. */
const TRIES = 1000

/**
 * Creates a function that decodes images and cuts the crops of a step. A batch depends only on the configuration and
 * its step, not on the batches cut before. It also names the images found unreadable.
 * @throws NoReadableImages
 */
export function createCropper(
  config: CropperConfig
): (step: number) => Promise<{ batch: Batch; unreadable: SkippedFile[] }> {
  const { shape, views, seed, images } = config
  const reader = new PictureReader(config.sight, config.keptBytes)
  const imageAt = imageByArea(images, reader.scale)
  const broken = new Set<string>()
  const crop = { width: shape.crop, height: shape.crop }

  const secondView = async (
    image: CatalogueImage,
    { top, left }: { top: number; left: number },
    pair: ViewPair,
    first: Picture
  ): Promise<Pick<Picture, 'values' | 'valid'>> => {
    const { rows, columns } = pair.shift
    if (pair.bends.length === 0) {
      return rows === 0 && columns === 0
        ? { ...first, values: Float32Array.from(first.values) }
        : reader.read(image, { left: left + columns, top: top + rows, ...crop })
    }
    const sampling = samplingOf(geometryOf(pair), shape.crop)
    const { height, width } = sampling
    const { values, valid } = await reader.read(image, {
      left: left + sampling.left,
      top: top + sampling.top,
      height,
      width
    })
    const mask =
      valid && Uint8Array.from(resample(Float32Array.from(valid), sampling, 1), (share) => Number(share >= VALID_SHARE))
    return { values: resample(values, sampling, shape.bands), valid: mask }
  }

  /**
   * A stream of its own, so that all other numbers stay the same whether or not an image was found unreadable
   * meanwhile.
   */
  const adversary = (step: number, tries: number): Uniform => uniformFrom(seed, ADVERSARY_STREAM, step, tries)

  /** Adds the deformation that is hard for the content of the first view, after the shift into its frame. */
  const hardened = (first: Float32Array, pair: ViewPair, step: number, tries: number): ViewPair => {
    if (views.adef.steps === 0) return pair
    const hard = adversarialStep(views, first, shape.bands, shape.crop, adversary(step, tries))
    return {
      ...pair,
      bends: [...pair.bends, shiftStep(pair.shift.rows, pair.shift.columns), hard],
      shift: { rows: 0, columns: 0 }
    }
  }

  const bentWhole = (picture: Float32Array, { bends }: ViewPair): Float32Array =>
    bends.length === 0
      ? picture
      : resample(
          picture,
          { ...samplingOf(composed(bends), shape.crop), top: 0, left: 0, height: shape.crop, width: shape.crop },
          shape.bands
        )

  return async (step) => {
    const uniform = uniformFrom(seed, BATCH_STREAM, step)
    const batch = emptyBatch(shape)
    const displacements = drawDisplacements(shape, uniform)
    const unreadable: SkippedFile[] = []
    let tries = 0
    for (let index = 0; index < shape.pairs;) {
      if (broken.size === images.length)
        throw new SmaltiError('NoReadableImages', { path: images[0].path, files: images.length })
      if (tries++ > TRIES * shape.pairs) throw new SmaltiError('NothingValid', { images: images.length })
      const image = imageAt(uniform())
      const pair = sampleViewPair(views, shape, shape.crop, uniform)
      const place = (side: number, shift: number): [number, number] => {
        const room = side - shape.crop
        const bounded = Math.max(-room, Math.min(room, shift))
        return [integerBelow(room - Math.abs(bounded) + 1, uniform) + Math.max(0, -bounded), bounded]
      }
      const size = scaledSize(image, reader.scale)
      const [top, rows] = place(size.height, pair.shift.rows)
      const [left, columns] = place(size.width, pair.shift.columns)
      // Skipped only here, so that a thread that finds the image unreadable has drawn as many numbers as one that knew.
      if (broken.has(image.path)) continue
      try {
        if (config.smallestPart !== undefined) {
          const { values: whole } = await reader.whole(image)
          const part = (): Float32Array =>
            randomPart(whole, size.width, shape.bands, shape.crop, config.smallestPart!, uniform)
          const [first, second] = [part(), part()]
          const bent = bentWhole(second, hardened(second, { ...pair, shift: { rows: 0, columns: 0 } }, step, tries))
          moveBrightness(views, bent, shape.bands, shape.crop, adversary(step, tries))
          writePair(batch, shape, index++, { ...pair, bends: [] }, displacements, first, bent, (values) =>
            standardise(values, config.statistics)
          )
          continue
        }
        const first = await reader.read(image, { left, top, ...crop })
        if (!mostlyValid(first.valid)) continue
        const placed = hardened(first.values, { ...pair, shift: { rows, columns } }, step, tries)
        const second = await secondView(image, { top, left }, placed, first)
        if (!mostlyValid(second.valid)) continue
        moveBrightness(views, second.values, shape.bands, shape.crop, adversary(step, tries))
        writePair(
          batch,
          shape,
          index,
          placed,
          displacements,
          first.values,
          second.values,
          (values) => standardise(values, config.statistics),
          { first: first.valid, second: second.valid }
        )
        index++
      } catch (fault) {
        if (!(fault instanceof SmaltiError) || fault.name !== 'UnreadableImage') throw fault
        unreadable.push({ path: image.path, reason: String(fault.details.reason) })
        broken.add(image.path)
      }
    }
    return { batch, unreadable }
  }
}
