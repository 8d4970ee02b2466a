import * as tf from '@tensorflow/tfjs-core'

/** Smallest probability whose logarithm is taken. */
const EPSILON = 1e-12

/**
 * `I_λ = Σ P ln P − λ Σ P ln P_i − λ Σ P ln P_j`, eq. (3) of the IID paper with the weighted marginals of its code. λ =
 * 1 gives the mutual information; λ > 1 favours clusters of equal mass.
 *
 * @param joint  symmetric joint P, float32 [C, C], sums to 1; or [D, C, C], one for each displacement, whose
 *               information is averaged (the uncollapsed form of the published code)
 * @returns      scalar, nats
 */
export function informationObjective(joint: tf.Tensor2D | tf.Tensor3D, lambda: number | tf.Tensor): tf.Scalar {
  const logOf = (p: tf.Tensor): tf.Tensor => tf.log(tf.add(p, EPSILON))
  const rows = tf.sum(joint, -1)
  const columns = tf.sum(joint, -2)
  const dependence = tf.sum(tf.mul(joint, logOf(joint)))
  const balance = tf.add(tf.sum(tf.mul(rows, logOf(rows))), tf.sum(tf.mul(columns, logOf(columns))))
  const total = tf.sub(dependence, tf.mul(balance, lambda))
  return (joint.rank === 2 ? total : tf.div(total, joint.shape[0])) as tf.Scalar
}

export interface JointSummary {
  /** I_1 in nats, at most ln C. */
  information: number
  /** H(z) in nats. */
  entropy: number
  /** H(z|z′) in nats. */
  conditionalEntropy: number
  /** Each cluster's share of all pixels. */
  masses: number[]
}

/**
 * Summarises a measured joint in plain numbers.
 * @param joint  row-major P, C×C
 */
export function summariseJoint(joint: Float32Array): JointSummary {
  const clusters = Math.round(Math.sqrt(joint.length))
  const masses = Array<number>(clusters).fill(0)
  let jointEntropy = 0
  joint.forEach((p, index) => {
    masses[Math.floor(index / clusters)] += p
    if (p > 0) jointEntropy -= p * Math.log(p)
  })
  const entropy = masses.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0)
  return { information: 2 * entropy - jointEntropy, entropy, conditionalEntropy: jointEntropy - entropy, masses }
}
