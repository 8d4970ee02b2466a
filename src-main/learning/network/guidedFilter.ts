import * as tf from '@tensorflow/tfjs-core'
import type { GuidedFilter } from '../../contract/recipe.ts'
import { SMALLEST_SHARE, boxInCells } from './patchStatistics.ts'

/** Border of a map in pixels that the filter consumes: half a box for its models, and half for their mean. */
export function filterReach({ box }: GuidedFilter, stride: number): number {
  return boxInCells(box, stride) - 1
}

/** A filtered map and how it continues between its pixels: value + slope · (guide there − guide here). */
export interface LinearModels {
  /** float32 [n, h, w, C]; sums over C are preserved, values may slightly leave 0…1. */
  values: tf.Tensor4D
  slopes: tf.Tensor4D
  /** float32 [n, h, w, 1] */
  guide: tf.Tensor4D
}

/**
 * The guided filter (He, Sun, Tang 2010, equations 5, 6 and 8) at the network's resolution: in each box the map is a
 * linear function of the guide, and each pixel takes the mean of the boxes that contain it. Its coefficients vary
 * slowly and the guide does not, so that an image of full resolution may take the guide's place (He, Sun 2015).
 *
 * @param map    float32 [n, h, w, C]
 * @param guide  float32 [n, h, w, 1], z-scored
 * @param share  share of each pixel with data, float32 [n, h, w, 1]; 1 when absent
 * @returns      the filtered map without `filterReach` pixels of its border
 */
export function guidedFilter(
  map: tf.Tensor4D,
  guide: tf.Tensor4D,
  filter: GuidedFilter,
  stride: number,
  share?: tf.Tensor4D
): LinearModels {
  const reach = boxInCells(filter.box, stride)
  const within = (x: tf.Tensor4D, border: number): tf.Tensor4D => {
    const [n, h, w, channels] = x.shape
    return tf.slice(x, [0, border, border, 0], [n, h - 2 * border, w - 2 * border, channels])
  }
  const boxes = (x: tf.Tensor4D): tf.Tensor4D =>
    tf.avgPool(tf.avgPool(x, [reach, 1], 1, 'valid'), [1, reach], 1, 'valid')
  const meansBy = (weight: tf.Tensor4D | undefined): ((x: tf.Tensor4D) => tf.Tensor4D) => {
    if (!weight) return boxes
    const held = tf.maximum(boxes(weight), SMALLEST_SHARE)
    return (x) => tf.div(boxes(tf.mul(x, weight)), held)
  }
  const mean = meansBy(share)
  const [ofGuide, ofMap] = [mean(guide), mean(map)]
  const covariance = tf.sub(mean(tf.mul(map, guide)), tf.mul(ofMap, ofGuide))
  const variance = tf.relu(tf.sub(mean(tf.square(guide)), tf.square(ofGuide)))
  const slope = tf.div(covariance, tf.add(variance, filter.epsilon)) as tf.Tensor4D
  const offset = tf.sub(ofMap, tf.mul(slope, ofGuide)) as tf.Tensor4D
  const meanOfBoxes = meansBy(share && within(share, (reach - 1) / 2))
  const slopes = meanOfBoxes(slope)
  const inner = within(guide, reach - 1)
  return { values: tf.add(tf.mul(slopes, inner), meanOfBoxes(offset)), slopes, guide: inner }
}
