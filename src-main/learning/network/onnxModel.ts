import { OnnxGraph } from '../../backends/onnx/graph.ts'
import type { BandStatistics } from '../../contract/imagery.ts'
import {
  type Architecture,
  mergeParameter,
  mergesRefitted,
  outputStride,
  refitChannels,
  refitParameters
} from './architecture.ts'
import { foldWeights } from './forward.ts'
import type { GuidedFilter } from '../../contract/recipe.ts'
import { boxInCells } from './patchStatistics.ts'
import { boxMeans, featuresOf, learnt, statisticsOf, trunkOf } from './onnxTrunk.ts'
import { type Seen, convolve, rowMap } from './onnxParts.ts'

/** A trained network, as it is exported. */
export interface PortableNetwork {
  architecture: Architecture
  /** Weights as training keeps them. */
  weights: Record<string, Float32Array>
  subHeads: Record<string, number>
  statistics: BandStatistics
}

export interface PortableHead {
  head: string
  /** Class of each cluster, 255 for none; when absent, every cluster is a class. */
  table?: Uint8Array
  classes: number
}

/**
 * Exports a network as one ONNX model that any program can run. It takes the values of an image file of any size,
 * `image` float32 [1, bands, height, width], applies normalisation, trunk, statistics and head, and returns
 * `probabilities` float32 [1, classes, height, width] or `labels` uint8 [1, 1, height, width], enlarged to the image's
 * size. Unlike Smalti, it does not mirror the image at its border.
 *
 * @param notes  metadata
 */
export function portableModel(
  { architecture, weights, subHeads, statistics }: PortableNetwork,
  { head, table, classes }: PortableHead,
  output: 'probabilities' | 'labels',
  notes: Readonly<Record<string, string>>
): Uint8Array {
  const graph = new OnnxGraph()
  const folded = foldWeights(architecture, weights)
  const stride = outputStride(architecture)
  const raw = graph.input('image', [1, architecture.bands, 'height', 'width'])
  const normalised = normalise(graph, raw, statistics)
  const { padded, height, width } = padToStride(graph, normalised, stride)
  const coarse = headOf(graph, architecture, folded, subHeads, { image: padded, height }, head)
  const enlarged = (map: string): string =>
    graph.add('Resize', [map, '', graph.floats(Float32Array.of(1, 1, stride, stride), [4])], {
      mode: 'linear',
      coordinate_transformation_mode: 'half_pixel'
    })
  const clusters = clustersOf(architecture, head)
  const guided =
    architecture.guidedFilter &&
    followingImage(graph, coarse, padded, { filter: architecture.guidedFilter, stride, enlarged })
  const large = guided
    ? output === 'labels'
      ? amongLeaders(graph, guided, clusters, enlarged)
      : within01(graph, guided.large)
    : enlarged(coarse)
  const full = graph.add('Slice', [
    large,
    graph.integers([0, 0]),
    graph.add('Concat', [height, width], { axis: 0 }),
    graph.integers([2, 3])
  ])
  if (output === 'labels') {
    const winner = graph.add('ArgMax', [full], { axis: 1, keepdims: 1 })
    const labels = table
      ? graph.add('Gather', [graph.bytes(table), winner], { axis: 0 })
      : graph.add('Cast', [winner], { to: 2 })
    graph.output('labels', [1, 1, 'height', 'width'], labels, 'uint8')
  } else {
    graph.output(
      'probabilities',
      [1, classes, 'height', 'width'],
      table ? joined(graph, full, table, { clusters, classes }) : full
    )
  }
  return graph.serialise(notes)
}

const clustersOf = ({ heads }: Architecture, head: string): number => heads.find(({ name }) => name === head)!.clusters

function normalise(graph: OnnxGraph, image: string, statistics: BandStatistics): string {
  const spread = statistics.map(({ deviation, low, high }) => deviation * (high - low))
  const shape = [1, statistics.length, 1, 1]
  const scale = graph.floats(
    Float32Array.from(spread, (value) => 1 / value),
    shape
  )
  const shift = graph.floats(
    Float32Array.from(statistics, ({ mean, low, high }, b) => -(low + mean * (high - low)) / spread[b]),
    shape
  )
  return graph.add('Add', [graph.add('Mul', [image, scale]), shift])
}

/**
 * Pads the image to a multiple of the stride by repeating its last row and column; also returns its height and width.
 */
function padToStride(
  graph: OnnxGraph,
  image: string,
  stride: number
): { padded: string; height: string; width: string } {
  const shape = graph.add('Shape', [image])
  const side = (axis: number): string => graph.add('Slice', [shape, graph.integers([axis]), graph.integers([axis + 1])])
  const [height, width] = [side(2), side(3)]
  const missing = (length: string): string => graph.add('Mod', [graph.add('Neg', [length]), graph.integers([stride])])
  const none = graph.integers([0, 0, 0, 0, 0, 0])
  const pads = graph.add('Concat', [none, missing(height), missing(width)], { axis: 0 })
  return { padded: graph.add('Pad', [image, pads], { mode: 'edge' }), height, width }
}

/** Records `guidedFilter`: the heatmap that it returns, and the enlargement of its linear models. */
function followingImage(
  graph: OnnxGraph,
  heatmap: string,
  image: string,
  { filter, stride, enlarged }: { filter: GuidedFilter; stride: number; enlarged(map: string): string }
): Record<'coarse' | 'large', string> {
  const full = graph.add('ReduceMean', [image, graph.integers([1])], { keepdims: 1 })
  const guide =
    stride === 1
      ? full
      : graph.add('AveragePool', [full], { kernel_shape: [stride, stride], strides: [stride, stride] })
  const reach = boxInCells(filter.box, stride)
  const mean = (map: string): string => boxMeans(graph, map, reach)
  const [ofGuide, ofMap] = [mean(guide), mean(heatmap)]
  const covariance = graph.add('Sub', [mean(graph.add('Mul', [heatmap, guide])), graph.add('Mul', [ofMap, ofGuide])])
  const variance = graph.add('Relu', [
    graph.add('Sub', [mean(graph.add('Mul', [guide, guide])), graph.add('Mul', [ofGuide, ofGuide])])
  ])
  const slope = graph.add('Div', [
    covariance,
    graph.add('Add', [variance, graph.floats(Float32Array.of(filter.epsilon), [])])
  ])
  const offset = graph.add('Sub', [ofMap, graph.add('Mul', [slope, ofGuide])])
  const [slopes, offsets] = [mean(slope), mean(offset)]
  const follow = (by: string, at: string, from: string): string => graph.add('Add', [graph.add('Mul', [by, at]), from])
  return { coarse: follow(slopes, guide, offsets), large: follow(enlarged(slopes), full, enlarged(offsets)) }
}

const within01 = (graph: OnnxGraph, map: string): string =>
  graph.add('Clip', [map, graph.floats(Float32Array.of(0), []), graph.floats(Float32Array.of(1), [])])

/** Excludes clusters that lead at none of the coarse pixels around a pixel. */
function amongLeaders(
  graph: OnnxGraph,
  { coarse, large }: Record<'coarse' | 'large', string>,
  clusters: number,
  enlarged: (map: string) => string
): string {
  const leaders = graph.add(
    'OneHot',
    [
      graph.add('ArgMax', [coarse], { axis: 1, keepdims: 0 }),
      graph.integers([clusters]),
      graph.floats(Float32Array.of(0, 1), [2])
    ],
    { axis: 1 }
  )
  const scalar = (value: number): string => graph.floats(Float32Array.of(value), [])
  return graph.add('Where', [graph.add('Greater', [enlarged(leaders), scalar(0)]), large, scalar(-1e3)])
}

/** Heatmap of a head at the network's resolution. */
function headOf(
  graph: OnnxGraph,
  architecture: Architecture,
  weights: Record<string, Float32Array>,
  subHeads: Record<string, number>,
  seen: Seen,
  name: string
): string {
  const head = architecture.heads.find((entry) => entry.name === name)!
  if (head.mergedFrom !== undefined) {
    const from = architecture.heads.find((entry) => entry.name === head.mergedFrom)!
    const source = learnt(
      graph,
      architecture,
      weights,
      subHeads,
      featuresOf(graph, architecture, weights, seen),
      from.name
    )
    const matrix = weights[mergeParameter(name)]
    const turned = Float32Array.from(
      { length: matrix.length },
      (_, i) => matrix[(i % from.clusters) * head.clusters + Math.floor(i / from.clusters)]
    )
    return convolve(graph, source, turned, [head.clusters, from.clusters, 1, 1], undefined, [0, 0, 0, 0])
  }
  if (!head.refit)
    return learnt(graph, architecture, weights, subHeads, featuresOf(graph, architecture, weights, seen), name)
  const { filter, bias } = refitParameters(name)
  const trunk = mergesRefitted(architecture)
    ? trunkOf(graph, architecture, weights, seen.image)
    : featuresOf(graph, architecture, weights, seen)
  const measured = statisticsOf(graph, architecture, seen.image, head.refit)
  const both = graph.add(
    'Concat',
    [trunk, measured, ...(architecture.upright ? [rowMap(graph, architecture, measured, seen)] : [])],
    { axis: 1 }
  )
  return graph.add(
    'Softmax',
    [
      convolve(
        graph,
        both,
        weights[filter],
        [head.clusters, refitChannels(architecture, head.refit), 1, 1],
        weights[bias],
        [0, 0, 0, 0]
      )
    ],
    { axis: 1 }
  )
}

/** Probabilities of classes: the sums over their clusters. */
function joined(
  graph: OnnxGraph,
  probabilities: string,
  table: Uint8Array,
  { clusters, classes }: { clusters: number; classes: number }
): string {
  const matrix = new Float32Array(classes * clusters)
  for (let cluster = 0; cluster < clusters; cluster++)
    if (table[cluster] < classes) matrix[table[cluster] * clusters + cluster] = 1
  return convolve(graph, probabilities, matrix, [classes, clusters, 1, 1], undefined, [0, 0, 0, 0])
}
