import type { Architecture } from '../../contract/training.ts'
import { filterReach } from './guidedFilter.ts'
import { boxInCells, patchStatisticsCount } from './patchStatistics.ts'
import { SIFT_CHANNELS, SIFT_HALO } from './sift.ts'

/**
 * A fully convolutional network: a trunk of 3×3 convolutions shared by softmax heads. With statistics and no
 * convolutions, the heads see only the statistics, not even the bands.
 */
export type { Architecture }
export type Layer = Architecture['layers'][number]

export const KERNEL = 3
/** Multiples of four fill the vector lanes of every processor. */
const CHANNEL_MULTIPLE = 4

/** Side of one of the trunk's output pixels, in input pixels. */
export function outputStride({ layers }: Pick<Architecture, 'layers'>): number {
  return layers.reduce((stride, layer) => stride * (layer.kind === 'pool' ? 2 : layer.stride), 1)
}

/**
 * Returns the number of pixels of which window positions and sides are multiples, so that features align in all
 * windows.
 */
export function windowStep(architecture: Architecture): number {
  const stride = outputStride(architecture)
  const { backbone } = architecture
  if (!backbone) return stride
  let step = Math.max(stride, backbone.stride)
  while (step % stride !== 0 || step % backbone.stride !== 0) step += Math.max(stride, backbone.stride)
  return step
}

/** Input pixels on each side of an output pixel's own square on which its value depends. */
export function receptiveHalo(architecture: Architecture): number {
  return (
    Math.max(trunkHalo(architecture), statisticsHalo(architecture)) +
    outputStride(architecture) * (1 + filterBorder(architecture))
  )
}

function trunkHalo({ layers, sobel, backbone, descriptor }: Architecture): number {
  if (backbone) return backbone.halo
  if (descriptor) return SIFT_HALO
  let halo = sobel ? 1 : 0
  let stride = 1
  for (const layer of layers) {
    if (layer.kind === 'convolution') {
      halo += layer.dilation * stride
      stride *= layer.stride
    } else {
      stride *= 2
    }
  }
  return halo
}

function statisticsHalo(architecture: Architecture): number {
  const { statistics = [], heads, kuwahara } = architecture
  const stride = outputStride(architecture)
  const widest = Math.max(
    0,
    ...[...statistics, ...heads.flatMap(({ refit = [] }) => refit)].map((side) => boxInCells(side, stride))
  )
  // A box half its side away reaches as far again beyond its centre.
  return kuwahara === undefined ? Math.ceil((stride * widest) / 2) + 1 : stride * Math.max(0, widest - 1) + 1
}

/**
 * Border of a window in input pixels, a multiple of the stride, that the statistics need and the trunk does not. The
 * trunk is computed inside it.
 */
export function windowMargin(architecture: Architecture): number {
  const stride = outputStride(architecture)
  return Math.floor(Math.max(0, statisticsHalo(architecture) - trunkHalo(architecture)) / stride) * stride
}

/** Channels that the first layer sees. */
function inputChannels({ bands, sobel }: Architecture): number {
  return bands + (sobel ? 2 : 0)
}

/** Channels of the trunk's output; 0 where the heads have no trunk. */
export function trunkChannels({ bands, layers, statistics, backbone, descriptor }: Architecture): number {
  if (backbone) return backbone.channels
  if (descriptor) return SIFT_CHANNELS
  const channels = layers.flatMap((layer) => (layer.kind === 'convolution' ? [layer.channels] : []))
  return channels.at(-1) ?? (statistics ? 0 : bands)
}

/** Channels that the heads see: the trunk's, then the statistics, then, without a trunk, the row. */
export function featureChannels(architecture: Architecture): number {
  const { bands, statistics } = architecture
  return (
    trunkChannels(architecture) +
    (statistics ? patchStatisticsCount(bands, statistics) : 0) +
    Number(rowInFeatures(architecture))
  )
}

/** Whether the heads see the row: never with a trunk, which learns from crops that do not know their position. */
export const rowInFeatures = (architecture: Architecture): boolean =>
  architecture.upright === true && trunkChannels(architecture) === 0

/** Border of a window in output pixels that only the guided filter sees. */
export function filterBorder(architecture: Architecture): number {
  return architecture.guidedFilter ? filterReach(architecture.guidedFilter, outputStride(architecture)) : 0
}

/** Border of a window in input pixels that its heatmaps do not cover. */
export const heatmapMargin = (architecture: Architecture): number =>
  windowMargin(architecture) + outputStride(architecture) * filterBorder(architecture)

/**
 * Parses the channels and pools of a trunk from the papers' shorthand: `64,128,M,256,256,512d2`; `s2` marks a stride,
 * `A` an average pool.
 *
 * @param width  factor on all channel counts, which are rounded to multiples of four
 */
export function trunk(shorthand: string, width: number): Layer[] {
  return shorthand
    .split(',')
    .filter(Boolean)
    .map((word): Layer => {
      if (word === 'M') return { kind: 'pool' }
      if (word === 'A') return { kind: 'pool', average: true }
      const [, channels, dilation, stride] = /^(\d+)(?:d(\d+))?(?:s(\d+))?$/.exec(word) ?? []
      if (channels === undefined) throw new RangeError(`'${word}' isn't a layer`)
      return {
        kind: 'convolution',
        channels: CHANNEL_MULTIPLE * Math.max(1, Math.round((Number(channels) * width) / CHANNEL_MULTIPLE)),
        dilation: Number(dilation ?? 1),
        stride: Number(stride ?? 1)
      }
    })
}

/** Name of the 0/1 matrix [clusters of the source, clusters] that makes one head from another. */
export const mergeParameter = (head: string): string => `head${head}/merge`

/** Names of a refitted head's weights: filter [C, features and statistics, 1, 1] and bias [C]. */
export const refitParameters = (head: string): { filter: string; bias: string } => ({
  filter: `head${head}/refit/filter`,
  bias: `head${head}/refit/bias`
})

/** Channels that a refitted head sees: the trunk's, then its statistics, then the row. */
export function refitChannels(architecture: Architecture, boxes: readonly number[]): number {
  return (
    refitFeatures(architecture) +
    patchStatisticsCount(architecture.bands, boxes) +
    Number(architecture.upright === true)
  )
}

/** Number of features that a refitted head sees: the trunk's, or all in older runs, which have centred boxes. */
export function refitFeatures(architecture: Architecture): number {
  return architecture.kuwahara === undefined ? featureChannels(architecture) : trunkChannels(architecture)
}

/** Whether merged heads join refitted clusters; in older runs they join the learnt ones. */
export const mergesRefitted = ({ kuwahara }: Architecture): boolean => kuwahara !== undefined

/** A weight of the network. */
export interface Parameter {
  shape: number[]
  /** Standard deviation of normal initial values (He, fan-in), or a constant initial value. */
  start: { deviation: number } | { constant: number }
  trained: boolean
}

/** Returns every weight of the network by name. Filters are stored `[out, in, kh, kw]`. */
export function parametersOf(architecture: Architecture): Record<string, Parameter> {
  const { layers, heads } = architecture
  const parameters: Record<string, Parameter> = {}
  const vector = (name: string, length: number, constant: number, trained: boolean): void => {
    parameters[name] = { shape: [length], start: { constant }, trained }
  }
  let channels = inputChannels(architecture)
  layers.forEach((layer, index) => {
    if (layer.kind === 'pool') return
    const fanIn = channels * KERNEL * KERNEL
    parameters[`trunk${index}/filter`] = {
      shape: [layer.channels, channels, KERNEL, KERNEL],
      start: { deviation: Math.sqrt(2 / fanIn) },
      trained: true
    }
    vector(`trunk${index}/gamma`, layer.channels, 1, true)
    vector(`trunk${index}/beta`, layer.channels, 0, true)
    vector(`trunk${index}/runningMean`, layer.channels, 0, false)
    vector(`trunk${index}/runningVariance`, layer.channels, 1, false)
    channels = layer.channels
  })
  channels = featureChannels(architecture)
  for (const head of heads) {
    if (head.mergedFrom !== undefined) {
      const source = heads.find(({ name }) => name === head.mergedFrom)!
      parameters[mergeParameter(head.name)] = {
        shape: [source.clusters, head.clusters],
        start: { constant: 0 },
        trained: false
      }
      continue
    }
    const outputs = head.clusters * head.subHeads
    parameters[`head${head.name}/filter`] = {
      shape: [outputs, channels, 1, 1],
      start: { deviation: Math.sqrt(2 / channels) },
      trained: true
    }
    vector(`head${head.name}/bias`, outputs, 0, true)
    if (!head.refit) continue
    const { filter, bias } = refitParameters(head.name)
    parameters[filter] = {
      shape: [head.clusters, refitChannels(architecture, head.refit), 1, 1],
      start: { constant: 0 },
      trained: false
    }
    vector(bias, head.clusters, 0, false)
  }
  return parameters
}

/**
 * Returns the initial values of all weights.
 *
 * @param normal  source of standard normal numbers
 * @param more    parameters that are learnt besides the network's
 */
export function initialWeights(
  architecture: Architecture,
  normal: () => number,
  more: Record<string, Parameter> = {}
): Record<string, Float32Array> {
  return Object.fromEntries(
    Object.entries({ ...parametersOf(architecture), ...more }).map(([name, { shape, start }]) => {
      const length = shape.reduce((product, side) => product * side, 1)
      const values =
        'constant' in start
          ? new Float32Array(length).fill(start.constant)
          : Float32Array.from({ length }, () => start.deviation * normal())
      return [name, values]
    })
  )
}
