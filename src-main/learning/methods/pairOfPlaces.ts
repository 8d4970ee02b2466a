import * as tf from '@tensorflow/tfjs-core'
import type { NamedTensors, Shape } from '../../backends/program.ts'
import type { StepShape } from '../../contract/training.ts'
import { type Architecture, outputStride, trunkChannels } from '../network/architecture.ts'
import { type Uniform, integerBelow } from '../random.ts'
import type { Batch } from '../views/pairs.ts'
import { ESTIMATE, type LearningMethod, applied, dense } from './method.ts'
import { cellsAt, hasData, mapSide } from './places.ts'

/** Units of the networks on top of the trunk, and pairs of places sampled in each image. */
const UNITS = 256
const PAIRS = 64
const TRIES = 40
const SMALLEST = 1e-7

/** A displacement in output pixels, and the answer that it stands for. */
export interface Offset {
  rows: number
  columns: number
  answer: number
}

/**
 * A method that learns from pairs of places in an image: the trunk's features at both pass through a layer each and a
 * common layer, which predicts one of `answers`. It minimises the cross-entropy; the information is `ln answers` less
 * that.
 *
 * @param draw  draws the position of the second place relative to the first
 */
export const pairOfPlaces = (
  name: string,
  answers: number,
  draw: (stride: number, side: number, uniform: Uniform) => Offset
): LearningMethod => ({
  objective(architecture, shape) {
    const channels = trunkChannels(architecture)
    const count = 2 * shape.pairs * PAIRS
    const inputs: Record<string, Shape> = { from: [count], to: [count], answers: [count, answers] }
    return {
      parameters: {
        ...dense(`${name}/from`, channels, UNITS),
        ...dense(`${name}/to`, channels, UNITS),
        ...dense(`${name}/joined`, 2 * UNITS, UNITS),
        ...dense(`${name}/answer`, UNITS, answers)
      },
      headParts: [],
      inputs,
      measured: [ESTIMATE],
      ceiling: Math.log(answers),
      loss({ trunk }, weights, fed) {
        // Pairs for which no place was found have no answer.
        const loss = tf.div(
          tf.sum(crossEntropy(logitsOf(name, trunk, weights, fed), fed.answers)),
          tf.maximum(tf.sum(fed.answers), 1)
        ) as tf.Scalar
        return { loss, measured: { [ESTIMATE]: tf.reshape(tf.sub(Math.log(answers), loss), [1]) } }
      }
    }
  },
  feed: (batch, { architecture, shape }, uniform) =>
    drawPairs(batch, architecture, shape, answers, (stride, side) => draw(stride, side, uniform), uniform)
})

function logitsOf(name: string, trunk: tf.Tensor4D, weights: NamedTensors, fed: NamedTensors): tf.Tensor2D {
  const side = (place: 'from' | 'to'): tf.Tensor2D =>
    tf.relu(applied(`${name}/${place}`, weights, cellsAt(trunk, fed[place])))
  return applied(
    `${name}/answer`,
    weights,
    tf.relu(applied(`${name}/joined`, weights, tf.concat([side('from'), side('to')], 1)))
  )
}

const crossEntropy = (logits: tf.Tensor2D, answers: tf.Tensor): tf.Tensor =>
  tf.neg(tf.sum(tf.mul(answers, tf.log(tf.add(tf.softmax(logits), SMALLEST))), 1))

function drawPairs(
  batch: Batch,
  architecture: Architecture,
  shape: StepShape,
  answers: number,
  draw: (stride: number, side: number) => Offset,
  uniform: Uniform
): Record<'from' | 'to' | 'answers', Float32Array> {
  const [side, stride] = [mapSide(architecture, shape), outputStride(architecture)]
  const holds = hasData(batch, shape, stride)
  const count = 2 * shape.pairs * PAIRS
  const fed = { from: new Float32Array(count), to: new Float32Array(count), answers: new Float32Array(count * answers) }
  const inside = (place: number): boolean => place >= 0 && place < side
  for (let i = 0; i < count; i++) {
    const image = Math.floor(i / PAIRS)
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const { rows, columns, answer } = draw(stride, side)
      const [row, column] = [integerBelow(side, uniform), integerBelow(side, uniform)]
      const [otherRow, otherColumn] = [row + rows, column + columns]
      if (!inside(otherRow) || !inside(otherColumn)) continue
      if (!holds(image, row, column) || !holds(image, otherRow, otherColumn)) continue
      fed.from[i] = (image * side + row) * side + column
      fed.to[i] = (image * side + otherRow) * side + otherColumn
      fed.answers[i * answers + answer] = 1
      break
    }
  }
  return fed
}
