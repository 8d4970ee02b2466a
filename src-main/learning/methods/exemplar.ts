import * as tf from '@tensorflow/tfjs-core'
import { trunkChannels } from '../network/architecture.ts'
import { ESTIMATORS, togetherMask } from './estimators.ts'
import { ESTIMATE, type LearningMethod, applied, dense } from './method.ts'
import { meansOf } from './places.ts'

/** Length of a patch's embedding, and units before it. */
const [EMBEDDED, UNITS] = [128, 256]
/** Scores are cosines divided by this. */
const TEMPERATURE = 0.2
const SMALLEST = 1e-6

/**
 * Exemplars (Dosovitskiy et al. 2016): every patch and its deformations form a class. Differences from the paper, for
 * speed: the classes are those of the batch, as in the IID paper, and each is represented by the trunk's output for one
 * view of its patch, averaged and embedded. The other view has to be assigned to its class; the objective is the
 * cross-entropy, as a bound of information.
 */
export const exemplar: LearningMethod = {
  objective(architecture, { pairs }) {
    return {
      parameters: {
        ...dense('exemplar/units', trunkChannels(architecture), UNITS),
        ...dense('exemplar/embedded', UNITS, EMBEDDED)
      },
      headParts: [],
      inputs: {},
      measured: [ESTIMATE],
      ceiling: Math.log(pairs),
      loss({ trunk, share }, weights) {
        const embedded = applied(
          'exemplar/embedded',
          weights,
          tf.relu(applied('exemplar/units', weights, meansOf(trunk, share)))
        )
        const unit = tf.div(embedded, tf.sqrt(tf.add(tf.sum(tf.mul(embedded, embedded), 1, true), SMALLEST)))
        const view = (from: number): tf.Tensor2D => tf.slice(unit, [from, 0], [pairs, EMBEDDED]) as tf.Tensor2D
        const told = ESTIMATORS.infonce(
          tf.div(tf.matMul(view(0), view(pairs), false, true), TEMPERATURE),
          togetherMask(pairs, 1)
        )
        return { loss: tf.neg(told), measured: { [ESTIMATE]: tf.reshape(told, [1]) } }
      }
    }
  }
}
