import * as tf from '@tensorflow/tfjs-core'

/** Keeps the slope of the square root finite on flat patches. */
const EPSILON = 1e-6

/** Number of values that `patchStatistics` returns for each pixel. */
export function patchStatisticsCount(bands: number, boxes: readonly number[]): number {
  return bands + 1 + boxes.length * (2 * bands + 1)
}

/** Indices of the statistics that are means, of bands and of gradients, and not deviations. */
export function meanStatistics(bands: number, boxes: readonly number[]): number[] {
  const perBox = 2 * bands + 1
  return Array.from({ length: patchStatisticsCount(bands, boxes) }, (_, i) => i).filter((i) => {
    const within = (i - bands - 1) % perBox
    return i <= bands || within < bands || within === 2 * bands
  })
}

/** Side of a box in output pixels: the nearest odd number. */
export function boxInCells(side: number, stride: number): number {
  return 2 * Math.max(0, Math.round((side / stride - 1) / 2)) + 1
}

/** Keeps the share of valid pixels in a box above zero. */
export const SMALLEST_SHARE = 1e-4

/** Options of `patchStatistics`. */
export interface PatchOptions {
  /** 1 where a pixel has data, float32 [n, h, w, 1]; all have data when absent. */
  valid?: tf.Tensor4D
  /** Weight λ of likeness in `leastVariance`, which chooses a box for each pixel; boxes stay centred when absent. */
  kuwahara?: number
}

/**
 * Describes patches in plain numbers: bands and gradient magnitude and, over boxes of several sizes, the bands' means
 * and deviations and the mean gradient magnitude. Boxes are rounded to whole output pixels. Not differentiated. With a
 * mask, box sums are divided by the valid pixels in the box, so that nothing reveals how near the border of the data
 * is.
 *
 * @param images  float32 [n, h, w, bands]
 * @param boxes   sides of the boxes in pixels
 * @param stride  side of an output pixel in input pixels
 * @returns       float32 [n, h/stride, w/stride, `patchStatisticsCount`]
 */
export function patchStatistics(
  images: tf.Tensor4D,
  boxes: readonly number[],
  stride: number,
  { valid, kuwahara }: PatchOptions = {}
): tf.Tensor4D {
  const [n, h, w, bands] = images.shape
  const moments = tf.concat([images, gradientMagnitude(images), tf.mul(images, images)], 3) as tf.Tensor4D
  const inCells = (map: tf.Tensor4D): tf.Tensor4D =>
    stride === 1 ? map : (tf.avgPool(map, stride, stride, 'valid') as tf.Tensor4D)
  const counted = inCells(valid ? tf.mul(moments, valid) : moments)
  const share = valid && inCells(valid)
  const perPixel = (map: tf.Tensor4D, of: tf.Tensor4D | undefined): tf.Tensor4D =>
    of ? tf.div(map, tf.maximum(of, SMALLEST_SHARE)) : map
  const cells = perPixel(counted, share)
  const [oh, ow] = [h / stride, w / stride]
  const part = (map: tf.Tensor4D, from: number, count: number): tf.Tensor4D =>
    tf.slice(map, [0, 0, 0, from], [n, oh, ow, count])
  const overBoxes = boxes.flatMap((side) => {
    const reach = boxInCells(side, stride)
    const held = share && boxMeans(share, reach)
    const mean = perPixel(boxMeans(counted, reach), held)
    const bandMeans = part(mean, 0, bands)
    const variance = tf.relu(tf.sub(part(mean, bands + 1, bands), tf.mul(bandMeans, bandMeans))) as tf.Tensor4D
    const measured = tf.concat([bandMeans, tf.sqrt(tf.add(variance, EPSILON)), part(mean, bands, 1)], 3) as tf.Tensor4D
    return kuwahara === undefined || reach === 1
      ? [measured]
      : [
          leastVariance(measured, {
            variance,
            means: bandMeans,
            own: part(cells, 0, bands),
            held,
            reach,
            likeness: kuwahara
          })
        ]
  })
  return tf.concat([part(cells, 0, bands + 1), ...overBoxes], 3) as tf.Tensor4D
}

/** Means over square boxes of an odd side, counting only pixels within the map. */
function boxMeans(map: tf.Tensor4D, reach: number): tf.Tensor4D {
  const [, h, w] = map.shape
  const r = (reach - 1) / 2
  const within = (length: number): number[] =>
    Array.from({ length }, (_, i) => Math.min(i, r) + 1 + Math.min(length - 1 - i, r))
  const [rows, columns] = [within(h), within(w)]
  const shares = Float32Array.from({ length: h * w }, (_, i) => 1 / (rows[Math.floor(i / w)] * columns[i % w]))
  const down = runSums(
    tf.pad4d(map, [
      [0, 0],
      [r, r],
      [0, 0],
      [0, 0]
    ]),
    1,
    reach
  )
  const sums = runSums(
    tf.pad4d(down, [
      [0, 0],
      [0, 0],
      [r, r],
      [0, 0]
    ]),
    2,
    reach
  )
  return tf.mul(sums, tf.tensor4d(shares, [1, h, w, 1])) as tf.Tensor4D
}

/**
 * Sums of `count` consecutive entries along an axis, from sums of 1, 2, 4 … entries. All are summed in the same order,
 * so that a result does not depend on its position.
 */
function runSums(map: tf.Tensor4D, axis: 1 | 2, count: number): tf.Tensor4D {
  const part = (x: tf.Tensor4D, from: number, length: number): tf.Tensor4D => {
    const [begin, size] = [[0, 0, 0, 0], [...x.shape]]
    begin[axis] = from
    size[axis] = length
    return tf.slice(x, begin, size)
  }
  const length = map.shape[axis] - count + 1
  let [doubled, sum, taken]: [tf.Tensor4D, tf.Tensor4D | undefined, number] = [map, undefined, 0]
  for (let size = 1; size <= count; size *= 2) {
    if (count & size) {
      const piece = part(doubled, taken, length)
      sum = sum ? (tf.add(sum, piece) as tf.Tensor4D) : piece
      taken += size
    }
    const left = doubled.shape[axis] - size
    if (2 * size <= count) doubled = tf.add(part(doubled, 0, left), part(doubled, size, left)) as tf.Tensor4D
  }
  return sum!
}

/** Costs of a box that extends beyond the image, which must not be chosen, and of one with little data. */
const BEYOND = 1e6
const MOSTLY_EMPTY = 1e3
const ENOUGH_HELD = 0.5

interface Boxes {
  /** Variances and means of the bands around each pixel, float32 [n, h, w, bands]. */
  variance: tf.Tensor4D
  means: tf.Tensor4D
  /** The pixels' own bands. */
  own: tf.Tensor4D
  /** Share of each box with data, float32 [n, h, w, 1]. */
  held?: tf.Tensor4D
  /** Side of the box in output pixels. */
  reach: number
  /** Weight λ of likeness. */
  likeness: number
}

/**
 * The Kuwahara filter (Kuwahara et al. 1976): of the nine boxes that contain a pixel, centred on it and on its eight
 * neighbours half a box away, each pixel takes the one that minimises Σ_bands variance + λ Σ_bands (mean − own)². A box
 * on one side of an edge wins over boxes across it.
 */
function leastVariance(measured: tf.Tensor4D, { variance, means, own, held, reach, likeness }: Boxes): tf.Tensor4D {
  const [n, h, w, channels] = measured.shape
  const r = (reach - 1) / 2
  const uniformity = tf.sum(variance, 3, true)
  const penalised = held ? tf.add(uniformity, tf.mul(tf.relu(tf.sub(ENOUGH_HELD, held)), MOSTLY_EMPTY)) : uniformity
  const around = (map: tf.Tensor, value: number): tf.Tensor4D =>
    tf.pad4d(
      map as tf.Tensor4D,
      [
        [0, 0],
        [r, r],
        [r, r],
        [0, 0]
      ],
      value
    )
  const [costs, candidates] = [around(penalised, BEYOND), around(means, 0)]
  // The pixel's own box comes first, so that it wins ties.
  const shifts = [
    [0, 0],
    [-r, -r],
    [-r, 0],
    [-r, r],
    [0, -r],
    [0, r],
    [r, -r],
    [r, 0],
    [r, r]
  ]
  const shifted = (map: tf.Tensor4D): tf.Tensor4D =>
    tf.concat(
      shifts.map(([dy, dx]) => tf.slice(map, [0, r + dy, r + dx, 0], [n, h, w, map.shape[3]])),
      0
    )
  const spread = shifted(costs)
  // Summing band by band is several times as fast as summing along the last axis.
  const ofBand = (map: tf.Tensor4D, band: number): tf.Tensor4D =>
    tf.slice(map, [0, 0, 0, band], [map.shape[0], map.shape[1], map.shape[2], 1])
  const unlike = (): tf.Tensor => {
    const bands = Array.from({ length: own.shape[3] }, (_, band) => band)
    return tf.addN(
      bands.map((band) =>
        tf.square(tf.sub(shifted(ofBand(candidates, band)), tf.tile(ofBand(own, band), [shifts.length, 1, 1, 1])))
      )
    )
  }
  const cost = tf.reshape(likeness === 0 ? spread : tf.add(spread, tf.mul(unlike(), likeness)), [
    shifts.length,
    n * h * w
  ])
  const chosen = tf.cast(tf.argMax(tf.neg(cost), 0), 'int32')
  const offsets = tf.gather(tf.tensor2d(shifts.map(([dy, dx]) => [dy * w + dx])), chosen)
  // Pixel numbers stay below 2²⁴, up to which float32 counts exactly.
  const places = tf.cast(
    tf.add(tf.reshape(offsets, [n * h * w]), tf.tensor1d(Float32Array.from({ length: n * h * w }, (_, i) => i))),
    'int32'
  )
  return tf.reshape(tf.gather(tf.reshape(measured, [n * h * w, channels]), places), [n, h, w, channels])
}

/** Magnitude of the forward differences over all bands, zero at the far borders; float32 [n, h, w, 1]. */
function gradientMagnitude(images: tf.Tensor4D): tf.Tensor4D {
  const [n, h, w, bands] = images.shape
  const from = (r: number, c: number): tf.Tensor4D => tf.slice(images, [0, r, c, 0], [n, h - 1, w - 1, bands])
  const origin = from(0, 0)
  const [down, right] = [tf.sub(from(1, 0), origin), tf.sub(from(0, 1), origin)]
  const energy = tf.sum(tf.add(tf.mul(down, down), tf.mul(right, right)), 3, true)
  const length = tf.sqrt(tf.add(energy, EPSILON)) as tf.Tensor4D
  return tf.pad4d(length, [
    [0, 0],
    [0, 1],
    [0, 1],
    [0, 0]
  ])
}
