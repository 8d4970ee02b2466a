import * as tf from '@tensorflow/tfjs-core'
import type { StepShape } from '../../contract/training.ts'
import { type Architecture, outputStride } from '../network/architecture.ts'
import { type Uniform, integerBelow } from '../random.ts'
import type { Batch } from '../views/pairs.ts'

/** Places tried before one without data is taken. */
const TRIES = 20
const SMALLEST = 1e-7

/** Side of the heads' output: of whole images they give one answer. */
export const headSide = (architecture: Architecture, shape: StepShape): number =>
  architecture.wholeImage ? 1 : mapSide(architecture, shape)

/** Side of the trunk's output of a batch. */
export function mapSide(architecture: Architecture, { crop }: StepShape): number {
  return Math.floor(crop / outputStride(architecture))
}

/** Whether an output pixel of one of the 2n images holds data in its middle. */
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

/** `count` places of each of the 2n images, as indices into all pixels of maps with such sides, of those that hold data. */
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

/** Means of maps over what counts of them, [n, C]. @param share  how much each pixel counts, [n, h, w, 1]; all alike when absent */
export function meansOf(map: tf.Tensor4D, share?: tf.Tensor): tf.Tensor2D {
  const [n, , , channels] = map.shape
  const means = share
    ? tf.div(tf.sum(tf.mul(map, share), [1, 2]), tf.add(tf.sum(share, [1, 2]), SMALLEST))
    : tf.mean(map, [1, 2])
  return tf.reshape(means, [n, channels])
}

/** Rows of a map's pixels. @param places  indices into all its n·h·w pixels, float32 [count] @returns [count, C] */
export function cellsAt(map: tf.Tensor4D, places: tf.Tensor): tf.Tensor2D {
  const [n, h, w, channels] = map.shape
  return tf.gather(
    tf.reshape(map, [n * h * w, channels]),
    tf.cast(tf.reshape(places, [places.size]), 'int32') as tf.Tensor1D
  ) as tf.Tensor2D
}
