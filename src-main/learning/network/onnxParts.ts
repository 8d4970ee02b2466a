import type { OnnxGraph } from '../../backends/onnx/graph.ts'
import { type Architecture, outputStride } from './architecture.ts'

/** Keeps the slope of the square root finite, as in `patchStatistics`. */
export const EPSILON = 1e-6

export function convolve(
  graph: OnnxGraph,
  x: string,
  filter: Float32Array,
  shape: number[],
  bias: Float32Array | undefined,
  pads: number[],
  stride = 1,
  dilation = 1
): string {
  const inputs = [x, graph.floats(filter, shape), ...(bias ? [graph.floats(bias, [bias.length])] : [])]
  return graph.add('Conv', inputs, {
    pads,
    strides: [stride, stride],
    dilations: [dilation, dilation],
    kernel_shape: shape.slice(2)
  })
}

/** The image with channels first, and its height, from which rows get their position. */
export interface Seen {
  image: string
  height: string
}

/**
 * The rows' positions, −√3 at the top of the image and √3 at the bottom, as a map of one channel with the size of
 * `like`.
 */
export function rowMap(graph: OnnxGraph, architecture: Architecture, like: string, { height }: Seen): string {
  const at = graph.integers([2])
  const rows = graph.add('Squeeze', [graph.add('Gather', [graph.add('Shape', [like]), at], { axis: 0 })])
  const scalar = (value: number): string => graph.floats(Float32Array.of(value), [])
  const steps = graph.add(
    'Cast',
    [
      graph.add('Range', [
        graph.add('Squeeze', [graph.integers([0])]),
        rows,
        graph.add('Squeeze', [graph.integers([1])])
      ])
    ],
    { to: 1 }
  )
  const centres = graph.add('Mul', [graph.add('Add', [steps, scalar(0.5)]), scalar(outputStride(architecture))])
  const shares = graph.add('Div', [centres, graph.add('Cast', [height], { to: 1 })])
  const places = graph.add('Mul', [
    graph.add('Sub', [graph.add('Mul', [shares, scalar(2)]), scalar(1)]),
    scalar(Math.sqrt(3))
  ])
  const nothing = graph.add('Mul', [
    graph.add('Slice', [like, graph.integers([0]), graph.integers([1]), graph.integers([1])]),
    scalar(0)
  ])
  return graph.add('Add', [nothing, graph.add('Reshape', [places, graph.integers([1, 1, -1, 1])])])
}
