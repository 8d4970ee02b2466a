import * as tf from '@tensorflow/tfjs-core'
import { AFFINE_KERNEL } from '../../backends/program.ts'

/**
 * Computes `x · scale + shift`, channel by channel, without a gradient.
 *
 * @param x      float32 [n, h, w, c]
 * @param scale  float32 [c]
 * @param shift  float32 [c]
 */
export function affine(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor {
  if (!tf.getKernel(AFFINE_KERNEL, tf.getBackend())) return tf.add(tf.mul(x, scale), shift)
  return tf.engine().runKernel(AFFINE_KERNEL, { x, scale, shift }) as tf.Tensor
}
