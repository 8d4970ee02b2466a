import * as tf from '@tensorflow/tfjs-core'
import type { NamedTensors, Program, Shape } from '../backends/program.ts'
import { type Architecture, filterBorder, outputStride, parametersOf, windowMargin } from './network/architecture.ts'
import { type SeenWindow, guidedHeatmap, inferenceFeatures, inferencePass, lookedAt } from './network/inferencePass.ts'
import { headOutputs, measured, rowMap } from './network/forward.ts'

/** The window that a program applies the network to. */
export interface InferenceShape {
  /** Side of the square window, in input pixels: a multiple of the network's stride. */
  window: number
  /** Whether some pixels have no data. */
  masked: boolean
  /** Border that only the statistics see, in input pixels; `windowMargin` when absent. */
  margin?: number
}

/** Side of the part of a window that the heads see, in output pixels: the window without its margin. */
export function coarseSide(
  architecture: Architecture,
  { window, margin = windowMargin(architecture) }: Pick<InferenceShape, 'window' | 'margin'>
): number {
  return (window - 2 * margin) / outputStride(architecture)
}

/** Inputs of programs that apply the network to one window. */
function windowInputs(architecture: Architecture, shape: InferenceShape): Record<string, Shape> {
  const { window, masked } = shape
  return {
    image: [1, architecture.bands, window, window],
    ...(masked && { valid: [1, 1, window, window] }),
    ...(architecture.upright && { rows: [coarseSide(architecture, shape)] }),
    ...(architecture.backbone && { backbone: backboneShape(architecture.backbone, window) })
  }
}

const backboneShape = ({ stride, channels }: NonNullable<Architecture['backbone']>, window: number): Shape => [
  1,
  window / stride,
  window / stride,
  channels
]

const seenBy = (
  architecture: Architecture,
  { margin = windowMargin(architecture) }: InferenceShape,
  fed: NamedTensors
): SeenWindow => ({
  images: fed.image as tf.Tensor4D,
  valid: fed.valid as tf.Tensor4D | undefined,
  margin,
  rows: fed.rows,
  backbone: fed.backbone as tf.Tensor4D | undefined
})

/**
 * Applies the network to one window.
 *
 * Inputs: `image` [1, bands, window, window]; with `masked`, `valid` [1, 1, window, window], 1 where a pixel has data;
 * for upright images `rows` [coarse], see `rowPlaces`, where coarse = `coarseSide`; with a pretrained network, its
 * features of the window, `backbone` [1, window / its stride, window / its stride, its channels]. Outputs: for each
 * head X its heatmap `heatmapX` [side, side, C], side = coarse − 2 `filterBorder`; with a guided filter also `slopesX`
 * [side, side, C] and `guide` [side, side], see `LinearModels`.
 *
 * @param subHeads  the sub-head to use of each head
 */
export function inferenceProgram(
  architecture: Architecture,
  subHeads: Record<string, number>,
  shape: InferenceShape
): Program {
  const side = coarseSide(architecture, shape) - 2 * filterBorder(architecture)
  const guided = architecture.guidedFilter !== undefined
  return {
    name: 'inference',
    inputs: windowInputs(architecture, shape),
    state: foldedShapes(architecture),
    constantState: true,
    outputs: [
      ...architecture.heads.flatMap(({ name }) => [`heatmap${name}`, ...(guided ? [`slopes${name}`] : [])]),
      ...(guided ? ['guide'] : [])
    ],
    evaluate(fed, weights) {
      const seen = seenBy(architecture, shape, fed)
      const heatmaps = inferencePass(architecture, weights, seen)
      const outputs: NamedTensors = {}
      for (const { name, clusters } of architecture.heads) {
        const heatmap = heatmaps[name][subHeads[name]]
        const models = guidedHeatmap(architecture, heatmap, seen)
        outputs[`heatmap${name}`] = tf.reshape(models?.values ?? heatmap, [side, side, clusters])
        if (!models) continue
        outputs[`slopes${name}`] = tf.reshape(models.slopes, [side, side, clusters])
        outputs.guide ??= tf.reshape(models.guide, [side, side])
      }
      return { outputs, state: {} }
    }
  }
}

/** Shapes of the weights that `foldWeights` returns. */
function foldedShapes(architecture: Architecture): Record<string, Shape> {
  const shapes: Record<string, Shape> = {}
  for (const [name, { shape }] of Object.entries(parametersOf(architecture))) {
    if (/^head/.test(name) || name.endsWith('/filter')) shapes[name] = shape
    if (name.endsWith('/beta')) shapes[name.replace('/beta', '/bias')] = shape
  }
  return shapes
}

export interface SurveyShape extends InferenceShape {
  /** Boxes of the patch statistics to measure, by the name of their output. */
  statistics: Readonly<Record<string, readonly number[]>>
}

/**
 * Measures every pixel of a window at the network's resolution, for clustering outside the network. Inputs as for
 * `inferenceProgram`; outputs `features` [pixels, `featureChannels`], the statistics [pixels, S], for upright images
 * `row` [pixels, 1], and for each trained head X `heatmapX` [pixels, C] of its chosen sub-head.
 */
export function surveyProgram(
  architecture: Architecture,
  subHeads: Record<string, number>,
  shape: SurveyShape
): Program {
  const heads = architecture.heads.filter(({ mergedFrom }) => mergedFrom === undefined)
  const rows = (map: tf.Tensor4D): tf.Tensor => tf.reshape(map, [-1, map.shape[3]])
  return {
    name: 'survey',
    inputs: windowInputs(architecture, shape),
    state: foldedShapes(architecture),
    constantState: true,
    outputs: [
      'features',
      ...Object.keys(shape.statistics),
      ...(architecture.upright ? ['row'] : []),
      ...heads.map(({ name }) => `heatmap${name}`)
    ],
    evaluate(fed, weights) {
      const { features, around } = lookedAt(architecture, weights, seenBy(architecture, shape, fed))
      const heatmaps = headOutputs(architecture, weights, features)
      const outputs: NamedTensors = { features: rows(features) }
      for (const [name, boxes] of Object.entries(shape.statistics))
        outputs[name] = rows(measured(architecture, boxes, around))
      if (architecture.upright) outputs.row = rows(rowMap(architecture, around))
      for (const { name } of heads) outputs[`heatmap${name}`] = rows(heatmaps[name][subHeads[name]])
      return { outputs, state: {} }
    }
  }
}

/**
 * Positions in the image of the rows of a window's output: −√3 at the top, √3 at the bottom, so that rows have variance
 * 1; mirrored beyond the image.
 *
 * @param top     the window's first row in the image
 * @param height  the image's height
 */
export function rowPlaces(
  architecture: Architecture,
  {
    top,
    window,
    height,
    margin = windowMargin(architecture)
  }: Pick<InferenceShape, 'window' | 'margin'> & { top: number; height: number }
): Float32Array {
  const stride = outputStride(architecture)
  return Float32Array.from({ length: coarseSide(architecture, { window, margin }) }, (_, i) => {
    const share = (top + margin + (i + 0.5) * stride) / height
    const within = Math.abs(share) % 2
    return Math.sqrt(3) * (2 * (within > 1 ? 2 - within : within) - 1)
  })
}

/**
 * Computes the features of whole images: input `images` [n, bands, side, side]; output `features` [n,
 * `featureChannels`].
 */
export function wholeImageProgram(
  architecture: Architecture,
  { images, side }: { images: number; side: number }
): Program {
  return {
    name: 'whole images',
    inputs: { images: [images, architecture.bands, side, side] },
    state: foldedShapes(architecture),
    constantState: true,
    outputs: ['features'],
    evaluate(fed, weights) {
      const features = inferenceFeatures(architecture, weights, { images: fed.images as tf.Tensor4D })
      return { outputs: { features: tf.reshape(features, [images, features.shape[3]]) }, state: {} }
    }
  }
}
