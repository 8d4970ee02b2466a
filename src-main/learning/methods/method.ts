import * as tf from '@tensorflow/tfjs-core'
import type { NamedArrays, NamedTensors, Shape } from '../../backends/program.ts'
import type { Recipe } from '../../contract/recipe.ts'
import type { StepShape } from '../../contract/training.ts'
import type { Architecture, Parameter } from '../network/architecture.ts'
import type { Uniform } from '../random.ts'
import type { Batch } from '../views/pairs.ts'

/** What a step sees of a batch: both views of each pair, all first views before all second ones. */
export interface SeenBatch {
  pairs: number
  /** The trunk's output, float32 [2n, h, w, C]. */
  trunk: tf.Tensor4D
  /** Probabilities of each head and sub-head, float32 [2n, h, w, C]; only for objectives that train the heads. */
  heatmaps: Record<string, tf.Tensor4D[]>
  /** Share of each output pixel that holds data, float32 [2n, h, w, 1]; all do when absent. */
  share?: tf.Tensor4D
}

/** What a method minimises, for one network and one size of batch. */
export interface Objective {
  /** Weights of its own, beside the network's. */
  parameters: Record<string, Parameter>
  /** What of the heads learns, too; where nothing does, they are k-means on the trunk's features in the end. */
  headParts: readonly ('filter' | 'bias')[]
  /** What it is fed besides the batch. */
  inputs: Record<string, Shape>
  /** Names of what it measures; of each head a joint, see `information.ts`, or `estimate` [1] alone, in nats. */
  measured: readonly string[]
  /** The most that `estimate` can be, in nats. */
  ceiling?: number
  loss(seen: SeenBatch, weights: NamedTensors, fed: NamedTensors): { loss: tf.Scalar; measured: NamedTensors }
}

/** One way to learn the trunk: a file beside this one, and a line in `table.ts`. */
export interface LearningMethod {
  objective(architecture: Architecture, shape: StepShape): Objective
  /** What changes from step to step. @param progress  0…1 */
  feed?(
    batch: Batch,
    seen: { architecture: Architecture; shape: StepShape; recipe: Recipe },
    uniform: Uniform,
    progress: number
  ): NamedArrays
}

export const ESTIMATE = 'estimate'

/** A weight matrix [from, to] with normal start (He, fan-in), and a bias of zeros. */
export const dense = (name: string, from: number, to: number): Record<string, Parameter> => ({
  [`${name}/weights`]: { shape: [from, to], start: { deviation: Math.sqrt(2 / from) }, trained: true },
  [`${name}/bias`]: { shape: [to], start: { constant: 0 }, trained: true }
})

/** @param x  [rows, from] */
export const applied = (name: string, weights: NamedTensors, x: tf.Tensor): tf.Tensor2D =>
  tf.add(tf.matMul(x as tf.Tensor2D, weights[`${name}/weights`] as tf.Tensor2D), weights[`${name}/bias`]) as tf.Tensor2D

/** Least probability whose logarithm is taken. */
const SMALLEST = 1e-7

/** How much clusters tell of a place, `H(E[p]) − E[H(p)]` in nats. @param p  assignments, [places, C] @returns [1] */
export function toldOfPlaces(p: tf.Tensor2D): tf.Tensor1D {
  const entropy = (q: tf.Tensor): tf.Tensor => tf.neg(tf.sum(tf.mul(q, tf.log(tf.add(q, SMALLEST))), -1))
  return tf.reshape(tf.sub(entropy(tf.mean(p, 0)), tf.mean(entropy(p))), [1])
}

/** The same value, through which no gradient flows. */
export const held = <T extends tf.Tensor>(x: T): T =>
  tf.customGrad((value) => ({ value: tf.clone(value as tf.Tensor), gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy) }))(
    x
  ) as T

/** `ln(1 + eˣ)`, for x of any size. */
export const softplus = (x: tf.Tensor): tf.Tensor => tf.add(tf.relu(x), tf.log(tf.add(1, tf.exp(tf.neg(tf.abs(x))))))
