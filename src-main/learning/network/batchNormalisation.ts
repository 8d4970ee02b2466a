import * as tf from '@tensorflow/tfjs-core'
import { BATCH_NORM_GRADIENT_KERNEL, BATCH_NORM_KERNEL, RELU_GRADIENT_KERNEL } from '../../backends/program.ts'
import { affine } from './affine.ts'

const EPSILON = 1e-5
const SPACE = [0, 1, 2]

/** A normalised map and the batch's moments. */
export interface Normalised {
  output: tf.Tensor4D
  mean: tf.Tensor1D
  variance: tf.Tensor1D
}

/**
 * Batch normalisation, ReLU and optionally 2×2 maximum pooling in one differentiable step (Ioffe and Szegedy 2015, §3).
 * The gradient through the batch's own mean and variance is written out, which reads the map half as often as automatic
 * differentiation; with pooling, ReLU's part is computed at the smaller size.
 *
 * @param x      float32 [n, h, w, c]
 * @param gamma  scale, float32 [c]
 * @param beta   shift, float32 [c]
 */
export function normaliseBatchRelu(x: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D, pooled = false): Normalised {
  return tf.getKernel(BATCH_NORM_KERNEL, tf.getBackend())
    ? normaliseFused(x, gamma, beta, pooled)
    : normaliseByParts(x, gamma, beta, pooled)
}

type GradientFunction = (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor[]

/** Uses the backend's own kernels. The caller disposes of mean and variance, which belong to no scope. */
function normaliseFused(x: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D, pooled: boolean): Normalised {
  const attributes = { epsilon: EPSILON }
  let moments: tf.Tensor[] = []
  const compute = tf.customGrad((...args) => {
    const [map, scale, shift, save] = args as unknown as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D, tf.GradSaveFunc]
    const [normalised, ...reserved] = tf
      .engine()
      .runKernel(BATCH_NORM_KERNEL, { x: map, gamma: scale, beta: shift }, attributes) as unknown as tf.Tensor[]
    // Tensors made within a custom gradient are disposed of at its end.
    moments = reserved.slice(0, 2).map((moment) => tf.keep(tf.clone(moment)))
    const output = tf.relu(normalised)
    const result = pooled ? tf.maxPool(output as tf.Tensor4D, 2, 2, 'valid') : output
    save([map, output, result, scale, ...reserved])
    const gradFunc: GradientFunction = (dy, saved) => {
      const [input, full, outcome, slope, mean, variance, third] = saved
      const wide = pooled ? spreadToMaxima(dy, full, outcome) : dy
      const passed = tf.engine().runKernel<tf.Tensor>(RELU_GRADIENT_KERNEL, { dy: wide, y: full })
      return tf
        .engine()
        .runKernel(
          BATCH_NORM_GRADIENT_KERNEL,
          { dy: passed, x: input, gamma: slope, mean, variance, third },
          attributes
        ) as unknown as tf.Tensor[]
    }
    return { value: result, gradFunc }
  })
  const output = compute(x, gamma, beta) as tf.Tensor4D
  return { output, mean: moments[0] as tf.Tensor1D, variance: moments[1] as tf.Tensor1D }
}

/** Uses operations that every backend has. */
function normaliseByParts(x: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D, pooled: boolean): Normalised {
  const [n, h, w] = x.shape
  const count = n * h * w
  const mean = tf.mean(x, SPACE) as tf.Tensor1D
  const variance = tf.relu(tf.sub(tf.mean(tf.mul(x, x), SPACE), tf.mul(mean, mean))) as tf.Tensor1D
  const deviation = tf.sqrt(tf.add(variance, EPSILON))
  const compute = tf.customGrad((...args) => {
    const [map, scaleBy, shiftBy, save] = args as unknown as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D, tf.GradSaveFunc]
    const scale = tf.div(scaleBy, deviation)
    const output = tf.relu(affine(map, scale, tf.sub(shiftBy, tf.mul(mean, scale))))
    const result = pooled ? tf.maxPool(output as tf.Tensor4D, 2, 2, 'valid') : output
    save([map, output, result, scale, mean, deviation])
    const gradFunc: GradientFunction = (dy, saved) => {
      const [input, full, outcome, slope, centre, spread] = saved
      const positiveOnly = tf.mul(dy, positive(outcome))
      const passed = pooled ? spreadToMaxima(positiveOnly, full, outcome) : positiveOnly
      const total = tf.sum(passed, SPACE)
      const dGamma = tf.div(tf.sub(tf.sum(tf.mul(passed, input), SPACE), tf.mul(centre, total)), spread)
      const along = tf.div(tf.mul(tf.mul(slope, dGamma), -1 / count), spread)
      const constant = tf.sub(tf.mul(tf.mul(slope, total), -1 / count), tf.mul(along, centre))
      const dx = tf.add(affine(passed, slope, constant), affine(input, along, tf.zerosLike(along)))
      return [dx, dGamma, total]
    }
    return { value: result, gradFunc: gradFunc }
  })
  return { output: compute(x, gamma, beta) as tf.Tensor4D, mean, variance }
}

/**
 * Returns 1 where a non-negative map is above zero. Saturating is several times faster than comparing and selecting.
 */
function positive(map: tf.Tensor): tf.Tensor {
  return tf.clipByValue(tf.mul(map, 1e30), 0, 1)
}

/** Gradient of 2×2 maximum pooling. */
function spreadToMaxima(dy: tf.Tensor, input: tf.Tensor, output: tf.Tensor): tf.Tensor {
  return tf.engine().runKernel('MaxPoolGrad', { dy, input, output } as unknown as tf.NamedTensorMap, {
    filterSize: 2,
    strides: 2,
    pad: 'valid'
  })
}

/** Folds the running averages into one scale and shift per channel, for inference. */
export function inferenceScaleShift(
  gamma: Float32Array,
  beta: Float32Array,
  mean: Float32Array,
  variance: Float32Array
): { scale: Float32Array; shift: Float32Array } {
  const scale = gamma.map((value, c) => value / Math.sqrt(variance[c] + EPSILON))
  return { scale, shift: beta.map((value, c) => value - mean[c] * scale[c]) }
}
