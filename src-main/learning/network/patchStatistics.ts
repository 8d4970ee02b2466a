import * as tf from '@tensorflow/tfjs-core'

/** Keeps the slope of the square root finite on flat patches. */
const EPSILON = 1e-6

/** How many numbers `patchStatistics` gives for each pixel. */
export function patchStatisticsCount(bands: number, boxes: readonly number[]): number {
  return bands + 1 + boxes.length * (2 * bands + 1)
}

/** Which of the statistics are means, of bands and of gradients, and no deviations. */
export function meanStatistics(bands: number, boxes: readonly number[]): number[] {
  const perBox = 2 * bands + 1
  return Array.from({ length: patchStatisticsCount(bands, boxes) }, (_, i) => i).filter((i) => {
    const within = (i - bands - 1) % perBox
    return i <= bands || within < bands || within === 2 * bands
  })
}

/** Side of a box in output pixels: odd, and as near as can be. */
export function boxInCells(side: number, stride: number): number {
  return 2 * Math.max(0, Math.round((side / stride - 1) / 2)) + 1
}

/** Keeps the share of valid pixels in a box from being nothing. */
const SMALLEST_SHARE = 1e-4

/**
 * What a patch looks like in plain numbers: bands and gradient magnitude, and over boxes of several sizes the bands'
 * means and deviations and the mean gradient magnitude. Boxes are rounded to whole output pixels. Not differentiated.
 * With a mask, box sums are divided by the valid pixels that they hold, so that nothing tells how near the border of
 * the known is.
 *
 * @param images  float32 [n, h, w, bands]
 * @param boxes   sides of the boxes in pixels
 * @param stride  side of an output pixel in input pixels
 * @param valid   1 where a pixel holds data, float32 [n, h, w, 1]; all do when absent
 * @returns       float32 [n, h/stride, w/stride, `patchStatisticsCount`]
 */
export function patchStatistics(images: tf.Tensor4D, boxes: readonly number[], stride: number, valid?: tf.Tensor4D): tf.Tensor4D {
  const [n, h, w, bands] = images.shape
  const moments = tf.concat([images, gradientMagnitude(images), tf.mul(images, images)], 3) as tf.Tensor4D
  const inCells = (map: tf.Tensor4D): tf.Tensor4D => (stride === 1 ? map : (tf.avgPool(map, stride, stride, 'valid') as tf.Tensor4D))
  const inBoxes = (map: tf.Tensor4D, reach: number): tf.Tensor4D => tf.avgPool(tf.avgPool(map, [reach, 1], 1, 'same'), [1, reach], 1, 'same') as tf.Tensor4D
  const counted = inCells(valid ? tf.mul(moments, valid) : moments)
  const share = valid && inCells(valid)
  const perPixel = (map: tf.Tensor4D, of: tf.Tensor4D | undefined): tf.Tensor4D => (of ? tf.div(map, tf.maximum(of, SMALLEST_SHARE)) : map)
  const cells = perPixel(counted, share)
  const [oh, ow] = [h / stride, w / stride]
  const part = (map: tf.Tensor4D, from: number, count: number): tf.Tensor => tf.slice(map, [0, 0, 0, from], [n, oh, ow, count])
  const overBoxes = boxes.flatMap((side) => {
    const reach = boxInCells(side, stride)
    const mean = perPixel(inBoxes(counted, reach), share && inBoxes(share, reach))
    const bandMeans = part(mean, 0, bands)
    const variance = tf.sub(part(mean, bands + 1, bands), tf.mul(bandMeans, bandMeans))
    return [bandMeans, tf.sqrt(tf.add(tf.relu(variance), EPSILON)), part(mean, bands, 1)]
  })
  return tf.concat([part(cells, 0, bands + 1), ...overBoxes], 3) as tf.Tensor4D
}

/** Length of the forward differences over all bands, zero at the far borders; float32 [n, h, w, 1]. */
function gradientMagnitude(images: tf.Tensor4D): tf.Tensor4D {
  const [n, h, w, bands] = images.shape
  const from = (r: number, c: number): tf.Tensor4D => tf.slice(images, [0, r, c, 0], [n, h - 1, w - 1, bands])
  const origin = from(0, 0)
  const [down, right] = [tf.sub(from(1, 0), origin), tf.sub(from(0, 1), origin)]
  const energy = tf.sum(tf.add(tf.mul(down, down), tf.mul(right, right)), 3, true)
  const length = tf.sqrt(tf.add(energy, EPSILON)) as tf.Tensor4D
  return tf.pad4d(length, [[0, 0], [0, 1], [0, 1], [0, 0]])
}
