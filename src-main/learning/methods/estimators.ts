import * as tf from '@tensorflow/tfjs-core'
import { softplus } from './method.ts'

/** Stands in for −∞ where the logarithm of a sum leaves entries out. */
const NOTHING = -1e9

/** `ln Σ exp` along an axis, which keeps length 1. */
function logSumExp(x: tf.Tensor, axis: number): tf.Tensor {
  const most = tf.max(x, axis, true)
  return tf.add(most, tf.log(tf.sum(tf.exp(tf.sub(x, most)), axis, true)))
}

/**
 * A lower bound of the information between two variables, from scores of joint and of independent draws; training
 * maximises it.
 *
 * @param scores     T(a_r, b_c), float32 [rows, columns]
 * @param positives  1 where a row and a column were drawn together, one in each row, float32 [rows, columns]
 * @returns          scalar, nats
 */
type Estimator = (scores: tf.Tensor2D, positives: tf.Tensor2D) => tf.Scalar

const ofJoint = (scores: tf.Tensor, positives: tf.Tensor): tf.Tensor => tf.sum(tf.mul(scores, positives), 1, true)
const meanOfPositives = (values: tf.Tensor, positives: tf.Tensor): tf.Tensor =>
  tf.div(tf.sum(tf.mul(values, positives)), tf.sum(positives))
const meanOfNegatives = (values: tf.Tensor, positives: tf.Tensor): tf.Tensor =>
  tf.div(tf.sum(tf.mul(values, tf.sub(1, positives))), tf.sum(tf.sub(1, positives)))
const onlyNegatives = (scores: tf.Tensor, positives: tf.Tensor): tf.Tensor => tf.add(scores, tf.mul(positives, NOTHING))

export const ESTIMATORS = {
  /** Donsker and Varadhan 1983, as in MINE (Belghazi et al. 2018, eq. 10): `E_P[T] − ln E_Q[exp T]`. */
  dv(scores, positives) {
    const negatives = tf.sum(tf.sub(1, positives))
    const all = logSumExp(logSumExp(onlyNegatives(scores, positives), 1), 0)
    return tf.sum(tf.sub(meanOfPositives(scores, positives), tf.sub(all, tf.log(negatives)))) as tf.Scalar
  },
  /**
   * Jensen and Shannon (DIM, eq. 4), 2 (JSD − …) up to constants: `E_P[ln 2 − sp(−T)] − E_Q[sp(−T) + T − ln 2]`. Not an
   * estimate of information.
   */
  jsd(scores, positives) {
    const joint = tf.sub(Math.LN2, softplus(tf.neg(scores)))
    const independent = tf.sub(tf.add(softplus(tf.neg(scores)), scores), Math.LN2)
    return tf.sum(tf.sub(meanOfPositives(joint, positives), meanOfNegatives(independent, positives))) as tf.Scalar
  },
  /**
   * Noise contrast (van den Oord et al. 2018; DIM, eq. 5): each row with its column against all other rows with that
   * column; at most `ln(negatives + 1)`.
   */
  infonce(scores, positives) {
    const others = logSumExp(onlyNegatives(scores, positives), 0)
    const count = tf.add(1, tf.sum(tf.sub(1, positives), 0, true))
    const own = ofJoint(scores, positives)
    const rest = ofJoint(tf.add(tf.zerosLike(scores), others), positives)
    const most = ofJoint(tf.add(tf.zerosLike(scores), tf.log(count)), positives)
    // ln(exp own + exp rest) = rest + sp(own − rest)
    return tf.mean(tf.add(tf.sub(own, tf.add(rest, softplus(tf.sub(own, rest)))), most)) as tf.Scalar
  }
} satisfies Record<string, Estimator>

/** Marks the rows and columns that belong together, where every column has `rowsEach` consecutive rows. */
export function togetherMask(columns: number, rowsEach: number): tf.Tensor2D {
  const mask = new Float32Array(columns * rowsEach * columns)
  for (let row = 0; row < columns * rowsEach; row++) mask[row * columns + Math.floor(row / rowsEach)] = 1
  return tf.tensor2d(mask, [columns * rowsEach, columns])
}
