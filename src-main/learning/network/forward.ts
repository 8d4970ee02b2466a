import * as tf from '@tensorflow/tfjs-core'
import {
  type Architecture,
  KERNEL,
  outputStride,
  refitFeatures,
  refitParameters,
  rowInFeatures,
  trunkChannels
} from './architecture.ts'
import { inferenceScaleShift, normaliseBatchRelu } from './batchNormalisation.ts'
import { patchStatistics } from './patchStatistics.ts'

export type Weights = Record<string, tf.Tensor>

/** Filter `[out, in, kh, kw]` in TensorFlow's order; free when recorded. */
export const filterOf = (stored: tf.Tensor): tf.Tensor4D => tf.transpose(stored, [2, 3, 1, 0]) as tf.Tensor4D

/**
 * 3×3 convolution with zero padding. TensorFlow.js has no gradient for dilated ones, so it is written out here for
 * stride 1: by the input it is the convolution with the rotated filter, by the filter one product per tap.
 */
export function convolution(x: tf.Tensor4D, filter: tf.Tensor4D, stride: number, dilation: number): tf.Tensor4D {
  if (dilation === 1) return tf.conv2d(x, filter, stride, 'same')
  const [kh, kw, channelsIn, channelsOut] = filter.shape
  const dilated = tf.customGrad((...args) => {
    const [map, weights, save] = args as unknown as [tf.Tensor4D, tf.Tensor4D, tf.GradSaveFunc]
    save([map, weights])
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [input, taps] = saved as [tf.Tensor4D, tf.Tensor4D]
      const turned = tf.transpose(tf.reverse(taps, [0, 1]), [0, 1, 3, 2]) as tf.Tensor4D
      const dx = tf.conv2d(dy as tf.Tensor4D, turned, 1, 'same', 'NHWC', dilation)
      const [n, h, w] = input.shape
      const reach = ((KERNEL - 1) / 2) * dilation
      const padded = tf.pad4d(input, [
        [0, 0],
        [reach, reach],
        [reach, reach],
        [0, 0]
      ])
      const rows = tf.reshape(dy, [-1, channelsOut])
      const products: tf.Tensor[] = []
      for (let i = 0; i < kh; i++) {
        for (let j = 0; j < kw; j++) {
          const shifted = tf.slice(padded, [0, i * dilation, j * dilation, 0], [n, h, w, channelsIn])
          products.push(tf.matMul(tf.transpose(tf.reshape(shifted, [-1, channelsIn])), rows))
        }
      }
      return [dx, tf.reshape(tf.concat(products, 0), filter.shape)]
    }
    const value = tf.conv2d(map, weights, stride, 'same', 'NHWC', dilation)
    return { value, gradFunc: gradFunc as unknown as (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor[] }
  })
  return dilated(x, filter) as tf.Tensor4D
}

export interface TrainingPass {
  /** The trunk's output, float32 [n, h, w, C]. */
  trunk: tf.Tensor4D
  /**
   * Coarse assignment probabilities of each head and sub-head, float32 [n, h, w, C]; none where the heads do not learn.
   */
  heatmaps: Record<string, tf.Tensor4D[]>
  /** Mean and variance of each normalised layer on this batch, by the names of their running averages. */
  moments: Record<string, tf.Tensor>
}

export const pool = (x: tf.Tensor4D, average?: boolean): tf.Tensor4D =>
  average ? tf.avgPool(x, 2, 2, 'valid') : tf.maxPool(x, 2, 2, 'valid')

/** Whether a layer is a convolution whose normalisation includes the maximum pooling after it. */
function pooledWithBatch(layers: Architecture['layers'], index: number): boolean {
  const next = layers[index + 1]
  return layers[index]?.kind === 'convolution' && next?.kind === 'pool' && !next.average
}

/** Moves channels last, as layers and statistics expect them. */
export const channelsLast = (planes: tf.Tensor4D): tf.Tensor4D => tf.transpose(planes, [0, 2, 3, 1]) as tf.Tensor4D

/**
 * Runs the network for training.
 *
 * @param images  float32 [n, bands, h, w], z-scored
 * @param valid   1 where a pixel has data, float32 [n, 1, h, w]; all have data when absent
 * @param heads   whether the heads learn too
 */
export function trainingPass(
  architecture: Architecture,
  weights: Weights,
  images: tf.Tensor4D,
  valid?: tf.Tensor4D,
  heads = true
): TrainingPass {
  const moments: Record<string, tf.Tensor> = {}
  const { layers } = architecture
  const seen = channelsLast(images)
  let x = architecture.sobel ? withSobel(seen) : seen
  layers.forEach((layer, index) => {
    if (layer.kind === 'pool') {
      if (!pooledWithBatch(layers, index - 1)) x = pool(x, layer.average)
      return
    }
    const name = `trunk${index}`
    const map = convolution(x, filterOf(weights[`${name}/filter`]), layer.stride, layer.dilation)
    const [gamma, beta] = [weights[`${name}/gamma`], weights[`${name}/beta`]] as [tf.Tensor1D, tf.Tensor1D]
    const { output, mean, variance } = normaliseBatchRelu(map, gamma, beta, pooledWithBatch(layers, index))
    moments[`${name}/runningMean`] = mean
    moments[`${name}/runningVariance`] = variance
    x = output
  })
  const heatmaps = heads
    ? headOutputs(
        architecture,
        weights,
        featuresOf(architecture, x, { image: seen, valid: valid && channelsLast(valid), margin: 0 })
      )
    : {}
  return { trunk: x, heatmaps, moments }
}

const SOBEL = [1, 0, -1, 2, 0, -2, 1, 0, -1]

/** Appends the Sobel gradients of the bands' mean to the bands, as in the code published with IIC. */
export function withSobel(image: tf.Tensor4D): tf.Tensor4D {
  const filter = tf.tensor4d(
    SOBEL.flatMap((across, i) => [across, SOBEL[(i % 3) * 3 + Math.floor(i / 3)]]),
    [KERNEL, KERNEL, 1, 2]
  )
  return tf.concat([image, tf.conv2d(tf.mean(image, 3, true) as tf.Tensor4D, filter, 1, 'same')], 3) as tf.Tensor4D
}

/** Parts of a window that the heads may see besides the trunk's output. */
export interface Surroundings {
  /** float32 [n, h, w, bands] */
  image: tf.Tensor4D
  /** float32 [n, h, w, 1] */
  valid?: tf.Tensor4D
  /** Border in pixels that the trunk's output does not cover. */
  margin: number
  /** Positions of the output's rows in the image, −√3 at the top and √3 at the bottom, float32 [rows]. */
  rows?: tf.Tensor
}

/** Joins the features that the heads see from the trunk's output and its surroundings. */
export function featuresOf(architecture: Architecture, trunk: tf.Tensor4D, around: Surroundings): tf.Tensor4D {
  const { statistics, wholeImage } = architecture
  const parts: tf.Tensor4D[] = trunkChannels(architecture) > 0 ? [trunk] : []
  if (statistics) parts.push(measured(architecture, statistics, around))
  if (rowInFeatures(architecture)) parts.push(rowMap(architecture, around))
  const features = parts.length === 1 ? parts[0] : (tf.concat(parts, 3) as tf.Tensor4D)
  return wholeImage ? (tf.mean(features, [1, 2], true) as tf.Tensor4D) : features
}

/** Patch statistics over the area of the trunk's output. */
export function measured(
  architecture: Architecture,
  boxes: readonly number[],
  { image, valid, margin }: Surroundings
): tf.Tensor4D {
  const stride = outputStride(architecture)
  return inner(patchStatistics(image, boxes, stride, { valid, kuwahara: architecture.kuwahara }), margin / stride)
}

export const inner = (map: tf.Tensor4D, margin: number): tf.Tensor4D => {
  const [n, h, w, channels] = map.shape
  return margin === 0 ? map : tf.slice(map, [0, margin, margin, 0], [n, h - 2 * margin, w - 2 * margin, channels])
}

/** The rows' positions as a map of one channel. */
export function rowMap(architecture: Architecture, { image, margin, rows }: Surroundings): tf.Tensor4D {
  const [n, h, w] = image.shape
  const stride = outputStride(architecture)
  const [oh, ow] = [(h - 2 * margin) / stride, (w - 2 * margin) / stride]
  return tf.add(tf.zeros([n, oh, ow, 1]), tf.reshape(rows!, [1, oh, 1, 1])) as tf.Tensor4D
}

/** Heatmaps of the trained heads. */
export function headOutputs(
  architecture: Architecture,
  weights: Weights,
  features: tf.Tensor4D
): Record<string, tf.Tensor4D[]> {
  const [n, h, w] = features.shape
  return Object.fromEntries(
    architecture.heads.flatMap(({ name, clusters, subHeads, mergedFrom }) => {
      if (mergedFrom !== undefined) return []
      const logits = tf.add(
        tf.conv2d(features, filterOf(weights[`head${name}/filter`]), 1, 'same'),
        weights[`head${name}/bias`]
      )
      const parts = Array.from({ length: subHeads }, (_, s) =>
        subHeads === 1 ? logits : tf.slice(logits, [0, 0, 0, s * clusters], [n, h, w, clusters])
      )
      return [[name, parts.map((part) => tf.softmax(part) as tf.Tensor4D)]]
    })
  )
}

/** Heatmaps of the refitted heads; one stands for all sub-heads. */
export function refittedOutputs(
  architecture: Architecture,
  weights: Weights,
  features: tf.Tensor4D,
  around: Surroundings
): Record<string, tf.Tensor4D[]> {
  const [n, h, w, channels] = features.shape
  const fromTrunk = refitFeatures(architecture)
  return Object.fromEntries(
    architecture.heads.flatMap(({ name, subHeads, refit }) => {
      if (!refit) return []
      const { filter, bias } = refitParameters(name)
      const seen = fromTrunk === channels ? features : tf.slice(features, [0, 0, 0, 0], [n, h, w, fromTrunk])
      const parts = [
        seen,
        measured(architecture, refit, around),
        ...(architecture.upright ? [rowMap(architecture, around)] : [])
      ]
      const heatmap = tf.softmax(
        tf.add(tf.conv2d(tf.concat(parts, 3) as tf.Tensor4D, filterOf(weights[filter]), 1, 'same'), weights[bias])
      ) as tf.Tensor4D
      return [[name, Array.from({ length: subHeads }, () => heatmap)]]
    })
  )
}

/** Folds training weights into those of `inferencePass`. */
export function foldWeights(
  architecture: Architecture,
  weights: Record<string, Float32Array>
): Record<string, Float32Array> {
  const folded: Record<string, Float32Array> = {}
  architecture.layers.forEach((layer, index) => {
    if (layer.kind === 'pool') return
    const at = (part: string): Float32Array => weights[`trunk${index}/${part}`]
    const { scale, shift } = inferenceScaleShift(at('gamma'), at('beta'), at('runningMean'), at('runningVariance'))
    const perOutput = at('filter').length / layer.channels
    folded[`trunk${index}/filter`] = at('filter').map((value, i) => value * scale[Math.floor(i / perOutput)])
    folded[`trunk${index}/bias`] = shift
  })
  for (const [name, values] of Object.entries(weights))
    if (/^head[^/]*\/(refit\/)?(filter|bias|merge)$/.test(name)) folded[name] = values
  return folded
}
