import * as tf from '@tensorflow/tfjs-core'
import type { NamedArrays, NamedTensors } from '../../backends/program.ts'
import type { DeepInfomax } from '../../contract/recipe.ts'
import type { StepShape } from '../../contract/training.ts'
import type { Points } from '../kMeans.ts'
import { type Architecture, type Parameter, trunkChannels } from '../network/architecture.ts'
import { ESTIMATORS, togetherMask } from './estimators.ts'
import { ESTIMATE, type LearningMethod, applied, dense, held, softplus } from './method.ts'
import { type Uniform, integerBelow } from '../random.ts'
import { cellsAt, drawPlaces, mapSide, meansOf } from './places.ts'

/**
 * Lengths of the global vector and of the common embedding, and units in between: a quarter of the paper's or less, to
 * suit CPUs.
 */
const [GLOBAL, EMBEDDED, UNITS] = [64, 128, 256]
/** Places of each image that a step samples, and the side of the grid that stands for the whole image. */
const [PLACES, GRID] = [64, 4]
const [PRIOR_WIDE, PRIOR_NARROW] = [128, 64]
const EPSILON = 1e-5
/** Smallest probability whose logarithm is taken. */
const SMALLEST = 1e-7

/**
 * Deep InfoMax (Hjelm et al. 2019): a global vector Y(x) of an image carries as much information as possible about the
 * trunk's features at each place (β, eq. 8) and in the whole image (α, eq. 2 and 6), and is distributed like uniform
 * noise (γ, prior matching by an adversary, eq. 7). A pixel's features are the trunk's at its place.
 *
 * Encode-and-dot (appendix A.2) passes both sides through a layer of units with a linear shortcut and scores them by
 * their dot product; concat-and-convolve uses one layer that sees both. Differences from the paper, for speed: 256
 * units instead of 2048, 64 places of each image instead of all, and occlusion cut from the map instead of the image.
 */
export const deepInfomax: LearningMethod = {
  objective(architecture, shape) {
    const { alpha, beta, gamma, estimator, scores, coordinates, occlusion } = shape.deepInfomax!
    const estimate = ESTIMATORS[estimator]
    const images = 2 * shape.pairs
    const grid = Math.min(GRID, mapSide(architecture, shape))
    const places = placesOf(architecture, shape)
    const side = mapSide(architecture, shape)
    return {
      parameters: parametersOf(architecture, { grid, side }, shape.deepInfomax!),
      headParts: [],
      inputs: {
        places: [images * places],
        ...(gamma > 0 && { noise: [images, GLOBAL] }),
        ...(coordinates > 0 && { rowOf: [images * places, side], columnOf: [images * places, side] }),
        ...(occlusion > 0 && { seen: [images, side, side, 1] })
      },
      measured: [ESTIMATE],
      ceiling: Math.log(1 + (beta > 0 ? places * (images - 1) : images - 1)),
      loss({ trunk, share }, weights, fed) {
        const channels = trunk.shape[3]
        // Cells without data do not count towards the whole; nor do occluded ones, unless nothing else is left.
        const seen = fed.seen && share ? tf.mul(tf.add(fed.seen, SMALLEST), share) : (fed.seen ?? share)
        const global = applied(
          'infomax/global2',
          weights,
          tf.relu(applied('infomax/global1', weights, meansOf(trunk, seen)))
        )
        const terms: tf.Tensor[] = []
        let nats: tf.Scalar | undefined
        const add = (matrix: tf.Tensor2D, mask: tf.Tensor2D, weight: number): void => {
          terms.push(tf.mul(estimate(matrix, mask), -weight))
          nats ??= ESTIMATORS.infonce(matrix, mask)
        }
        if (beta > 0) {
          const local = cellsAt(trunk, fed.places)
          add(scored('infomax/local', scores, weights, local, global), togetherMask(images, places), beta)
        }
        if (alpha > 0) {
          const whole = tf.reshape(onGrid(share ? tf.mul(trunk, share) : trunk, grid), [
            images,
            grid * grid * channels
          ]) as tf.Tensor2D
          add(scored('infomax/whole', 'concat', weights, whole, global), togetherMask(images, 1), alpha)
        }
        if (coordinates > 0)
          terms.push(tf.mul(coordinateTerm(cellsAt(trunk, fed.places), global, places, weights, fed), coordinates))
        if (gamma > 0) terms.push(...priorTerms(weights, tf.sigmoid(global) as tf.Tensor2D, fed.noise, gamma))
        return {
          loss: tf.sum(tf.addN(terms.map((term) => tf.sum(term)))),
          measured: { [ESTIMATE]: tf.reshape(nats!, [1]) }
        }
      }
    }
  },
  feed(batch, { architecture, shape }, uniform) {
    const { gamma, coordinates, occlusion } = shape.deepInfomax!
    const [images, side] = [2 * shape.pairs, mapSide(architecture, shape)]
    const places = drawPlaces(batch, architecture, shape, placesOf(architecture, shape), uniform)
    const oneOf = (answer: (place: number) => number): Float32Array => {
      const answers = new Float32Array(places.length * side)
      places.forEach((place, i) => (answers[i * side + answer(place)] = 1))
      return answers
    }
    return {
      places,
      ...(gamma > 0 && { noise: Float32Array.from({ length: images * GLOBAL }, uniform) }),
      ...(coordinates > 0 && {
        rowOf: oneOf((place) => Math.floor(place / side) % side),
        columnOf: oneOf((place) => place % side)
      }),
      ...(occlusion > 0 && { seen: occluded(images, side, occlusion, uniform) })
    }
  }
}

/** Returns maps that are 0 in a square at a random place and 1 elsewhere. */
function occluded(images: number, side: number, share: number, uniform: Uniform): Float32Array {
  const seen = new Float32Array(images * side * side).fill(1)
  const length = Math.min(side - 1, Math.round(share * side))
  for (let image = 0; image < images; image++) {
    const [top, left] = [integerBelow(side - length + 1, uniform), integerBelow(side - length + 1, uniform)]
    for (let row = top; row < top + length; row++)
      seen.fill(0, (image * side + row) * side + left, (image * side + row) * side + left + length)
  }
  return seen
}

/** Cross-entropy of a place's row and column, predicted from the place and the whole. */
function coordinateTerm(
  local: tf.Tensor2D,
  global: tf.Tensor2D,
  places: number,
  weights: NamedTensors,
  fed: NamedTensors
): tf.Tensor {
  const [images, length] = global.shape
  const spread = tf.reshape(tf.tile(tf.reshape(global, [images, 1, length]), [1, places, 1]), [images * places, length])
  const both = tf.concat([local, spread], 1)
  const missed = (axis: 'row' | 'column'): tf.Tensor =>
    tf.neg(
      tf.mean(
        tf.sum(
          tf.mul(fed[`${axis}Of`], tf.log(tf.add(tf.softmax(applied(`infomax/${axis}`, weights, both)), SMALLEST))),
          1
        )
      )
    )
  return tf.add(missed('row'), missed('column'))
}

/** Returns Y(x) of whole images from the means of their maps, one per row. */
export function globalVectors(weights: NamedArrays, summaries: Points): Points {
  const through = ({ values, width, count }: Points, layer: string, kept: (value: number) => number): Points => {
    const [matrix, bias] = [weights[`infomax/${layer}/weights`], weights[`infomax/${layer}/bias`]]
    const to = bias.length
    const result = new Float32Array(count * to)
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < to; k++) {
        let sum = bias[k]
        for (let d = 0; d < width; d++) sum += values[i * width + d] * matrix[d * to + k]
        result[i * to + k] = kept(sum)
      }
    }
    return { values: result, width: to, count }
  }
  return through(
    through(summaries, 'global1', (value) => Math.max(0, value)),
    'global2',
    (value) => value
  )
}

const placesOf = (architecture: Architecture, shape: StepShape): number =>
  Math.min(PLACES, mapSide(architecture, shape) ** 2)

function parametersOf(
  architecture: Architecture,
  { grid, side }: { grid: number; side: number },
  { alpha, beta, gamma, scores, coordinates }: DeepInfomax
): Record<string, Parameter> {
  const channels = trunkChannels(architecture)
  return {
    ...dense('infomax/global1', channels, UNITS),
    ...dense('infomax/global2', UNITS, GLOBAL),
    ...(beta > 0 && scorer('infomax/local', scores, channels)),
    ...(alpha > 0 && scorer('infomax/whole', 'concat', grid * grid * channels)),
    ...(coordinates > 0 && {
      ...dense('infomax/row', channels + GLOBAL, side),
      ...dense('infomax/column', channels + GLOBAL, side)
    }),
    ...(gamma > 0 && {
      ...dense('infomax/prior1', GLOBAL, PRIOR_WIDE),
      ...dense('infomax/prior2', PRIOR_WIDE, PRIOR_NARROW),
      ...dense('infomax/prior3', PRIOR_NARROW, 1)
    })
  }
}

const scorer = (name: string, scores: DeepInfomax['scores'], channels: number): Record<string, Parameter> =>
  scores === 'dot'
    ? { ...embedding(`${name}/a`, channels), ...embedding(`${name}/b`, GLOBAL) }
    : {
        ...dense(`${name}/a`, channels, UNITS),
        ...dense(`${name}/b`, GLOBAL, UNITS),
        ...dense(`${name}/score`, UNITS, 1)
      }

const embedding = (name: string, channels: number): Record<string, Parameter> => ({
  ...dense(`${name}1`, channels, UNITS),
  ...dense(`${name}2`, UNITS, EMBEDDED),
  ...dense(`${name}/shortcut`, channels, EMBEDDED)
})

/** Scores T(a, b) of all pairs, [rows of a, rows of b]. */
function scored(
  name: string,
  scores: DeepInfomax['scores'],
  weights: NamedTensors,
  a: tf.Tensor2D,
  b: tf.Tensor2D
): tf.Tensor2D {
  if (scores === 'dot')
    return tf.matMul(embedded(`${name}/a`, weights, a), embedded(`${name}/b`, weights, b), false, true)
  const [rows, columns] = [a.shape[0], b.shape[0]]
  // A layer's output for [a; b] is the sum of its outputs for each.
  const left = tf.reshape(applied(`${name}/a`, weights, a), [rows, 1, UNITS])
  const right = tf.reshape(applied(`${name}/b`, weights, b), [1, columns, UNITS])
  const units = tf.reshape(tf.relu(tf.add(left, right)), [rows * columns, UNITS])
  return tf.reshape(applied(`${name}/score`, weights, units), [rows, columns])
}

/** Applies a layer of units with a linear shortcut and normalises each row to mean 0 and variance 1. */
function embedded(name: string, weights: NamedTensors, x: tf.Tensor2D): tf.Tensor2D {
  const both = tf.add(
    applied(`${name}2`, weights, tf.relu(applied(`${name}1`, weights, x))),
    applied(`${name}/shortcut`, weights, x)
  )
  const centred = tf.sub(both, tf.mean(both, 1, true))
  const variance = tf.mean(tf.mul(centred, centred), 1, true)
  // Keeps scores in a range whose exponentials stay finite: √EMBEDDED times a cosine.
  return tf.div(centred, tf.mul(tf.sqrt(tf.add(variance, EPSILON)), EMBEDDED ** 0.25)) as tf.Tensor2D
}

/** The adversary learns to tell Y from noise; the encoder learns to pass for noise (non-saturating). */
function priorTerms(weights: NamedTensors, global: tf.Tensor2D, noise: tf.Tensor, gamma: number): tf.Tensor[] {
  const judged = (x: tf.Tensor, by: NamedTensors): tf.Tensor =>
    applied('infomax/prior3', by, tf.relu(applied('infomax/prior2', by, tf.relu(applied('infomax/prior1', by, x)))))
  const fixed = Object.fromEntries(
    Object.entries(weights)
      .filter(([name]) => name.startsWith('infomax/prior'))
      .map(([name, value]) => [name, held(value)])
  )
  const adversary = tf.add(
    tf.mean(softplus(tf.neg(judged(noise, weights)))),
    tf.mean(softplus(judged(held(global), weights)))
  )
  return [adversary, tf.mul(tf.mean(softplus(tf.neg(judged(global, fixed)))), gamma)]
}

/** Averages the map over a grid with `grid` cells each way. */
function onGrid(map: tf.Tensor4D, grid: number): tf.Tensor4D {
  const [n, side, , channels] = map.shape
  const span = Math.floor(side / grid)
  const cut = tf.slice(map, [0, 0, 0, 0], [n, span * grid, span * grid, channels])
  return span === 1 ? cut : tf.avgPool(cut, span, span, 'valid')
}
