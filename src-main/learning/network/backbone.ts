import * as tf from '@tensorflow/tfjs-core'
import type { NetworkFile, NetworkPort } from '../../backends/networkFile.ts'
import type { Shape } from '../../backends/program.ts'
import { type Architecture, outputStride } from './architecture.ts'

/**
 * Side of the windows in which a network of any input size sees an image. The cost of attention grows with its fourth
 * power.
 */
const SIDE = 448
/** Most tokens before those of the patches: class and registers. */
const MOST_EXTRA_TOKENS = 16
/** Features on each side of a pixel's own that a window must include as context. */
const CONTEXT = 4

/** The input and output format of a pretrained network. */
export interface Frame {
  input: NetworkPort
  output: string
  /** Bands of its input. */
  bands: number
  channelsLast: boolean
  /** Side of its input; the only one that it accepts where `fixed`. */
  side: number
  fixed: boolean
  /** Side in pixels of the area that one feature stands for. */
  stride: number
  channels: number
}

/**
 * Finds out by running a vision network how to feed it. It needs a float32 input with any number of bands, channels
 * first or last, of one size or of any; its first output with a position for every part of the image is used, whether a
 * map or a list of patches.
 *
 * @throws RangeError with the reason why it cannot be used
 */
export async function frameOf(network: NetworkFile): Promise<Frame> {
  const [input, ...more] = network.inputs
  if (more.length > 0)
    throw new RangeError(
      `it has ${network.inputs.length} inputs (${network.inputs.map(({ name }) => name).join(', ')}) instead of one image`
    )
  if (input.type !== 'float32') throw new RangeError(`its input is ${input.type}, not float32`)
  if (input.shape.length !== 4) throw new RangeError(`its input has ${input.shape.length} dimensions; an image has 4`)
  const [, second, third, last] = input.shape
  const few = (side: number | string): side is number => typeof side === 'number' && side > 0 && side <= 64
  const channelsLast = few(last) && !few(second)
  const bands = channelsLast ? last : second
  if (!few(bands)) throw new RangeError(`its input of ${input.shape.join(' × ')} doesn't fix the number of bands`)
  const sides = channelsLast ? [second, third] : [third, last]
  const given = sides.filter((side): side is number => typeof side === 'number' && side > 0)
  if (given.length === 2 && given[0] !== given[1])
    throw new RangeError(`its input of ${given.join(' × ')} pixels isn't square`)
  const [fixed, side] = [given.length > 0, given[0] ?? SIDE]
  const answers: string[] = []
  for (const { name, type } of network.outputs) {
    if (type !== 'float32') continue
    const { shape } = await network.run(
      input.name,
      new Float32Array(bands * side * side),
      inputShape({ bands, channelsLast }, side),
      name
    )
    const grid = gridOf(shape, side)
    if (grid && grid.across > 1)
      return {
        input,
        output: name,
        bands,
        channelsLast,
        side,
        fixed,
        stride: side / grid.across,
        channels: grid.channels
      }
    answers.push(`${name}: ${shape.join(' × ')}`)
  }
  throw new RangeError(`none of its outputs is a feature map (${answers.join('; ')})`)
}

const inputShape = ({ bands, channelsLast }: Pick<Frame, 'bands' | 'channelsLast'>, side: number): Shape =>
  channelsLast ? [1, side, side, bands] : [1, bands, side, side]

interface Grid {
  across: number
  channels: number
  /** Offset of the first feature, step between positions, and step between the features of one position. */
  first: number
  step: number
  apart: number
}

/** Returns how an output stores the features of a square image, or undefined if it is not a map of one. */
function gridOf(shape: Shape, side: number): Grid | undefined {
  const whole = (across: number): boolean => Number.isInteger(side / across)
  if (shape.length === 4) {
    const [, a, b, c] = shape
    if (b === c && whole(b)) return { across: b, channels: a, first: 0, step: 1, apart: b * c }
    if (a === b && whole(a)) return { across: a, channels: c, first: 0, step: c, apart: 1 }
    return undefined
  }
  if (shape.length !== 3) return undefined
  const [, tokens, channels] = shape
  const across = Math.floor(Math.sqrt(tokens))
  const extra = tokens - across ** 2
  return extra <= MOST_EXTRA_TOKENS && whole(across)
    ? { across, channels, first: extra * channels, step: channels, apart: 1 }
    : undefined
}

/** A pretrained trunk, which is not trained further. */
export interface FrozenTrunk {
  network: NonNullable<Architecture['backbone']>
  /**
   * Computes the features of a square window whose side is a multiple of the stride.
   *
   * @param values  z-scored planes [bands, side, side]
   * @returns       [side / stride, side / stride, channels]
   */
  features(values: Float32Array, side: number): Promise<Float32Array>
}

/** An input band of a pretrained network: `scale` · the z-scored band of this number + `shift`. */
export interface FedBand {
  band: number
  scale: number
  shift: number
}

/** Returns the side, border and starts of the parts in which a window is seen; borders between parts are discarded. */
function partsOf({ side, fixed, stride }: Frame, window: number): { part: number; border: number; starts: number[] } {
  const part = fixed ? side : Math.min(window, Math.floor(side / stride) * stride)
  const border = Math.floor(part / 8 / stride) * stride
  const starts = [0]
  while (starts.at(-1)! + part < window)
    starts.push(Math.min(starts.at(-1)! + part - 2 * border, Math.max(0, window - part)))
  return { part, border, starts }
}

/** Makes a network a frozen trunk, fed with the given bands. */
export function frozenTrunk(file: NetworkFile, frame: Frame, fed: readonly FedBand[], digest: string): FrozenTrunk {
  const { stride, channels } = frame
  const seen = async (
    values: Float32Array,
    window: number,
    { left, top, part }: { left: number; top: number; part: number }
  ): Promise<{ grid: Grid; found: Float32Array }> => {
    const image = new Float32Array(frame.bands * part * part)
    fed.forEach(({ band, scale, shift }, b) => {
      for (let y = 0; y < part; y++) {
        // A part larger than the window repeats the window's border.
        const from = (band * window + Math.min(top + y, window - 1)) * window
        for (let x = 0; x < part; x++) {
          const at = y * part + x
          image[frame.channelsLast ? at * frame.bands + b : b * part * part + at] =
            values[from + Math.min(left + x, window - 1)] * scale + shift
        }
      }
    })
    const { values: found, shape } = await file.run(frame.input.name, image, inputShape(frame, part), frame.output)
    const grid = gridOf(shape, part)
    if (!grid || grid.across !== part / stride || grid.channels !== channels)
      throw new RangeError(`it returns ${shape.join(' × ')} for ${part} × ${part} pixels`)
    return { grid, found }
  }
  return {
    network: { digest, channels, stride, halo: CONTEXT * stride },
    async features(values, side) {
      const across = side / stride
      const { part, border, starts } = partsOf(frame, side)
      const features = new Float32Array(across * across * channels)
      for (const top of starts) {
        for (const left of starts) {
          const { grid, found } = await seen(values, side, { left, top, part })
          const from = (start: number): number => (start === 0 ? 0 : start + border) / stride
          for (let row = from(top); row < Math.min(across, (top + part) / stride); row++) {
            for (let column = from(left); column < Math.min(across, (left + part) / stride); column++) {
              const at = grid.first + ((row - top / stride) * grid.across + column - left / stride) * grid.step
              const into = (row * across + column) * channels
              for (let k = 0; k < channels; k++) features[into + k] = found[at + k * grid.apart]
            }
          }
        }
      }
      return features
    }
  }
}

/**
 * Interpolates a backbone's features bilinearly at the network's own resolution.
 *
 * @param features  [1, n, n, channels]
 * @param window    side in pixels
 * @param margin    pixels of its border to leave out
 */
export function atCells(
  architecture: Architecture,
  features: tf.Tensor4D,
  window: number,
  margin: number
): tf.Tensor4D {
  const [, across, , channels] = features.shape
  const stride = outputStride(architecture)
  const cells = (window - 2 * margin) / stride
  const weights = new Float32Array(cells * across)
  for (let i = 0; i < cells; i++) {
    const place = Math.min(Math.max(((margin + (i + 0.5) * stride) * across) / window - 0.5, 0), across - 1)
    const before = Math.min(Math.floor(place), Math.max(across - 2, 0))
    weights[i * across + before] += 1 - (place - before)
    if (across > 1) weights[i * across + before + 1] += place - before
  }
  const between = tf.tensor2d(weights, [cells, across])
  const rows = tf.reshape(tf.matMul(between, tf.reshape(features, [across, across * channels]) as tf.Tensor2D), [
    cells,
    across,
    channels
  ])
  const turned = tf.reshape(tf.transpose(rows, [1, 0, 2]), [across, cells * channels]) as tf.Tensor2D
  const both = tf.transpose(tf.reshape(tf.matMul(between, turned), [cells, cells, channels]), [1, 0, 2])
  return tf.reshape(both, [1, cells, cells, channels])
}
