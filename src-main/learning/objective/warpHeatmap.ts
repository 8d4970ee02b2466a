import * as tf from '@tensorflow/tfjs-core'

/**
 * Carries a heatmap back into the first view's frame, `g*Φ`, by bilinear interpolation from tables.
 *
 * @param heatmap  float32 [n, h, w, C]
 * @param corners  the four pixels around each pixel of the result, as indices into all n·h·w, float32 [n, h, w, 4]
 * @param weights  their weights, all zero where there is no counterpart, float32 [n, h, w, 4]
 */
export function warpHeatmap(heatmap: tf.Tensor4D, corners: tf.Tensor4D, weights: tf.Tensor4D): tf.Tensor4D {
  const [n, h, w, clusters] = heatmap.shape
  const pixels = n * h * w
  const flat = tf.reshape(heatmap, [pixels, clusters])
  const column = (table: tf.Tensor, corner: number): tf.Tensor =>
    tf.slice(tf.reshape(table, [pixels, 4]), [0, corner], [pixels, 1])
  const parts = Array.from({ length: 4 }, (_, corner) => {
    const at = tf.cast(tf.reshape(column(corners, corner), [pixels]), 'int32') as tf.Tensor1D
    return tf.mul(tf.gather(flat, at), column(weights, corner))
  })
  return tf.reshape(tf.addN(parts), heatmap.shape)
}
