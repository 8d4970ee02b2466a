import { type Uniform, normalFrom } from '../random.ts'

/** A network of random weights that tells pictures apart by nothing but chance; what it sees is what views can be hard for. */
export interface RandomClassifier {
  /** Scores of the classes of a planar picture [bands, side, side], values 0…1. */
  scores(picture: Float32Array): Float64Array
  /** Gradient of `Σ weights_c · score_c` by the picture. */
  gradient(picture: Float32Array, weights: ArrayLike<number>): Float64Array
}

/** Classes that it tells apart. */
export const CLASSES = 10
const LAYERS = [
  { channels: 8, kernel: 5, stride: 2 },
  { channels: 16, kernel: 3, stride: 2 }
] as const

interface Layer {
  channels: number
  kernel: number
  stride: number
  inputs: number
  side: number
  out: number
  /** [channels, inputs, kernel, kernel] */
  weights: Float64Array
}

/**
 * Two strided convolutions with tanh between, the mean over the picture, and one linear layer: untrained, as §4.3 of
 * Hinnerichs 2020 asks for where nothing has labels.
 *
 * @param side  of the pictures, in cells
 */
export function randomClassifier(bands: number, side: number, uniform: Uniform): RandomClassifier {
  const normal = normalFrom(uniform)
  let [inputs, within] = [bands, side]
  const layers = LAYERS.map((layer): Layer => {
    const fanIn = inputs * layer.kernel ** 2
    const made = { ...layer, inputs, side: within, out: Math.ceil(within / layer.stride), weights: Float64Array.from({ length: layer.channels * fanIn }, () => (2 * normal()) / Math.sqrt(fanIn)) }
    ;[inputs, within] = [layer.channels, made.out]
    return made
  })
  const last = Float64Array.from({ length: CLASSES * inputs }, () => normal() / Math.sqrt(inputs))
  const places = within * within

  const forward = (picture: Float32Array): { seen: Float64Array[]; means: Float64Array } => {
    const seen = [Float64Array.from(picture, (value) => value - 0.5)]
    for (const layer of layers) seen.push(convolved(layer, seen.at(-1)!).map(Math.tanh))
    const top = seen.at(-1)!
    return { seen, means: Float64Array.from({ length: inputs }, (_, i) => top.subarray(i * places, (i + 1) * places).reduce((a, b) => a + b, 0) / places) }
  }
  return {
    scores(picture) {
      const { means } = forward(picture)
      return Float64Array.from({ length: CLASSES }, (_, c) => means.reduce((sum, value, i) => sum + value * last[c * inputs + i], 0))
    },
    gradient(picture, weights) {
      const { seen } = forward(picture)
      let above: Float64Array = Float64Array.from({ length: inputs * places }, (_, at) => {
        let sum = 0
        for (let c = 0; c < CLASSES; c++) sum += weights[c] * last[c * inputs + Math.floor(at / places)]
        return sum / places
      })
      for (let l = layers.length - 1; l >= 0; l--) above = carriedBack(layers[l], above.map((value, i) => value * (1 - seen[l + 1][i] ** 2)))
      return above
    }
  }
}

/** Every product of a convolution with zeros beyond the border: index of the weight, of the input and of the output. */
function overProducts({ channels, kernel, stride, inputs, side, out }: Layer, visit: (weight: number, input: number, output: number) => void): void {
  const reach = (kernel - 1) / 2
  for (let o = 0; o < channels; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let r = 0; r < out; r++) {
        for (let kr = 0; kr < kernel; kr++) {
          const row = r * stride + kr - reach
          if (row < 0 || row >= side) continue
          for (let kc = 0; kc < kernel; kc++) {
            const weight = ((o * inputs + i) * kernel + kr) * kernel + kc
            for (let c = 0, column = kc - reach; c < out; c++, column += stride) {
              if (column >= 0 && column < side) visit(weight, (i * side + row) * side + column, (o * out + r) * out + c)
            }
          }
        }
      }
    }
  }
}

function convolved(layer: Layer, input: Float64Array): Float64Array {
  const output = new Float64Array(layer.channels * layer.out ** 2)
  overProducts(layer, (weight, from, to) => (output[to] += layer.weights[weight] * input[from]))
  return output
}

function carriedBack(layer: Layer, above: Float64Array): Float64Array {
  const below = new Float64Array(layer.inputs * layer.side ** 2)
  overProducts(layer, (weight, from, to) => (below[from] += layer.weights[weight] * above[to]))
  return below
}

/** The class of the highest score. */
export const countedAs = (scores: Float64Array): number => scores.indexOf(Math.max(...scores))
