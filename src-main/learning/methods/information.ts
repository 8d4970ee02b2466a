import * as tf from '@tensorflow/tfjs-core'
import type { NamedTensors } from '../../backends/program.ts'
import { informationObjective } from '../objective/information.ts'
import { jointThroughInterpolation } from '../objective/joint.ts'
import { warpHeatmap } from '../objective/warpHeatmap.ts'
import type { LearningMethod } from './method.ts'

export const lambdaInput = (head: string): string => `lambda${head}`
export const jointOutput = (head: string, subHead: number): string => `joint${head}${subHead}`

/**
 * Invariant Information Distillation (Ji, Henriques, Vedaldi 2018, eq. 3 and 8): the cluster of a pixel carries as much
 * information as possible about the clusters of its neighbours and of the same pixel in another view, `max Σ_heads
 * I_λ(Φ(x), g*Φ(gx))`.
 *
 * Inputs besides the batch: `lambdaX` [1] for each head X. Measured: each sub-head's joint P, the mean over
 * displacements.
 */
export const information: LearningMethod = {
  objective({ heads }) {
    const learnt = heads.filter(({ mergedFrom }) => mergedFrom === undefined)
    return {
      parameters: {},
      headParts: ['filter', 'bias'],
      inputs: Object.fromEntries(learnt.map(({ name }) => [lambdaInput(name), [1]])),
      measured: learnt.flatMap(({ name, subHeads }) =>
        Array.from({ length: subHeads }, (_, s) => jointOutput(name, s))
      ),
      loss({ heatmaps, share, pairs }, _, fed) {
        const measured: NamedTensors = {}
        const terms = learnt.flatMap(({ name, subHeads }) =>
          heatmaps[name].map((heatmap, s) => {
            const joint = pairedJoint(share ? tf.mul(heatmap, share) : heatmap, fed, pairs)
            measured[jointOutput(name, s)] = tf.mean(joint, 0)
            return tf.mul(informationObjective(joint, fed[lambdaInput(name)]), -1 / subHeads)
          })
        )
        return { loss: tf.sum(tf.addN(terms)), measured }
      }
    }
  }
}

function pairedJoint(heatmap: tf.Tensor4D, fed: NamedTensors, pairs: number): tf.Tensor3D {
  const [, h, w, clusters] = heatmap.shape
  const half = (from: number): tf.Tensor4D => tf.slice(heatmap, [from, 0, 0, 0], [pairs, h, w, clusters])
  const [first, second] = [half(0), half(pairs)]
  const matrices = [fed.rows, fed.columns] as [tf.Tensor4D, tf.Tensor4D]
  if (fed.corners) {
    const valid = tf.reshape(fed.valid, [pairs, h, w, 1])
    const unwarped = warpHeatmap(second, fed.corners as tf.Tensor4D, fed.cornerWeights as tf.Tensor4D)
    return jointThroughInterpolation(tf.mul(first, valid), tf.mul(unwarped, valid), ...matrices)
  }
  const transposed = tf.reshape(fed.transposed, [pairs, 1, 1, 1])
  const upright = tf.add(second, tf.mul(tf.sub(tf.transpose(second, [0, 2, 1, 3]), second), transposed)) as tf.Tensor4D
  return jointThroughInterpolation(first, upright, ...matrices)
}
