import { type Uniform, normalFrom } from '../random.ts'

/** A classifier with random weights, whose classes mean nothing; a view that changes its answer counts as hard. */
export type RandomClassifier = (picture: Float32Array) => {
  /** Scores of the classes. */
  scores: Float64Array
  /** Gradient of `Σ weights_c · score_c` by the image, planar [bands, side, side]. */
  gradient(weights: ArrayLike<number>): Float64Array
}

/** Number of its classes. */
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
 * Two strided convolutions with tanh between, the mean over the image, and one linear layer: untrained, as §4.3 of
 * Hinnerichs 2020 requires where there are no labels.
 *
 * @param side  side of the images, in cells
 */
export function randomClassifier(bands: number, side: number, uniform: Uniform): RandomClassifier {
  const normal = normalFrom(uniform)
  let [inputs, within] = [bands, side]
  const layers = LAYERS.map((layer): Layer => {
    const fanIn = inputs * layer.kernel ** 2
    const made = {
      ...layer,
      inputs,
      side: within,
      out: Math.ceil(within / layer.stride),
      weights: Float64Array.from({ length: layer.channels * fanIn }, () => (2 * normal()) / Math.sqrt(fanIn))
    }
    ;[inputs, within] = [layer.channels, made.out]
    return made
  })
  const last = Float64Array.from({ length: CLASSES * inputs }, () => normal() / Math.sqrt(inputs))
  const places = within * within

  return (picture) => {
    const seen = [Float64Array.from(picture, (value) => value - 0.5)]
    for (const layer of layers) seen.push(convolved(layer, seen.at(-1)!).map(Math.tanh))
    const top = seen.at(-1)!
    const means = Float64Array.from(
      { length: inputs },
      (_, i) => top.subarray(i * places, (i + 1) * places).reduce((a, b) => a + b, 0) / places
    )
    return {
      scores: Float64Array.from({ length: CLASSES }, (_, c) =>
        means.reduce((sum, value, i) => sum + value * last[c * inputs + i], 0)
      ),
      gradient(weights) {
        const shares = means.map(
          (_, i) => Array.from(weights).reduce((sum, weight, c) => sum + weight * last[c * inputs + i], 0) / places
        )
        let above: Float64Array = Float64Array.from(
          { length: inputs * places },
          (_, at) => shares[Math.floor(at / places)]
        )
        for (let l = layers.length - 1; l >= 0; l--)
          above = carriedBack(
            layers[l],
            above.map((value, i) => value * (1 - seen[l + 1][i] ** 2))
          )
        return above
      }
    }
  }
}

/**
 * Visits each weight of a convolution with a row of outputs and the inputs that contribute to them; the border is
 * padded with zeros.
 */
function overRows(
  { channels, kernel, stride, inputs, side, out }: Layer,
  visit: (weight: number, input: number, output: number, outputs: number) => void
): void {
  const reach = (kernel - 1) / 2
  for (let o = 0; o < channels; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let kr = 0; kr < kernel; kr++) {
        for (let kc = 0; kc < kernel; kc++) {
          const left = Math.max(0, Math.ceil((reach - kc) / stride))
          const right = Math.min(out - 1, Math.floor((side - 1 + reach - kc) / stride))
          for (let r = 0; r < out; r++) {
            const row = r * stride + kr - reach
            if (row >= 0 && row < side)
              visit(
                ((o * inputs + i) * kernel + kr) * kernel + kc,
                (i * side + row) * side + left * stride + kc - reach,
                (o * out + r) * out + left,
                right - left + 1
              )
          }
        }
      }
    }
  }
}

function convolved(layer: Layer, input: Float64Array): Float64Array {
  const output = new Float64Array(layer.channels * layer.out ** 2)
  overRows(layer, (at, from, to, count) => {
    const weight = layer.weights[at]
    for (let c = 0; c < count; c++) output[to + c] += weight * input[from + c * layer.stride]
  })
  return output
}

function carriedBack(layer: Layer, above: Float64Array): Float64Array {
  const below = new Float64Array(layer.inputs * layer.side ** 2)
  overRows(layer, (at, from, to, count) => {
    const weight = layer.weights[at]
    for (let c = 0; c < count; c++) below[from + c * layer.stride] += weight * above[to + c]
  })
  return below
}

/** Returns the class with the highest score. */
export const countedAs = ({ scores }: ReturnType<RandomClassifier>): number => scores.indexOf(Math.max(...scores))
