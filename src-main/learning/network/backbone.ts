import * as tf from '@tensorflow/tfjs-core'
import type { NetworkFile, NetworkPort } from '../../backends/networkFile.ts'
import type { Shape } from '../../backends/program.ts'
import { type Architecture, outputStride } from './architecture.ts'

/** Side of the windows in which a network of any input size sees an image; attention grows with its fourth power. */
const SIDE = 448
/** Tokens before those of the patches: class and registers. */
const MOST_EXTRA_TOKENS = 16
/** Features about a pixel's own, to each side, whose context a window must hold. */
const CONTEXT = 4

/** How a network of others is fed, and what it answers. */
export interface Frame {
  input: NetworkPort
  output: string
  /** Bands that it takes. */
  bands: number
  channelsLast: boolean
  /** Side of its input; it takes that one alone where it is `fixed`. */
  side: number
  fixed: boolean
  /** Pixels of the side of what one feature stands for. */
  stride: number
  channels: number
}

/**
 * Finds out by running it how a vision network is fed: a float32 input of three or another number of bands, channels
 * first or last, of one size or of any; and its first output with a place for every part of the image, as a map or as
 * a list of patches.
 * @throws RangeError saying why it cannot be used
 */
export async function frameOf(network: NetworkFile): Promise<Frame> {
  const [input, ...more] = network.inputs
  if (more.length > 0)
    throw new RangeError(
      `it has ${network.inputs.length} inputs (${network.inputs.map(({ name }) => name).join(', ')}), and one image is all that there is`
    )
  if (input.type !== 'float32') throw new RangeError(`its input is ${input.type}, not float32`)
  if (input.shape.length !== 4)
    throw new RangeError(`its input has ${input.shape.length} dimensions, not those of an image`)
  const [, second, third, last] = input.shape
  const few = (side: number | string): side is number => typeof side === 'number' && side > 0 && side <= 64
  const channelsLast = few(last) && !few(second)
  const bands = channelsLast ? last : second
  if (!few(bands)) throw new RangeError(`its input of ${input.shape.join(' × ')} does not say how many bands it takes`)
  const sides = channelsLast ? [second, third] : [third, last]
  const given = sides.filter((side): side is number => typeof side === 'number' && side > 0)
  if (given.length === 2 && given[0] !== given[1])
    throw new RangeError(`its input of ${given.join(' × ')} pixels is not square`)
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
  throw new RangeError(`none of its outputs has a place for every part of the image (${answers.join('; ')})`)
}

const inputShape = ({ bands, channelsLast }: Pick<Frame, 'bands' | 'channelsLast'>, side: number): Shape =>
  channelsLast ? [1, side, side, bands] : [1, bands, side, side]

interface Grid {
  across: number
  channels: number
  /** Where the feature of a place begins, and how far apart those of one place lie. */
  first: number
  step: number
  apart: number
}

/** How the features of a square image lie in an output, or undefined where it is no map of one. */
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

/** A trunk that others trained, which is not trained further. */
export interface FrozenTrunk {
  network: NonNullable<Architecture['backbone']>
  /**
   * Features of a square window, a multiple of the stride wide.
   * @param values  z-scored planes [bands, side, side]
   * @returns       [side / stride, side / stride, channels]
   */
  features(values: Float32Array, side: number): Promise<Float32Array>
}

/** What a network's band is made of: `scale` · the z-scored band of that number + `shift`. */
export interface FedBand {
  band: number
  scale: number
  shift: number
}

/** Side of the parts in which a window is seen, and where they begin; each but the outermost goes without its border. */
function partsOf({ side, fixed, stride }: Frame, window: number): { part: number; border: number; starts: number[] } {
  const part = fixed ? side : Math.min(window, Math.floor(side / stride) * stride)
  const border = Math.floor(part / 8 / stride) * stride
  const starts = [0]
  while (starts.at(-1)! + part < window)
    starts.push(Math.min(starts.at(-1)! + part - 2 * border, Math.max(0, window - part)))
  return { part, border, starts }
}

/** A network as a frozen trunk, fed with the given bands. */
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
        // A part that is larger than the window goes on with its border.
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
      throw new RangeError(`it answers ${shape.join(' × ')} to ${part} × ${part} pixels`)
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
 * A backbone's features of a window between their places, bilinearly, at the network's own resolution.
 * @param features  [1, n, n, channels]
 * @param window    side in pixels
 * @param margin    pixels of its border that are left out
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
