import * as tf from '@tensorflow/tfjs-core'
import { ESTIMATE, type LearningMethod, held, toldOfPlaces } from './method.ts'
import { cellsAt, drawPlaces, headSide } from './places.ts'
import type { Architecture } from '../network/architecture.ts'
import type { StepShape } from '../../contract/training.ts'

/** Places in each image; pairs are their square. */
const PLACES = 16
/** Cosine above which two places count as alike, at the start and at the end, as for CIFAR. */
const THRESHOLD = { from: 0.99, to: 0.75 }
const SMALLEST = 1e-7

/**
 * Deep Adaptive Clustering (Chang et al. 2017): two places count as alike if the cosine of their assignments p exceeds
 * a threshold that falls during training. The cross-entropy of the cosine makes alike places more alike, and the others
 * less. Both heads learn, each from its own pairs. Difference from the paper: pairs of places, from all images of a
 * batch, instead of pairs of images.
 *
 * Measured: information of the first head's clusters about a place, `H(E[p]) − E[H(p)]`.
 */
export const adaptive: LearningMethod = {
  objective(architecture, shape) {
    const heads = architecture.heads.filter(({ mergedFrom }) => mergedFrom === undefined)
    return {
      parameters: {},
      headParts: ['filter', 'bias'],
      inputs: { places: [2 * shape.pairs * placesOf(architecture, shape)], threshold: [1] },
      measured: [ESTIMATE],
      ceiling: Math.log(heads[0].clusters),
      loss({ heatmaps }, _, fed) {
        const terms = heads.flatMap(({ name, subHeads }) =>
          heatmaps[name].map((heatmap) => tf.div(pairLoss(cellsAt(heatmap, fed.places), fed.threshold), subHeads))
        )
        return {
          loss: tf.sum(tf.addN(terms)),
          measured: { [ESTIMATE]: toldOfPlaces(cellsAt(heatmaps[heads[0].name][0], fed.places)) }
        }
      }
    }
  },
  feed: (batch, { architecture, shape }, uniform, progress) => ({
    places: drawPlaces(
      batch,
      architecture,
      shape,
      placesOf(architecture, shape),
      uniform,
      headSide(architecture, shape)
    ),
    threshold: Float32Array.of(THRESHOLD.from + (THRESHOLD.to - THRESHOLD.from) * progress)
  })
}

const placesOf = (architecture: Architecture, shape: StepShape): number =>
  Math.min(PLACES, headSide(architecture, shape) ** 2)

/** @param p  assignments, [places, C] */
function pairLoss(p: tf.Tensor2D, threshold: tf.Tensor): tf.Tensor {
  const unit = tf.div(p, tf.sqrt(tf.add(tf.sum(tf.mul(p, p), 1, true), SMALLEST))) as tf.Tensor2D
  const cosines = tf.matMul(unit, unit, false, true)
  const alike = held(tf.step(tf.sub(cosines, threshold)))
  const sure = tf.mul(alike, tf.log(tf.add(cosines, SMALLEST)))
  const unlike = tf.mul(tf.sub(1, alike), tf.log(tf.maximum(tf.sub(1, cosines), SMALLEST)))
  return tf.neg(tf.mean(tf.add(sure, unlike)))
}
