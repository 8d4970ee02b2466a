import type { Backend } from '../backends/program.ts'
import type { BandStatistics, CatalogueImage } from '../contract/imagery.ts'
import { TesseraError } from '../contract/errors.ts'
import { type PictureReader, imageByArea, planar, scaledSize } from '../imagery/pictures.ts'
import { standardise } from '../imagery/statistics.ts'
import { type SurveyShape, surveyProgram } from '../learning/inference.ts'
import { type Points, pointsOf } from '../learning/kMeans.ts'
import { type Architecture, outputStride } from '../learning/network/architecture.ts'
import { foldWeights } from '../learning/network/forward.ts'
import { type Uniform, integerBelow } from '../learning/random.ts'

/** Windows read, and pixels kept of them all. */
const WINDOWS = 96
const PIXELS = 24_000

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
  const program = surveyProgram(architecture, subHeads, { window, statistics: measured })
  const execution = await backend.compile(program, foldWeights(architecture, weights))
  const imageAt = imageByArea(images, reader.scale)
  const kept: Record<string, Float32Array[]> = {}
  try {
    for (let w = 0; w < WINDOWS; w++) {
      if (signal.aborted) throw new TesseraError('Cancelled')
      const image = imageAt((w + uniform()) / WINDOWS)
      const { width, height } = scaledSize(image, reader.scale)
      const [top, left] = [integerBelow(height - window + 1, uniform), integerBelow(width - window + 1, uniform)]
      let values: Float32Array
      try {
        values = planar(await reader.read(image, { left, top, width: window, height: window }))
      } catch (fault) {
        if (fault instanceof TesseraError && fault.name === 'UnreadableImage') continue
        throw fault
      }
      standardise(values, statistics)
      const outputs = await execution.run({ image: values })
      const pixels = (window / outputStride(architecture)) ** 2
      const drawn = Array.from({ length: Math.ceil(PIXELS / WINDOWS) }, () => integerBelow(pixels, uniform))
      for (const [name, rows] of Object.entries(outputs)) {
        const columns = rows.length / pixels
        for (const at of drawn) (kept[name] ??= []).push(rows.slice(at * columns, (at + 1) * columns))
      }
    }
  } finally {
    await execution.dispose()
  }
  if (Object.keys(kept).length === 0) throw new TesseraError('NoReadableImages', { path: reader.folder, files: images.length })
  return Object.fromEntries(Object.entries(kept).map(([name, rows]) => [name, pointsOf(rows)]))
}
