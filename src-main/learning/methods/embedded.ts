import * as tf from '@tensorflow/tfjs-core'
import type { NamedTensors } from '../../backends/program.ts'
import type { StepShape } from '../../contract/training.ts'
import { type Points, kMeans } from '../kMeans.ts'
import type { Architecture } from '../network/architecture.ts'
import type { Uniform } from '../random.ts'
import { ESTIMATE, type LearningMethod, held, toldOfPlaces } from './method.ts'
import { cellsAt, drawPlaces, mapSide } from './places.ts'

/** Places of each image that a step samples. */
const PLACES = 48
const SMALLEST = 1e-7

/**
 * Deep Embedded Clustering (Xie, Girshick, Farhadi 2016): features z and centres μ learn together so that the soft
 * assignments `q ∝ (1 + |z − μ|²)⁻¹` approach their own sharpened, balanced version `p ∝ q² / Σ q` (eq. 1 to 3), by
 * KL(p ‖ q). Differences from the paper, as in the IID paper: no auto-encoder comes first, z are the trunk's features
 * at a place divided by √channels, and p is the batch's.
 *
 * A head's filter contains 2μ, so that `filter·z − |filter|²/4` is largest for the nearest centre. Measured:
 * information of the first head's clusters about a place, `H(E[q]) − E[H(q)]`.
 */
export const embedded: LearningMethod = {
  objective(architecture, shape) {
    const heads = architecture.heads.filter(({ mergedFrom }) => mergedFrom === undefined)
    return {
      parameters: {},
      headParts: ['filter'],
      inputs: { places: [2 * shape.pairs * placesOf(architecture, shape)] },
      measured: [ESTIMATE],
      ceiling: Math.log(heads[0].clusters),
      loss({ trunk }, weights, fed) {
        const z = cellsAt(trunk, fed.places)
        const assignments = heads.map(({ name }) => assigned(z, weights, name))
        const terms = assignments.map((q) => {
          const sharp = tf.div(tf.mul(q, q), tf.add(tf.sum(q, 0, true), SMALLEST))
          const p = held(tf.div(sharp, tf.sum(sharp, 1, true)))
          return tf.mean(tf.sum(tf.mul(p, tf.sub(tf.log(tf.add(p, SMALLEST)), tf.log(tf.add(q, SMALLEST)))), 1))
        })
        return { loss: tf.sum(tf.addN(terms)), measured: { [ESTIMATE]: toldOfPlaces(assignments[0]) } }
      }
    }
  },
  feed: (batch, { architecture, shape }, uniform) => ({
    places: drawPlaces(batch, architecture, shape, placesOf(architecture, shape), uniform)
  })
}

/** Builds heads whose centres are k-means on features z·√channels of the initial trunk. */
export function startingHeads(
  architecture: Architecture,
  features: Points,
  uniform: Uniform
): Record<string, Float32Array> {
  const scale = 1 / Math.sqrt(features.width)
  const points = { ...features, values: features.values.map((value) => value * scale) }
  return Object.fromEntries(
    architecture.heads.map(({ name, clusters, subHeads }) => {
      const { centres } = kMeans(points, clusters, uniform)
      const filter = new Float32Array(subHeads * centres.length)
      for (let s = 0; s < subHeads; s++)
        filter.set(
          centres.map((value) => 2 * value),
          s * centres.length
        )
      return [`head${name}/filter`, filter]
    })
  )
}

/**
 * Converts heads to the form in which the network applies them to the trunk's features, with scores that are highest
 * for the nearest centre.
 */
export function settledHeads(
  architecture: Architecture,
  weights: Record<string, Float32Array>
): Record<string, Float32Array> {
  return Object.fromEntries(
    architecture.heads.flatMap(({ name, clusters, subHeads }) => {
      const filter = weights[`head${name}/filter`]
      const channels = filter.length / (clusters * subHeads)
      const bias = Float32Array.from(
        { length: clusters * subHeads },
        (_, c) => -filter.subarray(c * channels, (c + 1) * channels).reduce((sum, value) => sum + value * value, 0) / 4
      )
      return [
        [`head${name}/filter`, filter.map((value) => value / Math.sqrt(channels))],
        [`head${name}/bias`, bias]
      ]
    })
  )
}

const placesOf = (architecture: Architecture, shape: StepShape): number =>
  Math.min(PLACES, mapSide(architecture, shape) ** 2)

/** Assignments q of each place, [places, C]. */
function assigned(z: tf.Tensor2D, weights: NamedTensors, head: string): tf.Tensor2D {
  const stored = weights[`head${head}/filter`]
  const [clusters, channels] = stored.shape
  const filter = tf.reshape(stored, [clusters, channels]) as tf.Tensor2D
  const scaled = tf.div(z, Math.sqrt(channels)) as tf.Tensor2D
  const lengths = tf.sum(tf.mul(scaled, scaled), 1, true)
  const centres = tf.div(tf.reshape(tf.sum(tf.mul(filter, filter), 1), [1, clusters]), 4)
  const distances = tf.relu(tf.add(tf.sub(lengths, tf.matMul(scaled, filter, false, true)), centres))
  const kernel = tf.div(1, tf.add(1, distances))
  return tf.div(kernel, tf.sum(kernel, 1, true)) as tf.Tensor2D
}
