import * as tf from '@tensorflow/tfjs-core'
import { TesseraError } from '../../contract/errors.ts'

/**
 * Sums every channel over the square |t| ≤ radius around each pixel, zero outside the map. Separable and
 * self-adjoint, so its gradient is itself.
 *
 * @param map     float32 [n, h, w, C]
 * @param radius  half-width of the square in pixels
 */
export function boxSum(map: tf.Tensor4D, radius: number): tf.Tensor4D {
  if (radius === 0) return map
  const side = 2 * radius + 1
  const sum = (x: tf.Tensor4D): tf.Tensor4D => {
    const padded = tf.pad4d(x, [[0, 0], [radius, radius], [radius, radius], [0, 0]])
    const alongRows = tf.avgPool(padded, [side, 1], 1, 'valid')
    return tf.mul(tf.avgPool(alongRows, [1, side], 1, 'valid'), side * side)
  }
  return tf.customGrad((x) => ({ value: sum(x as tf.Tensor4D), gradFunc: (dy: tf.Tensor4D) => sum(dy) }))(map) as tf.Tensor4D
}

/**
 * Joint distribution of cluster assignments over all displacements |t| ≤ radius, eq. (8) of the IID paper.
 *
 * Summing over displacements commutes with the product, so one box sum and one matrix product replace the
 * (2·radius+1)² products of the definition. Exact, O(n·h·w·C²) whatever the radius.
 *
 * @param first   assignment probabilities of the original view, float32 [n, h, w, C], each pixel sums to 1
 * @param second  the same for the transformed view, already warped back to the first view's frame
 * @param radius  displacement half-width in pixels (10 in the paper)
 * @param masks   1 where a pixel of either view counts, float32 [n, h, w, 1]; all count when absent
 * @returns       symmetric joint P, float32 [C, C], sums to 1
 * @throws ShapeMismatch when the two maps differ in shape
 */
export function jointOverDisplacements(
  first: tf.Tensor4D,
  second: tf.Tensor4D,
  radius: number,
  masks?: { first: tf.Tensor4D; second: tf.Tensor4D }
): tf.Tensor2D {
  if (first.shape.join() !== second.shape.join()) {
    throw new TesseraError('ShapeMismatch', { expected: first.shape.join('×'), found: second.shape.join('×') })
  }
  const clusters = first.shape[3]
  const counted = masks ? { first: tf.mul(first, masks.first), second: tf.mul(second, masks.second) } : { first, second }
  const rows = tf.transpose(tf.reshape(counted.first as tf.Tensor4D, [-1, clusters]))
  const columns = tf.reshape(boxSum(counted.second as tf.Tensor4D, radius), [-1, clusters])
  return normaliseJoint(tf.matMul(rows, columns) as tf.Tensor2D)
}

/**
 * The same joint for maps that are known at a coarser resolution and enlarged by interpolation, without enlarging
 * them. With the interpolation matrices A, A′ (rows), B, B′ (columns) and the box sum S, all linear and separable,
 * `P = Σ_u (AΦB ᵀ)_u (S A′Φ′B′ᵀ S)_uᵀ = Σ Φ · (AᵀSA′) Φ′ (BᵀSB′)ᵀ`: exact, at the coarse resolution's cost. Flips,
 * shifts, scales and rectangular overlaps of the views are part of the matrices. With a shift by one displacement in
 * the place of S, the joint is that displacement's own.
 *
 * @param first    coarse assignment probabilities of the first view, float32 [n, h, w, C]
 * @param second   the same of the second view, in its own frame, float32 [n, h′, w′, C]
 * @param rows     AᵀSA′ per sample and (set of) displacements, float32 [n, D, h, h′] (see `displacementMatrix`)
 * @param columns  BᵀSB′ of the same, float32 [n, D, w, w′]
 * @returns        D symmetric joints P, float32 [D, C, C], each sums to 1
 */
export function jointThroughInterpolation(first: tf.Tensor4D, second: tf.Tensor4D, rows: tf.Tensor4D, columns: tf.Tensor4D): tf.Tensor3D {
  const [n, h, w, clusters] = first.shape
  const [, h2, w2] = second.shape
  const sets = rows.shape[1]
  const alongColumns = tf.matMul(
    tf.reshape(tf.transpose(second, [0, 3, 1, 2]), [n, clusters * h2, w2]),
    tf.transpose(tf.reshape(columns, [n, sets * w, w2]), [0, 2, 1])
  )
  const columnsFirst = tf.transpose(tf.reshape(alongColumns, [n, clusters, h2, sets, w]), [0, 3, 2, 1, 4])
  const alongRows = tf.matMul(tf.reshape(rows, [n * sets, h, h2]), tf.reshape(columnsFirst, [n * sets, h2, clusters * w]))
  const pixelsFirst = tf.transpose(tf.reshape(alongRows, [n, sets, h, clusters, w]), [0, 2, 4, 1, 3])
  const counterpart = tf.reshape(pixelsFirst, [n, h * w, sets * clusters])
  const mine = tf.reshape(tf.transpose(first, [0, 3, 1, 2]), [n, clusters, h * w])
  const counts = tf.reshape(tf.sum(tf.matMul(mine, counterpart), 0), [clusters, sets, clusters])
  return normaliseJoint(tf.transpose(counts, [1, 0, 2]) as tf.Tensor3D)
}

/** Divides by the sum and averages with the transpose, as the paper does for pairs of unordered views; [C, C] or [D, C, C]. */
export function normaliseJoint<T extends tf.Tensor2D | tf.Tensor3D>(counts: T): T {
  const joint = tf.div(counts, tf.sum(counts, [-2, -1], true))
  const swapped = counts.rank === 2 ? [1, 0] : [0, 2, 1]
  return tf.mul(tf.add(joint, tf.transpose(joint, swapped)), 0.5) as T
}
