import * as tf from '@tensorflow/tfjs-core'
import { AFFINE_KERNEL } from '../program.ts'
import { type Factor, type RecordKernel, RecordingError, type Recorder, type Value } from './recorder.ts'

/** Physical order of a logical `[n, h, w, c]` map stored channels first. */
const CHANNELS_FIRST = [0, 3, 1, 2]
/** The same, with channels even before samples. */
const CHANNELS_OUTERMOST = [3, 0, 1, 2]
/** Physical order of a logical `[kh, kw, in, out]` filter stored `[out, in, kh, kw]`. */
const OUTPUT_FIRST = [3, 2, 0, 1]

interface Geometry {
  kernel: [number, number]
  strides: [number, number]
  dilations: [number, number]
  /** top, left, bottom, right */
  pads: [number, number, number, number]
}

function geometryOf(xShape: readonly number[], filterShape: readonly number[], attributes: tf.NamedAttrMap): Geometry {
  const { strides, pad, dilations, dataFormat } = attributes as unknown as tf.Conv2DAttrs
  if (dataFormat !== 'NHWC') throw new RecordingError(`cannot record the layout ${dataFormat}`)
  const found = tf.backend_util.computeConv2DInfo(
    xShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    strides,
    dilations ?? 1,
    pad
  )
  const { top, left, bottom, right } = found.padInfo
  return {
    kernel: [found.filterHeight, found.filterWidth],
    strides: [found.strideHeight, found.strideWidth],
    dilations: [found.dilationHeight, found.dilationWidth],
    pads: [top, left, bottom, right]
  }
}

function outputSide(side: number, { kernel, strides, dilations, pads }: Geometry, axis: 0 | 1): number {
  const reach = (kernel[axis] - 1) * dilations[axis] + 1
  return Math.floor((side + pads[axis] + pads[axis + 2] - reach) / strides[axis]) + 1
}

function convolve(recorder: Recorder, x: Value, filter: Value, attributes: tf.NamedAttrMap): Value {
  const geometry = geometryOf(x.shape, filter.shape, attributes)
  const [maps, filters] = sideBySide(
    recorder,
    [recorder.laidOut(x, CHANNELS_FIRST), recorder.laidOut(filter, OUTPUT_FIRST)],
    x.shape[3]
  )
  const name = recorder.add('Conv', [maps, filters], {
    kernel_shape: geometry.kernel,
    strides: geometry.strides,
    dilations: geometry.dilations,
    pads: geometry.pads
  })
  const [n, h, w] = x.shape
  const shape = [n, outputSide(h, geometry, 0), outputSide(w, geometry, 1), filter.shape[3]]
  return { name, shape, order: CHANNELS_FIRST }
}

/**
 * Pads maps `[n, c, h, w]` and filters `[out, c, kh, kw]` for a convolution on WebGPU. ONNX Runtime's WebGPU provider
 * (1.30) processes channels in threes where their number divides by three, and then sums the wrong ones; channels of
 * zeros make the number divisible by four.
 */
function sideBySide(recorder: Recorder, names: [string, string], channels: number): [string, string] {
  if (!recorder.forWebGpu || channels <= 3 || channels % 3 !== 0 || channels % 4 === 0) return names
  const amounts = recorder.graph.integers([0, 0, 0, 0, 0, 4 - (channels % 4), 0, 0])
  return names.map((name) => recorder.add('Pad', [name, amounts])) as [string, string]
}

/**
 * Gradient of a convolution by its input. With stride 1 it is a convolution with the rotated filter, which runs faster
 * than a transposed convolution.
 */
function inputGradient(recorder: Recorder, dy: Value, filter: Value, attributes: tf.NamedAttrMap): Value {
  const inputShape = attributes.inputShape as number[]
  const geometry = geometryOf(inputShape, filter.shape, attributes)
  const { kernel, strides, dilations, pads } = geometry
  const stored = recorder.laidOut(dy, CHANNELS_FIRST)
  const shape = inputShape
  if (strides.some((stride) => stride > 1)) {
    const remainder = ([0, 1] as const).map((axis) => {
      const covered = (dy.shape[axis + 1] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1
      return inputShape[axis + 1] - (covered - pads[axis] - pads[axis + 2])
    })
    const name = recorder.add('ConvTranspose', [stored, recorder.laidOut(filter, OUTPUT_FIRST)], {
      kernel_shape: kernel,
      strides,
      dilations,
      pads,
      output_padding: remainder
    })
    return { name, shape, order: CHANNELS_FIRST }
  }
  const swapped = recorder.laidOut(filter, [2, 3, 0, 1])
  const turned =
    kernel[0] * kernel[1] === 1 ? swapped : turn(recorder, swapped, [filter.shape[2], filter.shape[3]], kernel)
  const reach = kernel.map((side, axis) => (side - 1) * dilations[axis])
  const name = recorder.add('Conv', sideBySide(recorder, [stored, turned], dy.shape[3]), {
    kernel_shape: kernel,
    dilations,
    pads: [reach[0] - pads[0], reach[1] - pads[1], reach[0] - pads[2], reach[1] - pads[3]]
  })
  return { name, shape, order: CHANNELS_FIRST }
}

/** Rotates a filter `[a, b, kh, kw]` by 180°: a product with the reversed identity reverses the order of its taps. */
function turn(recorder: Recorder, filter: string, outer: readonly number[], kernel: readonly number[]): string {
  const taps = kernel[0] * kernel[1]
  const reversal = Float32Array.from({ length: taps * taps }, (_, i) =>
    Number(Math.floor(i / taps) + (i % taps) === taps - 1)
  )
  const rows = recorder.reshaped(filter, [outer[0] * outer[1], taps])
  return recorder.reshaped(recorder.add('MatMul', [rows, recorder.graph.floats(reversal, [taps, taps])]), [
    ...outer,
    ...kernel
  ])
}

/**
 * Gradient of a convolution by its filter: one product per tap, of the shifted input and the output's gradient. Padded
 * rows are laid end to end, so that a shift is one contiguous slice: `dW[i,j] = Σ x[u + (i,j)] dy[u]`.
 */
function filterGradient(recorder: Recorder, x: Value, dy: Value, attributes: tf.NamedAttrMap): Value {
  const filterShape = attributes.filterShape as [number, number, number, number]
  const geometry = geometryOf(x.shape, filterShape, attributes)
  const [n, h, w, channelsIn] = x.shape
  const channelsOut = filterShape[3]
  const { kernel, strides, dilations, pads } = geometry
  const [oh, ow] = [dy.shape[1], dy.shape[2]]
  const integers = (values: number[]): string => recorder.graph.integers(values)
  // With small maps, one product per sample would be larger than the maps, so all samples share one.
  const together = channelsIn * channelsOut > (channelsIn + channelsOut) * oh * ow
  const order = together ? CHANNELS_OUTERMOST : CHANNELS_FIRST
  // With channels last, a shifted input can be the product's second factor as it is.
  const channelsLast = recorder.forWebGpu
  const source = channelsLast ? recorder.canonicalName(x) : recorder.laidOut(x, order)
  const axes = channelsLast ? [1, 2] : [2, 3]
  const spread = (amounts: readonly number[]): number[] => [0, 1, 2, 3].map((axis) => amounts[axes.indexOf(axis)] ?? 0)
  const padded = pads.some((amount) => amount > 0)
    ? recorder.add('Pad', [source, integers([...spread(pads.slice(0, 2)), ...spread(pads.slice(2))])])
    : source
  const [samples, pixels] = together ? [[], n * oh * ow] : [[n], oh * ow]
  const rank = samples.length + 2
  const gradient = {
    name: recorder.reshaped(recorder.laidOut(dy, order), [...samples, channelsOut, pixels]),
    rank,
    transposed: false
  }
  const factorOf = (shifted: string): Factor => {
    const shape = channelsLast ? [pixels, channelsIn] : [channelsIn, pixels]
    return { name: recorder.reshaped(shifted, [...samples, ...shape]), rank, transposed: !channelsLast }
  }
  const everySample = together ? undefined : recorder.graph.floats(new Float32Array(n).fill(1), [1, n])

  const taps: string[] = []
  for (let i = 0; i < kernel[0]; i++) {
    for (let j = 0; j < kernel[1]; j++) {
      const start = [i * dilations[0], j * dilations[1]]
      const end = [start[0] + (oh - 1) * strides[0] + 1, start[1] + (ow - 1) * strides[1] + 1]
      const unshifted =
        start[0] === pads[0] && start[1] === pads[1] && strides[0] === 1 && strides[1] === 1 && oh === h && ow === w
      const slice = unshifted
        ? source
        : recorder.add('Slice', [padded, integers(start), integers(end), integers(axes), integers([...strides])])
      const product = recorder.product(gradient, factorOf(slice))
      const summed = everySample
        ? recorder.add('MatMul', [everySample, recorder.reshaped(product, [n, channelsOut * channelsIn])])
        : product
      taps.push(recorder.reshaped(summed, [channelsOut, channelsIn, 1]))
    }
  }
  const stacked = taps.length === 1 ? taps[0] : recorder.add('Concat', taps, { axis: 2 })
  const name = recorder.reshaped(stacked, [channelsOut, channelsIn, kernel[0], kernel[1]])
  return { name, shape: filterShape, order: OUTPUT_FIRST }
}

interface Pooling {
  side: number
  shape: number[]
}

function poolingOf(x: Value, attributes: tf.NamedAttrMap): Pooling {
  const { filterSize, strides, pad } = attributes as unknown as tf.MaxPoolAttrs
  const side = Array.isArray(filterSize) ? filterSize[0] : filterSize
  const stride = Array.isArray(strides) ? strides[0] : strides
  const [n, h, w, c] = x.shape
  if (side !== stride || pad !== 'valid' || h % side || w % side) {
    throw new RecordingError('only pooling over whole, separate squares can be recorded')
  }
  return { side, shape: [n, h / side, w / side, c] }
}

const maxPool: RecordKernel = (recorder, { x }, attributes) => {
  const { side, shape } = poolingOf(x, attributes)
  const name = recorder.add('MaxPool', [recorder.laidOut(x, CHANNELS_FIRST)], {
    kernel_shape: [side, side],
    strides: [side, side]
  })
  return { name, shape, order: CHANNELS_FIRST }
}

function enlarge(recorder: Recorder, x: Value, side: number): string {
  const scales = recorder.graph.floats(Float32Array.of(1, 1, side, side), [4])
  return recorder.add('Resize', [recorder.laidOut(x, CHANNELS_FIRST), '', scales], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor'
  })
}

/** Finds the maximum by comparing with the enlarged output, because providers disagree about pooling indices. */
const maxPoolGradient: RecordKernel = (recorder, { dy, input, output }, attributes) => {
  const { side } = poolingOf(input, attributes)
  const chosen = recorder.add('Equal', [recorder.laidOut(input, CHANNELS_FIRST), enlarge(recorder, output, side)])
  const name = recorder.add('Mul', [recorder.add('Cast', [chosen], { to: 1 }), enlarge(recorder, dy, side)])
  return { name, shape: input.shape, order: CHANNELS_FIRST }
}

/** Boxes of any shape, stride and padding; padding is not counted, as in TensorFlow. */
const averagePool: RecordKernel = (recorder, { x }, attributes) => {
  const { filterSize, strides, pad } = attributes as unknown as tf.AvgPoolAttrs
  const found = tf.backend_util.computePool2DInfo(
    x.shape as [number, number, number, number],
    filterSize,
    strides,
    1,
    pad
  )
  const { top, left, bottom, right } = found.padInfo
  const name = recorder.add('AveragePool', [recorder.laidOut(x, CHANNELS_FIRST)], {
    kernel_shape: [found.filterHeight, found.filterWidth],
    strides: [found.strideHeight, found.strideWidth],
    pads: [top, left, bottom, right]
  })
  return { name, shape: found.outShape, order: CHANNELS_FIRST }
}

const avgPoolGradient: RecordKernel = (recorder, { dy, input }, attributes) => {
  const { side } = poolingOf(input, attributes)
  const name = recorder.add('Mul', [enlarge(recorder, dy, side), recorder.scalar(1 / side ** 2)])
  return { name, shape: input.shape, order: CHANNELS_FIRST }
}

/** A 1×1 convolution per channel: one pass, where a product and a sum take two. */
const affine: RecordKernel = (recorder, { x, scale, shift }) => {
  const channels = x.shape[3]
  const filter = recorder.reshaped(scale.name, [channels, 1, 1, 1])
  const name = recorder.add('Conv', [recorder.laidOut(x, CHANNELS_FIRST), filter, shift.name], {
    kernel_shape: [1, 1],
    group: channels
  })
  return { name, shape: x.shape, order: CHANNELS_FIRST }
}

/** Kernels that record convolutions and pooling, by their names in TensorFlow.js. */
export const convolutionKernels: Record<string, RecordKernel> = {
  Conv2D: (recorder, { x, filter }, attributes) => convolve(recorder, x, filter, attributes),
  Conv2DBackpropInput: (recorder, { dy, filter }, attributes) => inputGradient(recorder, dy, filter, attributes),
  Conv2DBackpropFilter: (recorder, { x, dy }, attributes) => filterGradient(recorder, x, dy, attributes),
  MaxPool: maxPool,
  MaxPoolGrad: maxPoolGradient,
  AvgPool: averagePool,
  AvgPoolGrad: avgPoolGradient,
  [AFFINE_KERNEL]: affine
}
