import * as tf from '@tensorflow/tfjs-core'
import type { NamedArrays, NamedTensors, Shape } from '../../backends/program.ts'
import type { Recipe } from '../../contract/recipe.ts'
import type { StepShape } from '../../contract/training.ts'
import type { Architecture, Parameter } from '../network/architecture.ts'
import type { Uniform } from '../random.ts'
import type { Batch } from '../views/pairs.ts'

/** A batch as a step sees it: both views of each pair, all first views before all second ones. */
export interface SeenBatch {
  pairs: number
  /** The trunk's output, float32 [2n, h, w, C]. */
  trunk: tf.Tensor4D
  /** Probabilities of each head and sub-head, float32 [2n, h, w, C]; only for objectives that train the heads. */
  heatmaps: Record<string, tf.Tensor4D[]>
  /** Share of each output pixel with data, float32 [2n, h, w, 1]; 1 when absent. */
  share?: tf.Tensor4D
}

/** The function that a method minimises, for one network and one batch size. */
export interface Objective {
  /** Weights besides the network's. */
  parameters: Record<string, Parameter>
  /** Parts of the heads that learn. Where none do, the heads become k-means on the trunk's features at the end. */
  headParts: readonly ('filter' | 'bias')[]
  /** Inputs besides the batch. */
  inputs: Record<string, Shape>
  /** Names of the measurements: a joint of each sub-head, see `information.ts`, or only `estimate` [1], in nats. */
  measured: readonly string[]
  /** Upper limit of `estimate`, in nats. */
  ceiling?: number
  loss(seen: SeenBatch, weights: NamedTensors, fed: NamedTensors): { loss: tf.Scalar; measured: NamedTensors }
}

/** A method of training the trunk: one file in this folder and one line in `table.ts`. */
export interface LearningMethod {
  objective(architecture: Architecture, shape: StepShape): Objective
  /**
   * Returns the inputs that change from step to step.
   * @param progress  0…1
   */
  feed?(
    batch: Batch,
    seen: { architecture: Architecture; shape: StepShape; recipe: Recipe },
    uniform: Uniform,
    progress: number
  ): NamedArrays
}

export const ESTIMATE = 'estimate'

/** A weight matrix [from, to] with normal initial values (He, fan-in), and a bias of zeros. */
export const dense = (name: string, from: number, to: number): Record<string, Parameter> => ({
  [`${name}/weights`]: { shape: [from, to], start: { deviation: Math.sqrt(2 / from) }, trained: true },
  [`${name}/bias`]: { shape: [to], start: { constant: 0 }, trained: true }
})

/**
 * Applies a dense layer.
 * @param x  [rows, from]
 */
export const applied = (name: string, weights: NamedTensors, x: tf.Tensor): tf.Tensor2D =>
  tf.add(tf.matMul(x as tf.Tensor2D, weights[`${name}/weights`] as tf.Tensor2D), weights[`${name}/bias`]) as tf.Tensor2D

/** Smallest probability whose logarithm is taken. */
const SMALLEST = 1e-7

/**
 * Information of clusters about a place, `H(E[p]) − E[H(p)]` in nats.
 *
 * @param p  assignments, [places, C]
 * @returns  [1]
 */
export function toldOfPlaces(p: tf.Tensor2D): tf.Tensor1D {
  const entropy = (q: tf.Tensor): tf.Tensor => tf.neg(tf.sum(tf.mul(q, tf.log(tf.add(q, SMALLEST))), -1))
  return tf.reshape(tf.sub(entropy(tf.mean(p, 0)), tf.mean(entropy(p))), [1])
}

/** Returns the same value and stops its gradient. */
export const held = <T extends tf.Tensor>(x: T): T =>
  tf.customGrad((value) => ({ value: tf.clone(value as tf.Tensor), gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy) }))(
    x
  ) as T

/** `ln(1 + eˣ)`, for x of any size. */
export const softplus = (x: tf.Tensor): tf.Tensor => tf.add(tf.relu(x), tf.log(tf.add(1, tf.exp(tf.neg(tf.abs(x))))))
