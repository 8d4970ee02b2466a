import * as tf from '@tensorflow/tfjs-core'
import { SmaltiError } from '../../contract/errors.ts'

/**
 * Sums every channel over the square |t| ≤ radius around each pixel, with zeros outside the map. Separable and
 * self-adjoint, so that it is its own gradient.
 *
 * @param map     float32 [n, h, w, C]
 * @param radius  half-width of the square in pixels
 */
export function boxSum(map: tf.Tensor4D, radius: number): tf.Tensor4D {
  if (radius === 0) return map
  const side = 2 * radius + 1
  const sum = (x: tf.Tensor4D): tf.Tensor4D => {
    const padded = tf.pad4d(x, [
      [0, 0],
      [radius, radius],
      [radius, radius],
      [0, 0]
    ])
    const alongRows = tf.avgPool(padded, [side, 1], 1, 'valid')
    return tf.mul(tf.avgPool(alongRows, [1, side], 1, 'valid'), side * side)
  }
  return tf.customGrad((x) => ({ value: sum(x as tf.Tensor4D), gradFunc: (dy: tf.Tensor4D) => sum(dy) }))(
    map
  ) as tf.Tensor4D
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
    throw new SmaltiError('ShapeMismatch', { expected: first.shape.join('×'), found: second.shape.join('×') })
  }
  const clusters = first.shape[3]
  const counted = masks
    ? { first: tf.mul(first, masks.first), second: tf.mul(second, masks.second) }
    : { first, second }
  const rows = tf.transpose(tf.reshape(counted.first as tf.Tensor4D, [-1, clusters]))
  const columns = tf.reshape(boxSum(counted.second as tf.Tensor4D, radius), [-1, clusters])
  return normaliseJoint(tf.matMul(rows, columns) as tf.Tensor2D)
}

/**
 * Computes the same joint for maps that are known at a coarser resolution and enlarged by interpolation, without
 * enlarging them. With the interpolation matrices A, A′ (rows), B, B′ (columns) and the box sum S, all linear and
 * separable, `P = Σ_u (AΦB ᵀ)_u (S A′Φ′B′ᵀ S)_uᵀ = Σ Φ · (AᵀSA′) Φ′ (BᵀSB′)ᵀ`: exact, at the cost of the coarse
 * resolution. The matrices include flips, shifts, scales and rectangular overlaps of the views. With a shift by one
 * displacement in place of S, the joint is that displacement's own.
 *
 * @param first    coarse assignment probabilities of the first view, float32 [n, h, w, C]
 * @param second   the same of the second view, in its own frame, float32 [n, h′, w′, C]
 * @param rows     AᵀSA′ per sample and (set of) displacements, float32 [n, D, h, h′] (see `displacementMatrix`)
 * @param columns  BᵀSB′ of the same, float32 [n, D, w, w′]
 * @param most     most numbers in an intermediate map; beyond that, displacements are processed in parts
 * @returns        D symmetric joints P, float32 [D, C, C], each sums to 1
 */
export function jointThroughInterpolation(
  first: tf.Tensor4D,
  second: tf.Tensor4D,
  rows: tf.Tensor4D,
  columns: tf.Tensor4D,
  most = MOST_NUMBERS
): tf.Tensor3D {
  const [n, h, w, clusters] = first.shape
  const atOnce = Math.max(1, Math.floor(most / (n * clusters * Math.max(h, second.shape[1]) * w)))
  const counts =
    atOnce < rows.shape[1]
      ? countsInParts(first, second, rows, columns, atOnce)
      : countsThroughInterpolation(first, second, rows, columns)
  return normaliseJoint(counts)
}

/** Half a gigabyte. The published batches with all 441 displacements would take 17 at once, several times over. */
const MOST_NUMBERS = 2 ** 27

/** Counts how often clusters meet, [D, C, C], for maps and matrices as in `jointThroughInterpolation`. */
function countsThroughInterpolation(
  first: tf.Tensor4D,
  second: tf.Tensor4D,
  rows: tf.Tensor4D,
  columns: tf.Tensor4D
): tf.Tensor3D {
  const [n, h, w, clusters] = first.shape
  const mine = tf.reshape(tf.transpose(first, [0, 3, 1, 2]), [n, clusters, h * w])
  const met = tf.sum(tf.matMul(mine, counterparts(second, rows, columns)), 0)
  return tf.transpose(tf.reshape(met, [clusters, rows.shape[1], clusters]), [1, 0, 2]) as tf.Tensor3D
}

/** Returns what each pixel of the first view meets in the second at each displacement, float32 [n, h·w, D·C]. */
function counterparts(second: tf.Tensor4D, rows: tf.Tensor4D, columns: tf.Tensor4D): tf.Tensor {
  const [n, h2, w2, clusters] = second.shape
  const [, sets, h] = rows.shape
  const w = columns.shape[2]
  const alongColumns = tf.matMul(
    tf.reshape(tf.transpose(second, [0, 3, 1, 2]), [n, clusters * h2, w2]),
    tf.transpose(tf.reshape(columns, [n, sets * w, w2]), [0, 2, 1])
  )
  const columnsFirst = tf.transpose(tf.reshape(alongColumns, [n, clusters, h2, sets, w]), [0, 3, 2, 1, 4])
  const alongRows = tf.matMul(
    tf.reshape(rows, [n * sets, h, h2]),
    tf.reshape(columnsFirst, [n * sets, h2, clusters * w])
  )
  const pixelsFirst = tf.transpose(tf.reshape(alongRows, [n, sets, h, clusters, w]), [0, 2, 4, 1, 3])
  return tf.reshape(pixelsFirst, [n, h * w, sets * clusters])
}

/**
 * The adjoint of `counterparts`: turns a gradient by its result [n, h·w, D·C] into one by the second view [n, h′, w′,
 * C].
 */
function adjointCounterparts(gradient: tf.Tensor, rows: tf.Tensor4D, columns: tf.Tensor4D): tf.Tensor {
  const [n, sets, h, h2] = rows.shape
  const [, , w, w2] = columns.shape
  const clusters = gradient.shape[2]! / sets
  const alongRows = tf.transpose(tf.reshape(gradient, [n, h, w, sets, clusters]), [0, 3, 1, 4, 2])
  const columnsFirst = tf.matMul(
    tf.transpose(tf.reshape(rows, [n * sets, h, h2]), [0, 2, 1]),
    tf.reshape(alongRows, [n * sets, h, clusters * w])
  )
  const alongColumns = tf.transpose(tf.reshape(columnsFirst, [n, sets, h2, clusters, w]), [0, 3, 2, 1, 4])
  const planes = tf.matMul(
    tf.reshape(alongColumns, [n, clusters * h2, sets * w]),
    tf.reshape(columns, [n, sets * w, w2])
  )
  return tf.transpose(tf.reshape(planes, [n, clusters, h2, w2]), [0, 2, 3, 1])
}

/**
 * Computes the same counts, `atOnce` displacements at a time. The gradient recomputes each part, so that only one is
 * ever in memory.
 */
function countsInParts(
  first: tf.Tensor4D,
  second: tf.Tensor4D,
  rows: tf.Tensor4D,
  columns: tf.Tensor4D,
  atOnce: number
): tf.Tensor3D {
  const [n, h, w, clusters] = first.shape
  const sets = rows.shape[1]
  const starts = Array.from({ length: Math.ceil(sets / atOnce) }, (_, i) => i * atOnce)
  const part = (matrices: tf.Tensor4D, from: number): tf.Tensor4D =>
    tf.slice(matrices, [0, from, 0, 0], [-1, Math.min(atOnce, sets - from), -1, -1])
  return tf.customGrad((...inputs) => {
    const [a, b, save] = inputs as unknown as [tf.Tensor4D, tf.Tensor4D, tf.GradSaveFunc]
    save([a, b, rows, columns])
    const gradFunc = (dy: tf.Tensor3D, saved: tf.Tensor[]): tf.Tensor[] => {
      const [a, b, r, c] = saved as tf.Tensor4D[]
      const mine = tf.reshape(a, [n, h * w, clusters])
      const gradients = starts.map((from) => {
        const [rows, columns] = [part(r, from), part(c, from)]
        const slopes = tf.slice(dy, [from, 0, 0], [rows.shape[1], clusters, clusters])
        const byMine = tf.reshape(tf.transpose(slopes, [0, 2, 1]), [1, -1, clusters])
        const byTheirs = tf.reshape(tf.transpose(slopes, [1, 0, 2]), [1, clusters, -1])
        return [
          tf.matMul(counterparts(b, rows, columns), byMine),
          adjointCounterparts(tf.matMul(mine, byTheirs), rows, columns)
        ]
      })
      const [ofMine, ofTheirs] = [0, 1].map((input) => tf.addN(gradients.map((pair) => pair[input])))
      return [tf.reshape(ofMine, a.shape), ofTheirs]
    }
    return {
      value: tf.concat(
        starts.map((from) => countsThroughInterpolation(a, b, part(rows, from), part(columns, from))),
        0
      ),
      gradFunc
    }
  })(first, second) as tf.Tensor3D
}

/**
 * Divides by the sum and averages with the transpose, as the paper does for unordered pairs of views; [C, C] or [D, C,
 * C].
 */
function normaliseJoint<T extends tf.Tensor2D | tf.Tensor3D>(counts: T): T {
  const joint = tf.div(counts, tf.sum(counts, [-2, -1], true))
  const swapped = counts.rank === 2 ? [1, 0] : [0, 2, 1]
  return tf.mul(tf.add(joint, tf.transpose(joint, swapped)), 0.5) as T
}
