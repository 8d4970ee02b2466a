import * as tf from '@tensorflow/tfjs-core'
import type { StepShape } from '../../contract/training.ts'
import { type Architecture, outputStride } from '../network/architecture.ts'
import { type Uniform, integerBelow } from '../random.ts'
import type { Batch } from '../views/pairs.ts'

/** Attempts to find a place with data before one without is accepted. */
const TRIES = 20
const SMALLEST = 1e-7

/** Side of the heads' output, which is 1 for whole images. */
export const headSide = (architecture: Architecture, shape: StepShape): number =>
  architecture.wholeImage ? 1 : mapSide(architecture, shape)

/** Side of the trunk's output for a batch. */
export function mapSide(architecture: Architecture, { crop }: StepShape): number {
  return Math.floor(crop / outputStride(architecture))
}

/** Returns a function that tells whether the centre of an output pixel in one of the 2n images has data. */
export function hasData(
  batch: Batch,
  { pairs, crop }: StepShape,
  stride: number
): (image: number, row: number, column: number) => boolean {
  const { firstValid, secondValid } = batch
  if (!firstValid || !secondValid) return () => true
  const middle = Math.floor(stride / 2)
  return (image, row, column) =>
    (image < pairs ? firstValid : secondValid)[
      ((image % pairs) * crop + row * stride + middle) * crop + column * stride + middle
    ] > 0
}

/**
 * Draws `count` places with data from each of the 2n images, as indices into all pixels of maps with the given side.
 */
export function drawPlaces(
  batch: Batch,
  architecture: Architecture,
  shape: StepShape,
  count: number,
  uniform: Uniform,
  side = mapSide(architecture, shape)
): Float32Array {
  const holds = hasData(batch, shape, outputStride(architecture))
  return Float32Array.from({ length: 2 * shape.pairs * count }, (_, i) => {
    const image = Math.floor(i / count)
    let [row, column] = [0, 0]
    for (let attempt = 0; attempt < TRIES; attempt++) {
      ;[row, column] = [integerBelow(side, uniform), integerBelow(side, uniform)]
      if (holds(image, row, column)) break
    }
    return (image * side + row) * side + column
  })
}

/**
 * Weighted means of maps, [n, C].
 * @param share  weight of each pixel, [n, h, w, 1]; equal when absent
 */
export function meansOf(map: tf.Tensor4D, share?: tf.Tensor): tf.Tensor2D {
  const [n, , , channels] = map.shape
  const means = share
    ? tf.div(tf.sum(tf.mul(map, share), [1, 2]), tf.add(tf.sum(share, [1, 2]), SMALLEST))
    : tf.mean(map, [1, 2])
  return tf.reshape(means, [n, channels])
}

/**
 * Gathers the features of a map at some places.
 *
 * @param places  indices into all its n·h·w pixels, float32 [count]
 * @returns       [count, C]
 */
export function cellsAt(map: tf.Tensor4D, places: tf.Tensor): tf.Tensor2D {
  const [n, h, w, channels] = map.shape
  return tf.gather(
    tf.reshape(map, [n * h * w, channels]),
    tf.cast(tf.reshape(places, [places.size]), 'int32') as tf.Tensor1D
  ) as tf.Tensor2D
}
