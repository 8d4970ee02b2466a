import * as tf from '@tensorflow/tfjs-core'
import { mergeParameter, type Architecture, mergesRefitted, outputStride } from './architecture.ts'
import { atCells } from './backbone.ts'
import { type LinearModels, guidedFilter } from './guidedFilter.ts'
import { SMALLEST_SHARE } from './patchStatistics.ts'
import { denseSift } from './sift.ts'
import {
  type Surroundings,
  type Weights,
  channelsLast,
  featuresOf,
  filterOf,
  headOutputs,
  inner,
  pool,
  refittedOutputs,
  withSobel
} from './forward.ts'

/** A window to which the network is applied. */
export interface SeenWindow {
  /** float32 [n, bands, h, w], z-scored */
  images: tf.Tensor4D
  /** 1 where a pixel has data, float32 [n, 1, h, w]; all have data when absent. */
  valid?: tf.Tensor4D
  /** Border in pixels without a heatmap, a multiple of the stride; only the statistics see it. */
  margin?: number
  /**
   * Positions of the output's rows in the image, −√3 at the top and √3 at the bottom, float32 [rows]; for upright
   * images.
   */
  rows?: tf.Tensor
  /** Features of the whole window from a pretrained network, float32 [1, n, n, channels]. */
  backbone?: tf.Tensor4D
}

/**
 * Runs the network for inference, with batch normalisation folded into the filters.
 * @param weights  folded weights, see `foldWeights`
 */
export function inferencePass(
  architecture: Architecture,
  weights: Weights,
  seen: SeenWindow
): Record<string, tf.Tensor4D[]> {
  if (mergesRefitted(architecture) && architecture.heads.every(({ refit }) => refit)) {
    // The learnt heads, and the statistics that only they see, are not needed.
    const { features, around } = lookedAt({ ...architecture, statistics: undefined }, weights, seen)
    return refittedOutputs(architecture, weights, features, around)
  }
  const { features, around } = lookedAt(architecture, weights, seen)
  const learnt = headOutputs(architecture, weights, features)
  return { ...withMerged(architecture, weights, learnt), ...refittedOutputs(architecture, weights, features, around) }
}

/** Filters a heatmap along the image's edges, with the bands' mean as the guide; undefined without a guided filter. */
export function guidedHeatmap(
  architecture: Architecture,
  heatmap: tf.Tensor4D,
  { images, valid, margin = 0 }: SeenWindow
): LinearModels | undefined {
  const filter = architecture.guidedFilter
  if (!filter) return undefined
  const stride = outputStride(architecture)
  const cells = (planes: tf.Tensor): tf.Tensor4D => {
    const map = inner(channelsLast(planes as tf.Tensor4D), margin)
    return stride === 1 ? map : tf.avgPool(map, stride, stride, 'valid')
  }
  const mean = tf.mean(images, 1, true)
  if (!valid) return guidedFilter(heatmap, cells(mean), filter, stride)
  const share = cells(valid)
  return guidedFilter(
    heatmap,
    tf.div(cells(tf.mul(mean, valid)), tf.maximum(share, SMALLEST_SHARE)),
    filter,
    stride,
    share
  )
}

/** Computes the features that the heads see in inference, float32 [n, rows, columns, `featureChannels`]. */
export function inferenceFeatures(architecture: Architecture, weights: Weights, seen: SeenWindow): tf.Tensor4D {
  return lookedAt(architecture, weights, seen).features
}

export function lookedAt(
  architecture: Architecture,
  weights: Weights,
  { images, valid, margin = 0, rows, backbone }: SeenWindow
): { features: tf.Tensor4D; around: Surroundings } {
  const image = channelsLast(images)
  const around = { image, valid: valid && channelsLast(valid), margin, rows }
  const trunk = backbone
    ? atCells(architecture, backbone, image.shape[1], margin)
    : architecture.descriptor
      ? denseSift(inner(image, margin), around.valid && inner(around.valid, margin))
      : appliedTrunk(architecture, weights, inner(image, margin))
  return { features: featuresOf(architecture, trunk, around), around }
}

function appliedTrunk({ layers, sobel }: Architecture, weights: Weights, image: tf.Tensor4D): tf.Tensor4D {
  let x = sobel ? withSobel(image) : image
  layers.forEach((layer, index) => {
    if (layer.kind === 'pool') {
      x = pool(x, layer.average)
      return
    }
    const filter = filterOf(weights[`trunk${index}/filter`])
    const map = tf.conv2d(x, filter, layer.stride, 'same', 'NHWC', layer.dilation)
    x = tf.relu(tf.add(map, weights[`trunk${index}/bias`])) as tf.Tensor4D
  })
  return x
}

/**
 * Adds the merged heads of older runs, which join the learnt clusters of another head: the probabilities of joined
 * clusters add up.
 */
function withMerged(
  architecture: Architecture,
  weights: Weights,
  heatmaps: Record<string, tf.Tensor4D[]>
): Record<string, tf.Tensor4D[]> {
  const merged = architecture.heads.flatMap(({ name, clusters, mergedFrom }) => {
    if (mergedFrom === undefined) return []
    const join = (heatmap: tf.Tensor4D): tf.Tensor4D => {
      const [n, h, w, sources] = heatmap.shape
      const rows = tf.reshape(heatmap, [n * h * w, sources])
      return tf.reshape(tf.matMul(rows, weights[mergeParameter(name)] as tf.Tensor2D), [n, h, w, clusters])
    }
    return [[name, heatmaps[mergedFrom].map(join)] as const]
  })
  return { ...heatmaps, ...Object.fromEntries(merged) }
}
