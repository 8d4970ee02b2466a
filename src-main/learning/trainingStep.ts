import * as tf from '@tensorflow/tfjs-core'
import type { StepShape } from '../contract/training.ts'
import type { NamedTensors, Program, Shape } from '../backends/program.ts'
import { type Architecture, outputStride, parametersOf } from './network/architecture.ts'
import { trainingPass } from './network/forward.ts'
import { objectiveOf } from './methods/table.ts'

export type { StepShape }

const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
/** Share of the running averages that one step keeps. */
const RUNNING_DECAY = 0.95
/** Corners of a bilinear interpolation. */
const CORNERS = 4

/** Name of the state entry with a weight's average over the last steps. */
export const averageOf = (weight: string): string => `${weight}/average`

/**
 * One step of training: forward pass on both views, the method's objective, gradients, Adam.
 *
 * Inputs: `first`, `second` crops [n, bands, s, s]; with `masked`, `firstValid`, `secondValid` [n, 1, s, s], 1 where a
 * pixel has data; `rows`, `columns` [n, D, s/stride, s/stride] from `displacementMatrix`; `transposed` [n], 1 where the
 * second view is transposed; with `warped`, `corners` and `cornerWeights` [n, s/stride, s/stride, 4] and `valid` [n,
 * s/stride, s/stride] from `warpTables`; `rate` [1], from `correctedRate`; and the method's own inputs. Outputs: `loss`
 * and the method's measurements.
 */
export function trainingStep(architecture: Architecture, shape: StepShape): Program {
  const { pairs, crop, displacements = 1, warped = false, masked = false, clip = 0, averaging = 0 } = shape
  const coarse = architecture.wholeImage ? 1 : crop / outputStride(architecture)
  const objective = objectiveOf(architecture, shape)
  const parameters = { ...parametersOf(architecture), ...objective.parameters }
  const trained = Object.keys(parameters).filter(
    (name) =>
      parameters[name].trained && (!name.startsWith('head') || objective.headParts.some((part) => name.endsWith(part)))
  )
  const state: Record<string, Shape> = {}
  for (const [name, { shape: sides }] of Object.entries(parameters)) state[name] = sides
  for (const name of trained) {
    state[`${name}/moment1`] = parameters[name].shape
    state[`${name}/moment2`] = parameters[name].shape
    if (averaging > 0) state[averageOf(name)] = parameters[name].shape
  }
  const inputs: Record<string, Shape> = {
    first: [pairs, architecture.bands, crop, crop],
    second: [pairs, architecture.bands, crop, crop],
    ...(masked && { firstValid: [pairs, 1, crop, crop], secondValid: [pairs, 1, crop, crop] }),
    rows: [pairs, displacements, coarse, coarse],
    columns: [pairs, displacements, coarse, coarse],
    ...(warped
      ? {
          corners: [pairs, coarse, coarse, CORNERS],
          cornerWeights: [pairs, coarse, coarse, CORNERS],
          valid: [pairs, coarse, coarse]
        }
      : { transposed: [pairs] }),
    rate: [1],
    ...objective.inputs
  }

  const evaluate: Program['evaluate'] = (fed, weights) => {
    const measured: NamedTensors = {}
    let moments: NamedTensors = {}
    const images = tf.concat([fed.first, fed.second], 0) as tf.Tensor4D
    const valid = masked ? (tf.concat([fed.firstValid, fed.secondValid], 0) as tf.Tensor4D) : undefined
    const share = valid && shareOfCells(valid, crop / coarse)
    const loss = (...values: tf.Tensor[]): tf.Scalar => {
      const current = { ...weights, ...Object.fromEntries(trained.map((name, i) => [name, values[i]])) }
      const pass = trainingPass(architecture, current, images, valid, objective.headParts.length === 2)
      moments = pass.moments
      for (const moment of Object.values(moments)) tf.keep(moment)
      const found = objective.loss({ pairs, trunk: pass.trunk, heatmaps: pass.heatmaps, share }, current, fed)
      for (const [name, value] of Object.entries(found.measured)) measured[name] = tf.keep(value)
      return found.loss
    }
    const { value, grads } = tf.valueAndGrads(loss)(trained.map((name) => weights[name]))
    const shortened = clip > 0 ? clipped(grads, clip) : grads
    const next: NamedTensors = {}
    trained.forEach((name, i) => {
      adam(name, weights, shortened[i], fed.rate, next)
      if (averaging > 0)
        next[averageOf(name)] = tf.add(tf.mul(weights[averageOf(name)], averaging), tf.mul(next[name], 1 - averaging))
    })
    for (const [name, moment] of Object.entries(moments)) {
      next[name] = tf.add(tf.mul(weights[name], RUNNING_DECAY), tf.mul(moment, 1 - RUNNING_DECAY))
      moment.dispose()
    }
    return { outputs: { loss: value, ...measured }, state: next }
  }
  return { name: 'training step', inputs, state, outputs: ['loss', ...objective.measured], evaluate }
}

/** Share of each output pixel with data, its weight in the joint; float32 [n, h, w, 1]. */
function shareOfCells(valid: tf.Tensor4D, stride: number): tf.Tensor4D {
  const last = tf.transpose(valid, [0, 2, 3, 1]) as tf.Tensor4D
  return stride === 1 ? last : tf.avgPool(last, stride, stride, 'valid')
}

/** Scales all gradients by one factor, so that their common norm is at most `longest`. */
function clipped(gradients: tf.Tensor[], longest: number): tf.Tensor[] {
  const norm = tf.sqrt(tf.addN(gradients.map((gradient) => tf.sum(tf.mul(gradient, gradient)))))
  const factor = tf.minimum(tf.div(longest, tf.add(norm, 1e-12)), 1)
  return gradients.map((gradient) => tf.mul(gradient, factor))
}

/**
 * Adam (Kingma and Ba 2015, in the efficient order of §2) with moments kept as plain decayed sums, `m̃ = β₁m̃ + g` and
 * `ṽ = β₂ṽ + g²`: `correctedRate` and ε contain the factors (1−β), which saves two passes over every weight.
 */
export function adam(
  name: string,
  weights: NamedTensors,
  gradient: tf.Tensor,
  rate: tf.Tensor,
  next: NamedTensors
): void {
  const moment1 = tf.add(tf.mul(weights[`${name}/moment1`], ADAM.beta1), gradient)
  const moment2 = tf.add(tf.mul(weights[`${name}/moment2`], ADAM.beta2), tf.mul(gradient, gradient))
  const spread = tf.add(tf.sqrt(moment2), ADAM.epsilon / Math.sqrt(1 - ADAM.beta2))
  next[name] = tf.sub(weights[name], tf.div(tf.mul(moment1, rate), spread))
  next[`${name}/moment1`] = moment1
  next[`${name}/moment2`] = moment2
}

/**
 * Returns the factor on `m̃ / √ṽ` that makes the step-th update, counted from 1, Adam's with the given learning rate.
 */
export function correctedRate(rate: number, step: number): number {
  const scale = (1 - ADAM.beta1) / Math.sqrt(1 - ADAM.beta2)
  return (rate * scale * Math.sqrt(1 - ADAM.beta2 ** step)) / (1 - ADAM.beta1 ** step)
}

/**
 * Returns the initial state of `trainingStep`: the given weights, averages equal to them, and Adam's moments at zero.
 */
export function initialState(program: Program, weights: Record<string, Float32Array>): Record<string, Float32Array> {
  return Object.fromEntries(
    Object.entries(program.state).map(([name, shape]) => {
      const known =
        weights[name] ?? (name.endsWith('/average') ? weights[name.slice(0, -'/average'.length)] : undefined)
      return [name, known ?? new Float32Array(shape.reduce((a, b) => a * b, 1))]
    })
  )
}

/** Returns the weights to apply: the averages where they are kept. */
export function appliedWeights(state: Record<string, Float32Array>): Record<string, Float32Array> {
  return Object.fromEntries(Object.entries(state).map(([name, values]) => [name, state[averageOf(name)] ?? values]))
}
