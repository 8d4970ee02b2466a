import * as tf from '@tensorflow/tfjs-core'
import type { Backend, NamedTensors, Program, Shape } from '../backends/program.ts'
import { type Points, beside, columnMoments, standardised } from './kMeans.ts'
import { applied, dense, held } from './methods/method.ts'
import { type Uniform, integerBelow, normalFrom } from './random.ts'
import { adam, correctedRate } from './trainingStep.ts'

/** Units of the statistics network, batch size, steps, and Adam's rate, as in Belghazi et al. */
const [UNITS, BATCH, STEPS, RATE] = [100, 256, 1500, 1e-3]
/** Share of the running mean that one step renews. */
const RENEWED = 0.01
/** Share of the points that is held out from training, for the estimate. */
const HELD_OUT = 0.25
/** Batches of held-out points to average. */
const JUDGED = 40
/** Upper limit of statistics, so that their exponentials stay finite. */
const HIGHEST = 30

/**
 * One step of MINE (Belghazi et al. 2018): a network T ascends `E_P[T] − ln E_Q[exp T]`, a lower bound of the
 * divergence of P from Q. The gradient of the second term is divided by a running mean of exp T instead of the batch's
 * (§3.2).
 *
 * Inputs: `joint`, `independent` [n, width]; `rate` [1]. Outputs: `ofJoint` E_P[T] [1], `ofIndependent` E_Q[exp T] [1].
 */
function statisticsStep(width: number): Program {
  const layers = { ...dense('mine1', width, UNITS), ...dense('mine2', UNITS, UNITS), ...dense('mine3', UNITS, 1) }
  const names = Object.keys(layers)
  const state: Record<string, Shape> = { mean: [1] }
  for (const name of names)
    for (const part of ['', '/moment1', '/moment2']) state[`${name}${part}`] = layers[name].shape
  return {
    name: 'statistics network',
    inputs: { joint: [BATCH, width], independent: [BATCH, width], rate: [1] },
    state,
    outputs: ['ofJoint', 'ofIndependent'],
    evaluate(fed, weights) {
      const measured: NamedTensors = {}
      const loss = (...values: tf.Tensor[]): tf.Scalar => {
        const current = { ...weights, ...Object.fromEntries(names.map((name, i) => [name, values[i]])) }
        const statistics = (x: tf.Tensor): tf.Tensor =>
          tf.minimum(
            applied('mine3', current, tf.relu(applied('mine2', current, tf.relu(applied('mine1', current, x))))),
            HIGHEST
          )
        const joint = tf.mean(statistics(fed.joint))
        const independent = tf.mean(tf.exp(statistics(fed.independent)))
        measured.ofJoint = tf.keep(tf.reshape(joint, [1]))
        measured.ofIndependent = tf.keep(tf.reshape(independent, [1]))
        return tf.sum(tf.sub(tf.div(independent, held(weights.mean)), joint))
      }
      const { grads } = tf.valueAndGrads(loss)(names.map((name) => weights[name]))
      const next: NamedTensors = {
        mean: tf.add(tf.mul(weights.mean, 1 - RENEWED), tf.mul(measured.ofIndependent, RENEWED))
      }
      names.forEach((name, i) => adam(name, weights, grads[i], fed.rate, next))
      return { outputs: measured, state: next }
    }
  }
}

/** Draws rows into a batch. */
type Draw = (into: Float32Array, uniform: Uniform, from: number, count: number) => void

/** Estimates the divergence of joint from independent draws in nats, on held-out points; never below 0. */
async function divergence(
  backend: Backend,
  points: Points,
  independent: Draw,
  uniform: Uniform,
  signal: AbortSignal
): Promise<number> {
  const { values, width, count } = points
  const program = statisticsStep(width)
  const normal = normalFrom(uniform)
  const start = Object.fromEntries(
    Object.entries(program.state).map(([name, shape]) => {
      const length = shape.reduce((a, b) => a * b, 1)
      const filled = name === 'mean' ? new Float32Array(1).fill(1) : new Float32Array(length)
      if (name.endsWith('/weights')) filled.forEach((_, i) => (filled[i] = Math.sqrt(2 / shape[0]) * normal()))
      return [name, filled]
    })
  )
  const execution = await backend.compile(program, start)
  const learnt = Math.floor(count * (1 - HELD_OUT))
  const run = async (from: number, many: number, rate: number): Promise<{ joint: number; independent: number }> => {
    const [joint, apart] = [new Float32Array(BATCH * width), new Float32Array(BATCH * width)]
    for (let i = 0; i < BATCH; i++) {
      const row = from + integerBelow(many, uniform)
      joint.set(values.subarray(row * width, (row + 1) * width), i * width)
      independent(apart.subarray(i * width, (i + 1) * width), uniform, from, many)
    }
    const outputs = await execution.run({ joint, independent: apart, rate: Float32Array.of(rate) })
    return { joint: outputs.ofJoint[0], independent: outputs.ofIndependent[0] }
  }
  try {
    for (let step = 1; step <= STEPS; step++) {
      if (signal.aborted) break
      await run(0, learnt, correctedRate(RATE, step))
    }
    let [joint, apart] = [0, 0]
    for (let batch = 0; batch < JUDGED; batch++) {
      const found = await run(learnt, count - learnt, 0)
      joint += found.joint / JUDGED
      apart += found.independent / JUDGED
    }
    return Math.max(0, joint - Math.log(apart))
  } finally {
    await execution.dispose()
  }
}

/** Shuffles the rows, so that those held out resemble the others. */
function shuffled({ values, width, count }: Points, uniform: Uniform): Points {
  const order = Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const other = integerBelow(i + 1, uniform)
    ;[order[i], order[other]] = [order[other], order[i]]
  }
  const mixed = new Float32Array(values.length)
  order.forEach((from, to) => mixed.set(values.subarray(from * width, (from + 1) * width), to * width))
  return { values: mixed, width, count }
}

const scaled = (points: Points): Points => standardised(points, columnMoments(points))

/**
 * Estimates the mutual information I(X; Y) of two descriptions of the same things, in nats: MINE's lower bound
 * (Belghazi et al. 2018), from draws of X and Y together and apart.
 *
 * @param x  one row per thing
 * @param y  as many rows
 */
export async function mutualInformation(
  backend: Backend,
  x: Points,
  y: Points,
  uniform: Uniform,
  signal: AbortSignal
): Promise<number> {
  const points = shuffled(beside(scaled(x), scaled(y)), uniform)
  const { values, width } = points
  const apart: Draw = (into, random, from, count) => {
    const [first, second] = [from + integerBelow(count, random), from + integerBelow(count, random)]
    into.set(values.subarray(first * width, first * width + x.width))
    into.set(values.subarray(second * width + x.width, (second + 1) * width), x.width)
  }
  return divergence(backend, points, apart, uniform, signal)
}

/**
 * Estimates how much the dimensions of features depend on each other, in nats. Their total correlation, the neural
 * dependency measure (NDM) of Hjelm et al. 2019, §4.1, is the divergence of the features from features whose dimensions
 * are drawn independently.
 */
export async function dependency(
  backend: Backend,
  features: Points,
  uniform: Uniform,
  signal: AbortSignal
): Promise<number> {
  const points = shuffled(scaled(features), uniform)
  const { values, width } = points
  const apart: Draw = (into, random, from, count) => {
    for (let d = 0; d < width; d++) into[d] = values[(from + integerBelow(count, random)) * width + d]
  }
  return divergence(backend, points, apart, uniform, signal)
}
