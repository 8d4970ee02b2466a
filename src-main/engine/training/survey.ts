import type { Backend } from '../../backends/program.ts'
import type { BandStatistics, CatalogueImage } from '../../contract/imagery.ts'
import { SmaltiError } from '../../contract/errors.ts'
import {
  type Picture,
  type PictureReader,
  VALID_SHARE,
  imageByArea,
  mostlyValid,
  scaledSize
} from '../../imagery/pictures.ts'
import { standardise } from '../../imagery/statistics.ts'
import { type SurveyShape, coarseSide, rowPlaces, surveyProgram } from '../../learning/inference.ts'
import { type Points, pointsOf } from '../../learning/kMeans.ts'
import {
  type Architecture,
  outputStride,
  receptiveHalo,
  windowMargin,
  windowStep
} from '../../learning/network/architecture.ts'
import type { FrozenTrunk } from '../../learning/network/backbone.ts'
import { foldWeights } from '../../learning/network/forward.ts'
import { type Uniform, integerBelow } from '../../learning/random.ts'

/** Number of windows read, and of pixels kept from all of them together. */
const WINDOWS = 96
const PIXELS = 24_000
/** Side of the part of a window from which pixels are drawn. The margin around it is the context they see. */
const CORE = 160
/** Places tried per window before the images count as empty there. */
const TRIES = 40

/** A network whose features and heatmaps are surveyed. */
export interface SurveyedModel {
  architecture: Architecture
  weights: Record<string, Float32Array>
  subHeads: Record<string, number>
  statistics: BandStatistics
  trunk?: FrozenTrunk
}

/**
 * Draws pixels from windows all over the images and returns their features, patch statistics and heatmaps, by the names
 * of `surveyProgram`'s outputs. The context that the network sees beyond a window is read too (mirrored at the image's
 * border), so that pixels look as they do when they are labelled.
 * @param window  side in pixels of the scaled images; all images are at least this large
 * @throws Cancelled; NoReadableImages when none of the drawn images decodes
 */
export async function surveyPixels(
  backend: Backend,
  { architecture, weights, subHeads, statistics, trunk }: SurveyedModel,
  reader: PictureReader,
  images: readonly CatalogueImage[],
  {
    measured,
    window,
    uniform,
    signal
  }: { measured: SurveyShape['statistics']; window: number; uniform: Uniform; signal: AbortSignal }
): Promise<Record<string, Points>> {
  const masked = images.some(({ gaps }) => gaps)
  const stride = outputStride(architecture)
  // The heads as they were trained see no more than the survey measures.
  const looking = {
    ...architecture,
    statistics: [...(architecture.statistics ?? []), ...Object.values(measured).flat()],
    guidedFilter: undefined,
    heads: []
  }
  const step = windowStep(looking)
  const core = Math.max(step, Math.floor(Math.min(window, CORE) / step) * step)
  const halo = Math.ceil(receptiveHalo(looking) / step) * step
  const [side, margin] = [core + 2 * halo, windowMargin(looking)]
  const across = coarseSide(architecture, { window: side, margin })
  const program = surveyProgram(architecture, subHeads, { window: side, margin, masked, statistics: measured })
  const execution = await backend.compile(program, foldWeights(architecture, weights))
  const imageAt = imageByArea(images, reader.scale)
  const kept: Record<string, Float32Array[]> = {}
  try {
    for (let w = 0; w < WINDOWS; w++) {
      if (signal.aborted) throw new SmaltiError('Cancelled')
      const found = await drawWindow(reader, (share) => imageAt((w + share) / WINDOWS), { window: core, halo }, uniform)
      if (!found) continue
      const {
        picture: { values, valid },
        top,
        height
      } = found
      standardise(values, statistics)
      const mask = masked ? Float32Array.from(valid ?? new Uint8Array(side * side).fill(1)) : undefined
      const rows = architecture.upright && rowPlaces(architecture, { top: top - halo, window: side, margin, height })
      const backbone = trunk && (await trunk.features(values, side))
      const outputs = await execution.run({
        image: values,
        ...(mask && { valid: mask }),
        ...(rows && { rows }),
        ...(backbone && { backbone })
      })
      const cells = cellsWithin(valid, { side, halo, stride })
      // Index in the program's output of a cell that is counted over the window.
      const place = (cell: number): number =>
        (Math.floor(cell / (side / stride)) - margin / stride) * across + (cell % (side / stride)) - margin / stride
      const drawn = Array.from({ length: Math.ceil(PIXELS / WINDOWS) }, () =>
        place(cells[integerBelow(cells.length, uniform)])
      )
      for (const [name, rows] of Object.entries(outputs)) {
        const columns = rows.length / across ** 2
        for (const at of drawn) (kept[name] ??= []).push(rows.slice(at * columns, (at + 1) * columns))
      }
    }
  } finally {
    await execution.dispose()
  }
  if (Object.keys(kept).length === 0)
    throw new SmaltiError('NoReadableImages', { path: images[0].path, files: images.length })
  return Object.fromEntries(Object.entries(kept).map(([name, rows]) => [name, pointsOf(rows)]))
}

interface Drawn {
  picture: Picture
  /** First row of the window without its halo, and height of its image. */
  top: number
  height: number
}

/**
 * Draws a window with its halo at a random place where at least half of it is valid; undefined if there is no such
 * place in the images tried.
 */
async function drawWindow(
  reader: PictureReader,
  imageAt: (share: number) => CatalogueImage,
  { window, halo }: { window: number; halo: number },
  uniform: Uniform
): Promise<Drawn | undefined> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const image = imageAt(uniform())
    const { width, height } = scaledSize(image, reader.scale)
    const [top, left] = [integerBelow(height - window + 1, uniform), integerBelow(width - window + 1, uniform)]
    try {
      const inner = await reader.read(image, { left, top, width: window, height: window })
      if (!mostlyValid(inner.valid)) continue
      return {
        picture: await reader.read(image, {
          left: left - halo,
          top: top - halo,
          width: window + 2 * halo,
          height: window + 2 * halo
        }),
        top,
        height
      }
    } catch (fault) {
      if (fault instanceof SmaltiError && fault.name === 'UnreadableImage') return undefined
      throw fault
    }
  }
  return undefined
}

/** Cells of a window, without its halo, of which enough is valid. */
function cellsWithin(
  valid: Uint8Array | undefined,
  { side, halo, stride }: { side: number; halo: number; stride: number }
): number[] {
  const across = side / stride
  const [first, last] = [halo / stride, across - halo / stride]
  const cells: number[] = []
  for (let row = first; row < last; row++) {
    for (let column = first; column < last; column++)
      if (!valid || validShare(valid, side, column * stride, row * stride, stride) >= VALID_SHARE)
        cells.push(row * across + column)
  }
  return cells
}

function validShare(valid: Uint8Array, width: number, left: number, top: number, side: number): number {
  let count = 0
  for (let y = top; y < top + side; y++) for (let x = left; x < left + side; x++) count += valid[y * width + x]
  return count / side ** 2
}
