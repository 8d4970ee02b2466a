import * as tf from '@tensorflow/tfjs-core'
import type { Backend, NamedTensors, Program } from '../backends/program.ts'
import type { MapPlace } from '../contract/classes.ts'
import type { Points } from './kMeans.ts'
import { type Uniform, integerBelow, normalFrom } from './random.ts'
import { adam, correctedRate } from './trainingStep.ts'

/** Dimensions of the embedding: a plane. */
const AXES = 2
/** Inputs per step, steps, and Adam's rate in units of the map's spread. */
const [BATCH, STEPS, RATE] = [256, 400, 0.02]
/**
 * Least deviation of an input in the plane, in units of the map's spread, because an input that activates a single
 * channel has a deviation of 0.
 */
const SHARPEST = 0.1

/** Normal distribution of ẑ for each input. */
export interface Latent {
  /** z = Σ yᵢ eᵢ, [K, axes]. */
  centre: tf.Tensor2D
  /** σ² = Σ yᵢ (eᵢ − z)² along each axis, [K, axes]. */
  variance: tf.Tensor2D
}

/**
 * Returns the position and spread of inputs in the plane.
 *
 * @param activity  y, a softmax over channels, [K, N]
 * @param places    E, [N, axes]
 */
export function latentOf(activity: tf.Tensor2D, places: tf.Tensor2D, sharpest: number): Latent {
  const centre = tf.matMul(activity, places) as tf.Tensor2D
  const squares = tf.matMul(activity, tf.mul(places, places) as tf.Tensor2D) as tf.Tensor2D
  return { centre, variance: tf.add(tf.relu(tf.sub(squares, tf.mul(centre, centre))), sharpest ** 2) as tf.Tensor2D }
}

/**
 * Lower bound of I[x; ẑ] over a batch (Klindt et al. 2019): `mean ln p(ẑᵢ|xᵢ) − ln Σⱼ p(ẑᵢ|xⱼ)/K`, nats, at most ln K.
 * @param noise  standard normal, [K, axes]: ẑ = z + σ noise
 */
export function latentInformation({ centre, variance }: Latent, noise: tf.Tensor): tf.Scalar {
  const [count, axes] = centre.shape
  const drawn = tf.add(centre, tf.mul(tf.sqrt(variance), noise))
  const apart = tf.sub(tf.reshape(drawn, [count, 1, axes]), tf.reshape(centre, [1, count, axes]))
  const spread = tf.reshape(variance, [1, count, axes])
  // The constant of the normal density cancels.
  const logs = tf.mul(tf.sum(tf.add(tf.div(tf.mul(apart, apart), spread), tf.log(spread)), 2), -0.5) as tf.Tensor2D
  const most = tf.max(logs, 1, true)
  const all = tf.add(tf.log(tf.sum(tf.exp(tf.sub(logs, most)), 1)), tf.reshape(most, [count]))
  const own = tf.mul(tf.sum(tf.add(tf.mul(noise, noise), tf.log(variance)), 1), -0.5)
  return tf.add(tf.mean(tf.sub(own, all)), Math.log(count)) as tf.Scalar
}

/** Centres places on the origin and scales them to mean square 1 over both axes together. */
function centred(places: tf.Tensor2D): tf.Tensor2D {
  const moved = tf.sub(places, tf.mean(places, 0, true))
  return tf.div(moved, tf.sqrt(tf.add(tf.mean(tf.mul(moved, moved)), 1e-12))) as tf.Tensor2D
}

/**
 * One step of the embedding. Inputs: `activity` [K, N], `noise` [K, 2], `rate` [1]. State: `places` [N, 2]. Output:
 * `information` [1].
 */
function embeddingStep(channels: number): Program {
  const shape = [channels, AXES]
  return {
    name: 'embedding',
    inputs: { activity: [BATCH, channels], noise: [BATCH, AXES], rate: [1] },
    state: { places: shape, 'places/moment1': shape, 'places/moment2': shape },
    outputs: ['information'],
    evaluate(fed, weights) {
      const loss = (places: tf.Tensor): tf.Scalar =>
        tf.neg(
          latentInformation(latentOf(fed.activity as tf.Tensor2D, centred(places as tf.Tensor2D), SHARPEST), fed.noise)
        )
      const { value, grads } = tf.valueAndGrads(loss)([weights.places])
      const next: NamedTensors = {}
      adam('places', weights, grads[0], fed.rate, next)
      return { outputs: { information: tf.reshape(tf.neg(value), [1]) }, state: next }
    }
  }
}

/**
 * Lays channels out in the plane so that those activated together are near each other: the embedding of the manifold
 * layer (Klindt et al. 2019), with fixed channels.
 *
 * @param activity  a softmax over channels for each input, [count, N]
 * @param start     initial places of the channels
 */
export async function embedChannels(
  backend: Backend,
  activity: Points,
  start: readonly MapPlace[],
  uniform: Uniform,
  signal: AbortSignal
): Promise<MapPlace[]> {
  const { values, width, count } = activity
  const zeros = (): Float32Array => new Float32Array(width * AXES)
  const spread = Math.sqrt(start.reduce((sum, { x, y }) => sum + x * x + y * y, 0) / (AXES * width)) || 1
  const execution = await backend.compile(embeddingStep(width), {
    places: Float32Array.from(start.flatMap(({ x, y }) => [x / spread, y / spread])),
    'places/moment1': zeros(),
    'places/moment2': zeros()
  })
  const normal = normalFrom(uniform)
  try {
    for (let step = 1; step <= STEPS && !signal.aborted; step++) {
      const batch = new Float32Array(BATCH * width)
      for (let i = 0; i < BATCH; i++) {
        const row = integerBelow(count, uniform)
        batch.set(values.subarray(row * width, (row + 1) * width), i * width)
      }
      await execution.run({
        activity: batch,
        noise: Float32Array.from({ length: BATCH * AXES }, normal),
        rate: Float32Array.of(correctedRate(RATE * (1 - step / (STEPS + 1)), step))
      })
    }
    const { places } = await execution.readState()
    return Array.from({ length: width }, (_, i) => ({ x: places[AXES * i], y: places[AXES * i + 1] }))
  } finally {
    await execution.dispose()
  }
}
