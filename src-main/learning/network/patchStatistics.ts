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

/**
 * What a patch looks like in plain numbers: bands and gradient magnitude, and over boxes of several sizes the bands'
 * means and deviations and the mean gradient magnitude. Boxes are rounded to whole output pixels. Not differentiated.
 *
 * @param images  float32 [n, h, w, bands]
 * @param boxes   sides of the boxes in pixels
 * @param stride  side of an output pixel in input pixels
 * @returns       float32 [n, h/stride, w/stride, `patchStatisticsCount`]
 */
export function patchStatistics(images: tf.Tensor4D, boxes: readonly number[], stride: number): tf.Tensor4D {
  const [n, h, w, bands] = images.shape
  const moments = tf.concat([images, gradientMagnitude(images), tf.mul(images, images)], 3) as tf.Tensor4D
  const cells = stride === 1 ? moments : (tf.avgPool(moments, stride, stride, 'valid') as tf.Tensor4D)
  const [oh, ow] = [h / stride, w / stride]
  const part = (map: tf.Tensor4D, from: number, count: number): tf.Tensor => tf.slice(map, [0, 0, 0, from], [n, oh, ow, count])
  const overBoxes = boxes.flatMap((side) => {
    const reach = boxInCells(side, stride)
    const mean = tf.avgPool(tf.avgPool(cells, [reach, 1], 1, 'same'), [1, reach], 1, 'same')
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
