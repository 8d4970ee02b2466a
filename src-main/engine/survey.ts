import type { Backend } from '../backends/program.ts'
import type { BandStatistics, CatalogueImage } from '../contract/imagery.ts'
import { SmaltiError } from '../contract/errors.ts'
import { type Picture, type PictureReader, VALID_SHARE, imageByArea, mostlyValid, scaledSize } from '../imagery/pictures.ts'
import { standardise } from '../imagery/statistics.ts'
import { type SurveyShape, surveyProgram } from '../learning/inference.ts'
import { type Points, pointsOf } from '../learning/kMeans.ts'
import { type Architecture, outputStride } from '../learning/network/architecture.ts'
import { foldWeights } from '../learning/network/forward.ts'
import { type Uniform, integerBelow } from '../learning/random.ts'

/** Windows read, and pixels kept of them all. */
const WINDOWS = 96
const PIXELS = 24_000
/** Places tried for each window before the images count as empty there. */
const TRIES = 40

export interface SurveyedModel {
  architecture: Architecture
  weights: Record<string, Float32Array>
  subHeads: Record<string, number>
  statistics: BandStatistics
}

/**
 * Features, patch statistics and heatmaps of pixels drawn from windows all over the images, by the names of
 * `surveyProgram`'s outputs.
 *
 * @param window  side in pixels of the scaled images, which all images have
 * @throws Cancelled; NoReadableImages when none of the drawn images decodes
 */
export async function surveyPixels(
  backend: Backend,
  { architecture, weights, subHeads, statistics }: SurveyedModel,
  reader: PictureReader,
  images: readonly CatalogueImage[],
  { measured, window, uniform, signal }: { measured: SurveyShape['statistics']; window: number; uniform: Uniform; signal: AbortSignal }
): Promise<Record<string, Points>> {
  const masked = images.some(({ gaps }) => gaps)
  const program = surveyProgram(architecture, subHeads, { window, masked, statistics: measured })
  const execution = await backend.compile(program, foldWeights(architecture, weights))
  const imageAt = imageByArea(images, reader.scale)
  const kept: Record<string, Float32Array[]> = {}
  try {
    for (let w = 0; w < WINDOWS; w++) {
      if (signal.aborted) throw new SmaltiError('Cancelled')
      const found = await drawWindow(reader, (share) => imageAt((w + share) / WINDOWS), window, uniform)
      if (!found) continue
      const { values, valid } = found
      standardise(values, statistics)
      const mask = masked ? Float32Array.from(valid ?? new Uint8Array(window * window).fill(1)) : undefined
      const outputs = await execution.run({ image: values, ...(mask && { valid: mask }) })
      const pixels = (window / outputStride(architecture)) ** 2
      const whole = validCells(valid, window, outputStride(architecture))
      const drawn = Array.from({ length: Math.ceil(PIXELS / WINDOWS) }, () => (whole ? whole[integerBelow(whole.length, uniform)] : integerBelow(pixels, uniform)))
      for (const [name, rows] of Object.entries(outputs)) {
        const columns = rows.length / pixels
        for (const at of drawn) (kept[name] ??= []).push(rows.slice(at * columns, (at + 1) * columns))
      }
    }
  } finally {
    await execution.dispose()
  }
  if (Object.keys(kept).length === 0) throw new SmaltiError('NoReadableImages', { path: images[0].path, files: images.length })
  return Object.fromEntries(Object.entries(kept).map(([name, rows]) => [name, pointsOf(rows)]))
}

/** A window at a random place of which at least half holds data, or undefined where the images drawn have none. */
async function drawWindow(reader: PictureReader, imageAt: (share: number) => CatalogueImage, window: number, uniform: Uniform): Promise<Picture | undefined> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const image = imageAt(uniform())
    const { width, height } = scaledSize(image, reader.scale)
    const [top, left] = [integerBelow(height - window + 1, uniform), integerBelow(width - window + 1, uniform)]
    try {
      const picture = await reader.read(image, { left, top, width: window, height: window })
      if (mostlyValid(picture.valid)) return picture
    } catch (fault) {
      if (fault instanceof SmaltiError && fault.name === 'UnreadableImage') return undefined
      throw fault
    }
  }
  return undefined
}

/** Output pixels of which enough holds data, or undefined where all does. */
function validCells(valid: Uint8Array | undefined, window: number, stride: number): number[] | undefined {
  if (!valid) return undefined
  const across = window / stride
  const counts = new Int32Array(across * across)
  valid.forEach((value, i) => (counts[Math.floor(Math.floor(i / window) / stride) * across + Math.floor((i % window) / stride)] += value))
  return [...counts.keys()].filter((cell) => counts[cell] >= VALID_SHARE * stride * stride)
}
