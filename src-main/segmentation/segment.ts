import type { Backend, Execution } from '../backends/program.ts'
import type { BandStatistics, CatalogueImage } from '../contract/imagery.ts'
import { TesseraError } from '../contract/errors.ts'
import { type PictureReader, planar, scaledSize } from '../imagery/pictures.ts'
import { standardise } from '../imagery/statistics.ts'
import { inferenceProgram } from '../learning/inference.ts'
import { type Architecture, outputStride, receptiveHalo } from '../learning/network/architecture.ts'
import { foldWeights } from '../learning/network/forward.ts'
import { interpolationMatrix } from '../learning/views/geometry.ts'

/** Window side in network input pixels: large enough that the halo is a small part of the work. */
export const WINDOW = 512

export interface Model {
  architecture: Architecture
  weights: Record<string, Float32Array>
  subHeads: Record<string, number>
  statistics: BandStatistics
}

/** Most probable cluster and its probability (0…255 for 0…1) of every pixel of an image, by head. */
export type ImageLabels = Record<string, { labels: Uint8Array; confidence: Uint8Array }>

export interface Segmenter {
  label(image: CatalogueImage, signal: AbortSignal, onProgress: (share: number) => void): Promise<ImageLabels>
  dispose(): Promise<void>
}

/**
 * Labels images window by window. A window is read with a halo of the network's receptive field, starts at a
 * multiple of its stride and continues the image mirrored, so that the labels do not depend on the window's size.
 *
 * @param window  largest window side in network input pixels
 */
export async function createSegmenter(
  backend: Backend,
  model: Model,
  reader: PictureReader,
  images: readonly CatalogueImage[],
  window = WINDOW
): Promise<Segmenter> {
  const { architecture } = model
  const stride = outputStride(architecture)
  const halo = Math.ceil(receptiveHalo(architecture) / stride) * stride
  const longest = Math.max(...images.map((image) => Math.max(...Object.values(scaledSize(image, reader.scale)))))
  const side = Math.ceil(Math.min(window, longest + 2 * halo + 2 * stride) / stride) * stride
  const covered = side - 2 * halo - 2 * stride
  if (covered < stride) throw new RangeError(`a window of ${window} pixels has no room beside its halo of ${halo}`)
  const ratios = images.map((image) => {
    const scaled = scaledSize(image, reader.scale)
    return Math.max(scaled.width / image.width, scaled.height / image.height)
  })
  const tile = Math.max(1, Math.floor(covered / Math.max(...ratios)))
  const folded = foldWeights(architecture, model.weights)
  const execution = await backend.compile(inferenceProgram(architecture, model.subHeads, { window: side, tile }), folded)
  const geometry = { side, tile, halo, stride, coarse: side / stride }
  return {
    label: (image, signal, onProgress) => labelImage(execution, model, reader, image, geometry, signal, onProgress),
    dispose: () => execution.dispose()
  }
}

interface Geometry {
  side: number
  tile: number
  halo: number
  stride: number
  coarse: number
}

async function labelImage(
  execution: Execution,
  model: Model,
  reader: PictureReader,
  image: CatalogueImage,
  geometry: Geometry,
  signal: AbortSignal,
  onProgress: (share: number) => void
): Promise<ImageLabels> {
  const { side, tile } = geometry
  const scaled = scaledSize(image, reader.scale)
  const result: ImageLabels = Object.fromEntries(
    model.architecture.heads.map(({ name }) => {
      const pixels = image.width * image.height
      return [name, { labels: new Uint8Array(pixels), confidence: new Uint8Array(pixels) }]
    })
  )
  const [across, down] = [Math.ceil(image.width / tile), Math.ceil(image.height / tile)]
  for (let index = 0; index < across * down; index++) {
    if (signal.aborted) throw new TesseraError('Cancelled')
    const [top, left] = [Math.floor(index / across) * tile, (index % across) * tile]
    const rows = alignAxis(top, scaled.height / image.height, geometry)
    const columns = alignAxis(left, scaled.width / image.width, geometry)
    const picture = await reader.read(image, { left: columns.origin, top: rows.origin, width: side, height: side })
    const values = planar(picture)
    standardise(values, model.statistics)
    const outputs = await execution.run({ image: values, rows: rows.interpolation, columns: columns.interpolation })
    const [height, width] = [Math.min(tile, image.height - top), Math.min(tile, image.width - left)]
    for (const [name, { labels, confidence }] of Object.entries(result)) {
      for (let r = 0; r < height; r++) {
        const to = (top + r) * image.width + left
        for (let c = 0; c < width; c++) {
          labels[to + c] = outputs[`labels${name}`][r * tile + c]
          confidence[to + c] = Math.round(255 * outputs[`confidence${name}`][r * tile + c])
        }
      }
    }
    onProgress((index + 1) / (across * down))
  }
  return result
}

/** Where the window of a tile starts along one axis, and the interpolation from its coarse samples to the tile's pixels. */
function alignAxis(start: number, ratio: number, { tile, halo, stride, coarse }: Geometry): { origin: number; interpolation: Float32Array } {
  const origin = Math.floor((start * ratio - halo) / stride) * stride
  const position = (i: number): number => ((start + i + 0.5) * ratio - origin) / stride - 0.5
  return { origin, interpolation: interpolationMatrix(tile, coarse, position) }
}
