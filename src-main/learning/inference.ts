import * as tf from '@tensorflow/tfjs-core'
import type { NamedTensors, Program, Shape } from '../backends/program.ts'
import { type Architecture, outputStride, parametersOf } from './network/architecture.ts'
import { headOutputs, inferenceFeatures, inferencePass } from './network/forward.ts'
import { patchStatistics } from './network/patchStatistics.ts'

export interface InferenceShape {
  /** Side of the square window read, in input pixels, a multiple of the network's stride. */
  window: number
  /** Some pixels are without data. */
  masked: boolean
}

/**
 * The network applied to one window.
 *
 * Inputs: `image` [1, bands, window, window]; with `masked`, `valid` [1, 1, window, window], 1 where a pixel holds data.
 * Outputs: for each head X its heatmap `heatmapX` [coarse, coarse, C], coarse = window / stride.
 *
 * @param subHeads  which sub-head of each head is used
 */
export function inferenceProgram(architecture: Architecture, subHeads: Record<string, number>, { window, masked }: InferenceShape): Program {
  const coarse = window / outputStride(architecture)
  return {
    name: 'inference',
    inputs: { image: [1, architecture.bands, window, window], ...(masked && { valid: [1, 1, window, window] }) },
    state: foldedShapes(architecture),
    constantState: true,
    outputs: architecture.heads.map(({ name }) => `heatmap${name}`),
    evaluate(fed, weights) {
      const heatmaps = inferencePass(architecture, weights, fed.image as tf.Tensor4D, fed.valid as tf.Tensor4D | undefined)
      const outputs: NamedTensors = {}
      for (const { name, clusters } of architecture.heads) outputs[`heatmap${name}`] = tf.reshape(heatmaps[name][subHeads[name]], [coarse, coarse, clusters])
      return { outputs, state: {} }
    }
  }
}

/** Shapes of the weights that `foldWeights` gives. */
function foldedShapes(architecture: Architecture): Record<string, Shape> {
  const shapes: Record<string, Shape> = {}
  for (const [name, { shape }] of Object.entries(parametersOf(architecture))) {
    if (/^head/.test(name) || name.endsWith('/filter')) shapes[name] = shape
    if (name.endsWith('/beta')) shapes[name.replace('/beta', '/bias')] = shape
  }
  return shapes
}

export interface SurveyShape {
  /** Side of the square window in input pixels, a multiple of the network's stride. */
  window: number
  /** Some pixels are without data. */
  masked: boolean
  /** Boxes of the patch statistics that are measured, by the names that they get. */
  statistics: Readonly<Record<string, readonly number[]>>
}

/**
 * What is known of every pixel of a window at the network's resolution, for clustering outside the network: input
 * `image` [1, bands, window, window] and, with `masked`, `valid` [1, 1, window, window]; outputs `features` [pixels, `featureChannels`], the statistics [pixels, S] and
 * for each head X that learns `heatmapX` [pixels, C] of its chosen sub-head.
 */
export function surveyProgram(architecture: Architecture, subHeads: Record<string, number>, { window, masked, statistics }: SurveyShape): Program {
  const heads = architecture.heads.filter(({ mergedFrom }) => mergedFrom === undefined)
  const rows = (map: tf.Tensor4D): tf.Tensor => tf.reshape(map, [-1, map.shape[3]])
  return {
    name: 'survey',
    inputs: { image: [1, architecture.bands, window, window], ...(masked && { valid: [1, 1, window, window] }) },
    state: foldedShapes(architecture),
    constantState: true,
    outputs: ['features', ...Object.keys(statistics), ...heads.map(({ name }) => `heatmap${name}`)],
    evaluate(fed, weights) {
      const image = fed.image as tf.Tensor4D
      const valid = fed.valid as tf.Tensor4D | undefined
      const mask = valid && (tf.transpose(valid, [0, 2, 3, 1]) as tf.Tensor4D)
      const features = inferenceFeatures(architecture, weights, image, valid)
      const heatmaps = headOutputs(architecture, weights, features)
      const outputs: NamedTensors = { features: rows(features) }
      for (const [name, boxes] of Object.entries(statistics)) {
        outputs[name] = rows(patchStatistics(tf.transpose(image, [0, 2, 3, 1]) as tf.Tensor4D, boxes, outputStride(architecture), mask))
      }
      for (const { name } of heads) outputs[`heatmap${name}`] = rows(heatmaps[name][subHeads[name]])
      return { outputs, state: {} }
    }
  }
}

/** Features of whole images: input `images` [n, bands, side, side]; output `features` [n, `featureChannels`]. */
export function wholeImageProgram(architecture: Architecture, { images, side }: { images: number; side: number }): Program {
  return {
    name: 'whole images',
    inputs: { images: [images, architecture.bands, side, side] },
    state: foldedShapes(architecture),
    constantState: true,
    outputs: ['features'],
    evaluate(fed, weights) {
      const features = inferenceFeatures(architecture, weights, fed.images as tf.Tensor4D)
      return { outputs: { features: tf.reshape(features, [images, features.shape[3]]) }, state: {} }
    }
  }
}
