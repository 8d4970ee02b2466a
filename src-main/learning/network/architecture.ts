import type { Architecture } from '../../contract/training.ts'
import { filterReach } from './guidedFilter.ts'
import { boxInCells, patchStatisticsCount } from './patchStatistics.ts'
import { SIFT_CHANNELS, SIFT_HALO } from './sift.ts'

/**
 * A fully convolutional network: a trunk of 3×3 convolutions shared by softmax heads. With statistics and no
 * convolutions the heads see the statistics alone, with neither the bands.
 */
export type { Architecture }
export type Layer = Architecture['layers'][number]

export const KERNEL = 3
/** Vectors of four fill every processor's lanes. */
const CHANNEL_MULTIPLE = 4

/** Side of the trunk's output pixel in input pixels. */
export function outputStride({ layers }: Pick<Architecture, 'layers'>): number {
  return layers.reduce((stride, layer) => stride * (layer.kind === 'pool' ? 2 : layer.stride), 1)
}

/** Windows begin at multiples of so many pixels and are multiples of it wide, so that features lie alike in all of them. */
export function windowStep(architecture: Architecture): number {
  const stride = outputStride(architecture)
  const { backbone } = architecture
  if (!backbone) return stride
  let step = Math.max(stride, backbone.stride)
  while (step % stride !== 0 || step % backbone.stride !== 0) step += Math.max(stride, backbone.stride)
  return step
}

/** Input pixels, to each side of an output pixel's own square, that its value depends on. */
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
  // A box half its side away reaches as far beyond its centre again.
  return kuwahara === undefined ? Math.ceil((stride * widest) / 2) + 1 : stride * Math.max(0, widest - 1) + 1
}

/**
 * Input pixels of a window's border, a multiple of the stride, which the statistics need and the trunk does without:
 * it is computed inside of them.
 */
export function windowMargin(architecture: Architecture): number {
  const stride = outputStride(architecture)
  return Math.floor(Math.max(0, statisticsHalo(architecture) - trunkHalo(architecture)) / stride) * stride
}

/** Channels that the first layer sees. */
export function inputChannels({ bands, sobel }: Architecture): number {
  return bands + (sobel ? 2 : 0)
}

/** Channels of the trunk's output, 0 where the heads do without. */
export function trunkChannels({ bands, layers, statistics, backbone, descriptor }: Architecture): number {
  if (backbone) return backbone.channels
  if (descriptor) return SIFT_CHANNELS
  const channels = layers.flatMap((layer) => (layer.kind === 'convolution' ? [layer.channels] : []))
  return channels.at(-1) ?? (statistics ? 0 : bands)
}

/** Channels that the heads see: the trunk's, then the statistics, then, where there is no trunk, the row. */
export function featureChannels(architecture: Architecture): number {
  const { bands, statistics } = architecture
  return (
    trunkChannels(architecture) +
    (statistics ? patchStatisticsCount(bands, statistics) : 0) +
    Number(rowInFeatures(architecture))
  )
}

/** A trunk learns from crops, which do not know their place. */
export const rowInFeatures = (architecture: Architecture): boolean =>
  architecture.upright === true && trunkChannels(architecture) === 0

/** Output pixels of a window's border that only the guided filter sees. */
export function filterBorder(architecture: Architecture): number {
  return architecture.guidedFilter ? filterReach(architecture.guidedFilter, outputStride(architecture)) : 0
}

/** Input pixels of a window's border that its heatmaps do not cover. */
export const heatmapMargin = (architecture: Architecture): number =>
  windowMargin(architecture) + outputStride(architecture) * filterBorder(architecture)

/**
 * Channels and pools of a trunk in the papers' shorthand: `64,128,M,256,256,512d2`; `s2` marks a stride, `A` an average pool.
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
      if (channels === undefined) throw new RangeError(`'${word}' is no layer`)
      return {
        kind: 'convolution',
        channels: CHANNEL_MULTIPLE * Math.max(1, Math.round((Number(channels) * width) / CHANNEL_MULTIPLE)),
        dilation: Number(dilation ?? 1),
        stride: Number(stride ?? 1)
      }
    })
}

/** Name of the 0/1 matrix [clusters of the source, clusters] that makes one head of another. */
export const mergeParameter = (head: string): string => `head${head}/merge`

/** Names of what a refitted head computes with: filter [C, features and statistics, 1, 1] and bias [C]. */
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

/** How many of the features a refitted head sees: the trunk's; with centred boxes, as runs had them at first, all. */
export function refitFeatures(architecture: Architecture): number {
  return architecture.kuwahara === undefined ? featureChannels(architecture) : trunkChannels(architecture)
}

/** Whether heads that join another's clusters join them as they were refitted, and not as runs did at first. */
export const mergesRefitted = ({ kuwahara }: Architecture): boolean => kuwahara !== undefined

export interface Parameter {
  shape: number[]
  /** Standard deviation of the normal start (He, fan-in), or the constant start. */
  start: { deviation: number } | { constant: number }
  trained: boolean
}

/** Every weight of the network by name. Filters are stored `[out, in, kh, kw]`. */
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

/** Starting values of all weights, from `normal`, a source of standard normal numbers. @param more  those of what is learnt besides the network */
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
