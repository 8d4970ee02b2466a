import type { OnnxGraph } from '../../backends/onnx/graph.ts'
import {
  type Architecture,
  KERNEL,
  featureChannels,
  outputStride,
  rowInFeatures,
  trunkChannels
} from './architecture.ts'
import { boxInCells } from './patchStatistics.ts'
import { EPSILON, type Seen, convolve, rowMap } from './onnxParts.ts'

/** Means over square boxes of an odd side, counting only pixels within the map. */
export function boxMeans(graph: OnnxGraph, map: string, reach: number): string {
  const over = (x: string, rows: number, columns: number): string => {
    const [r, c] = [(rows - 1) / 2, (columns - 1) / 2]
    return graph.add('AveragePool', [x], {
      kernel_shape: [rows, columns],
      strides: [1, 1],
      pads: [r, c, r, c],
      count_include_pad: 0
    })
  }
  return over(over(map, reach, 1), 1, reach)
}

export function learnt(
  graph: OnnxGraph,
  architecture: Architecture,
  weights: Record<string, Float32Array>,
  subHeads: Record<string, number>,
  features: string,
  name: string
): string {
  const { clusters } = architecture.heads.find((entry) => entry.name === name)!
  const channels = featureChannels(architecture)
  const from = subHeads[name] * clusters
  const filter = weights[`head${name}/filter`].slice(from * channels, (from + clusters) * channels)
  const bias = weights[`head${name}/bias`].slice(from, from + clusters)
  return graph.add('Softmax', [convolve(graph, features, filter, [clusters, channels, 1, 1], bias, [0, 0, 0, 0])], {
    axis: 1
  })
}

/** Records the features that the heads see. */
export function featuresOf(
  graph: OnnxGraph,
  architecture: Architecture,
  weights: Record<string, Float32Array>,
  seen: Seen
): string {
  const parts = trunkChannels(architecture) > 0 ? [trunkOf(graph, architecture, weights, seen.image)] : []
  if (architecture.statistics) parts.push(statisticsOf(graph, architecture, seen.image, architecture.statistics))
  if (rowInFeatures(architecture)) parts.push(rowMap(graph, architecture, parts[0], seen))
  return parts.length === 1 ? parts[0] : graph.add('Concat', parts, { axis: 1 })
}

export function trunkOf(
  graph: OnnxGraph,
  architecture: Architecture,
  weights: Record<string, Float32Array>,
  image: string
): string {
  let x = architecture.sobel ? withSobel(graph, image) : image
  let channels = architecture.bands + (architecture.sobel ? 2 : 0)
  architecture.layers.forEach((layer, index) => {
    if (layer.kind === 'pool') {
      x = graph.add(layer.average ? 'AveragePool' : 'MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] })
      return
    }
    // Zero padding as in TensorFlow's "same": with a stride, the later side gets more.
    const pads = layer.stride === 1 ? Array<number>(4).fill(layer.dilation) : [0, 0, 1, 1]
    const shape = [layer.channels, channels, KERNEL, KERNEL]
    x = graph.add('Relu', [
      convolve(
        graph,
        x,
        weights[`trunk${index}/filter`],
        shape,
        weights[`trunk${index}/bias`],
        pads,
        layer.stride,
        layer.dilation
      )
    ])
    channels = layer.channels
  })
  return x
}

function withSobel(graph: OnnxGraph, image: string): string {
  const mean = graph.add('ReduceMean', [image, graph.integers([1])], { keepdims: 1 })
  const filters = Float32Array.of(1, 0, -1, 2, 0, -2, 1, 0, -1, 1, 2, 1, 0, 0, 0, -1, -2, -1)
  return graph.add('Concat', [image, convolve(graph, mean, filters, [2, 1, 3, 3], undefined, [1, 1, 1, 1])], {
    axis: 1
  })
}

/** `patchStatistics`, channels first. */
export function statisticsOf(
  graph: OnnxGraph,
  architecture: Architecture,
  image: string,
  boxes: readonly number[]
): string {
  const { bands, kuwahara } = architecture
  const stride = outputStride(architecture)
  const epsilon = graph.floats(Float32Array.of(EPSILON), [])
  const channelsFrom = (x: string, from: number, to: number): string =>
    graph.add('Slice', [x, graph.integers([from]), graph.integers([to]), graph.integers([1])])
  const moments = graph.add('Concat', [image, gradient(graph, image, epsilon), graph.add('Mul', [image, image])], {
    axis: 1
  })
  const cells =
    stride === 1
      ? moments
      : graph.add('AveragePool', [moments], { kernel_shape: [stride, stride], strides: [stride, stride] })
  const parts = boxes.flatMap((side) => {
    const reach = boxInCells(side, stride)
    const mean = boxMeans(graph, cells, reach)
    const ofBands = channelsFrom(mean, 0, bands)
    const variance = graph.add('Relu', [
      graph.add('Sub', [channelsFrom(mean, bands + 1, 2 * bands + 1), graph.add('Mul', [ofBands, ofBands])])
    ])
    const measured = [
      ofBands,
      graph.add('Sqrt', [graph.add('Add', [variance, epsilon])]),
      channelsFrom(mean, bands, bands + 1)
    ]
    if (kuwahara === undefined || reach === 1) return measured
    return [
      leastVariance(graph, graph.add('Concat', measured, { axis: 1 }), {
        variance,
        means: ofBands,
        own: channelsFrom(cells, 0, bands),
        reach,
        likeness: kuwahara
      })
    ]
  })
  return graph.add('Concat', [channelsFrom(cells, 0, bands + 1), ...parts], { axis: 1 })
}

/** Cost of a box that extends beyond the image and must not be chosen, as in `patchStatistics`. */
const BEYOND = 1e6

/** Chooses the box of least variance among nine, as in `patchStatistics`, for maps of any size. */
function leastVariance(
  graph: OnnxGraph,
  measured: string,
  {
    variance,
    means,
    own,
    reach,
    likeness
  }: { variance: string; means: string; own: string; reach: number; likeness: number }
): string {
  const r = (reach - 1) / 2
  const axes = graph.integers([2, 3])
  const total = (map: string): string => graph.add('ReduceSum', [map, graph.integers([1])], { keepdims: 1 })
  const around = (map: string, value: number): string =>
    graph.add('Pad', [map, graph.integers([0, 0, r, r, 0, 0, r, r]), graph.floats(Float32Array.of(value), [])])
  const END = 2 ** 31 - 1
  const at = (map: string, dy: number, dx: number): string =>
    graph.add('Slice', [
      map,
      graph.integers([r + dy, r + dx]),
      graph.integers([dy === r ? END : dy - r, dx === r ? END : dx - r]),
      axes
    ])
  const [costs, candidates, choices] = [around(total(variance), BEYOND), around(means, 0), around(measured, 0)]
  const weight = graph.floats(Float32Array.of(likeness), [])
  let [least, best] = ['', '']
  for (const [dy, dx] of [
    [0, 0],
    [-r, -r],
    [-r, 0],
    [-r, r],
    [0, -r],
    [0, r],
    [r, -r],
    [r, 0],
    [r, r]
  ]) {
    const difference = graph.add('Sub', [at(candidates, dy, dx), own])
    const cost = graph.add('Add', [
      at(costs, dy, dx),
      graph.add('Mul', [total(graph.add('Mul', [difference, difference])), weight])
    ])
    const choice = at(choices, dy, dx)
    best = best === '' ? choice : graph.add('Where', [graph.add('Less', [cost, least]), choice, best])
    least = least === '' ? cost : graph.add('Min', [cost, least])
  }
  return best
}

function gradient(graph: OnnxGraph, image: string, epsilon: string): string {
  const axes = graph.integers([2, 3])
  const part = (from: number[], to: number[]): string =>
    graph.add('Slice', [image, graph.integers(from), graph.integers(to), axes])
  const END = 2 ** 31 - 1
  const origin = part([0, 0], [-1, -1])
  const differences = [part([1, 0], [END, -1]), part([0, 1], [-1, END])].map((shifted) => {
    const difference = graph.add('Sub', [shifted, origin])
    return graph.add('Mul', [difference, difference])
  })
  const energy = graph.add('ReduceSum', [graph.add('Add', differences), graph.integers([1])], { keepdims: 1 })
  const length = graph.add('Sqrt', [graph.add('Add', [energy, epsilon])])
  return graph.add('Pad', [length, graph.integers([0, 0, 0, 0, 0, 0, 1, 1])])
}
