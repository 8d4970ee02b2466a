import * as tf from '@tensorflow/tfjs-core'
import { trunkChannels } from '../network/architecture.ts'
import { ESTIMATORS, togetherMask } from './estimators.ts'
import { ESTIMATE, type LearningMethod, applied, dense } from './method.ts'
import { meansOf } from './places.ts'

/** Length of what stands for a patch, and units before it. */
const [EMBEDDED, UNITS] = [128, 256]
/** Scores are cosines over this. */
const TEMPERATURE = 0.2
const SMALLEST = 1e-6

/**
 * Exemplars (Dosovitskiy et al. 2016): every patch with its deformations is a class of its own. Changed for time: the classes
 * are those of the batch, as in the IID text, and what the trunk makes of one view of a patch, averaged and embedded, stands
 * for the class that the other view is told to be of; the objective is the cross-entropy of that, as a bound of information.
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
