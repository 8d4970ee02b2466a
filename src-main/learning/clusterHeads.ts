import { averageLinkage } from './averageLinkage.ts'
import { type Clustering, type Moments, type Points, beside, columnMoments, kMeans, kMeansFrom, standardised } from './kMeans.ts'
import { type Architecture, featureChannels, mergeParameter, refitParameters, trunkChannels } from './network/architecture.ts'
import type { Uniform } from './random.ts'

/** Softness of k-means' assignments in finished heads, in units of the mean squared distance to the nearest centre. */
export const ASSIGNMENT_TEMPERATURE = 0.5

/** Weights by name that replace a head's start. */
export type HeadWeights = Record<string, Float32Array>

/**
 * The 1×1 convolution that assigns features to the nearest centre of their standardised values f̂: it computes
 * `2f̂·μ_c − |μ_c|²`, whose largest entry is the nearest centre's. Divided by a temperature, the softmax is the soft
 * assignment.
 *
 * @param points       the standardised points that were clustered
 * @param temperature  in units of the points' mean squared distance to their nearest centre
 */
function nearestCentre(
  { centres, inertia }: Clustering,
  { count, width }: Points,
  { mean, deviation }: Moments,
  temperature: number
): { filter: Float32Array; bias: Float32Array } {
  const sharpness = 1 / (temperature * Math.max(inertia / count, 1e-6))
  const filter = centres.map((centre, i) => (2 * centre * sharpness) / deviation[i % width])
  const bias = new Float32Array(centres.length / width)
  centres.forEach((centre, i) => (bias[Math.floor(i / width)] -= centre * centre * sharpness + filter[i] * mean[i % width]))
  return { filter, bias }
}

/**
 * Heads whose clusters are k-means on the features.
 *
 * @param features     sampled pixels; the last `features.width` of the features that the heads see
 * @param temperature  in units of the features' mean squared distance to their nearest centre
 */
export function kMeansHeads(architecture: Architecture, features: Points, temperature: number, uniform: Uniform): HeadWeights {
  const moments = columnMoments(features)
  const points = standardised(features, moments)
  const { width } = features
  const channels = featureChannels(architecture)
  const weights: HeadWeights = {}
  for (const { name, clusters, subHeads, mergedFrom } of architecture.heads) {
    if (mergedFrom !== undefined) continue
    const filter = new Float32Array(clusters * subHeads * channels)
    const bias = new Float32Array(clusters * subHeads)
    for (let s = 0; s < subHeads; s++) {
      const found = nearestCentre(kMeans(points, clusters, uniform), points, moments, temperature)
      bias.set(found.bias, s * clusters)
      for (let c = 0; c < clusters; c++) {
        filter.set(found.filter.subarray(c * width, (c + 1) * width), (s * clusters + c + 1) * channels - width)
      }
    }
    weights[`head${name}/filter`] = filter
    weights[`head${name}/bias`] = bias
  }
  return weights
}

/**
 * The start of a warm run: soft k-means on the statistics, with the trunk's part of each head small.
 * @param random      the heads' random start
 * @param statistics  sampled pixels
 * @param share       factor on the random start of the trunk's part
 */
export function warmHeads(architecture: Architecture, random: HeadWeights, statistics: Points, temperature: number, share: number, uniform: Uniform): HeadWeights {
  const heads = kMeansHeads(architecture, statistics, temperature, uniform)
  const [channels, fromTrunk] = [featureChannels(architecture), trunkChannels(architecture)]
  for (const [name, values] of Object.entries(heads)) {
    if (!name.endsWith('/filter')) continue
    values.forEach((value, i) => {
      if (i % channels < fromTrunk) values[i] = value + share * random[name][i]
    })
  }
  return heads
}

/**
 * Head A once more, as k-means on what the network sees: Lloyd's algorithm on its features and on the statistics,
 * starting from the means of the learnt clusters. Training ends with clusters of much the same mass; this lets them
 * settle where the pixels are, and a cluster that training lost comes back.
 *
 * @param features    sampled pixels
 * @param statistics  of the same pixels, for the head's `refit` boxes
 * @param share       weight of all statistics against all features
 * @param heatmap     the head's probabilities of the same pixels, [count, C]
 */
export function refittedHead(head: Architecture['heads'][number], features: Points, statistics: Points, share: number, heatmap: Points): HeadWeights {
  const points = beside(features, statistics)
  const { mean, deviation } = columnMoments(points)
  const unit = (d: number): number => (d < features.width ? Math.sqrt(features.width) : Math.sqrt(statistics.width) / share)
  const moments = { mean, deviation: deviation.map((value, d) => value * unit(d)) }
  const scaled = standardised(points, moments)
  const { filter, bias } = nearestCentre(kMeansFrom(scaled, clusterMeans(scaled, heatmap)), scaled, moments, ASSIGNMENT_TEMPERATURE)
  const names = refitParameters(head.name)
  return { [names.filter]: filter, [names.bias]: bias }
}

/** Shares below this count as nothing when clusters are averaged. */
const SMALLEST_SHARE = 1e-4

/** Mean of the points in each cluster of a soft assignment [count, C]; row-major [C, width]. */
function clusterMeans({ values, count, width }: Points, heatmap: Points): Float32Array {
  const clusters = heatmap.width
  const [sums, masses] = [new Float64Array(clusters * width), new Float64Array(clusters)]
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < clusters; c++) {
      const share = heatmap.values[i * clusters + c]
      if (share < SMALLEST_SHARE) continue
      masses[c] += share
      for (let d = 0; d < width; d++) sums[c * width + d] += share * values[i * width + d]
    }
  }
  return Float32Array.from(sums, (sum, i) => sum / Math.max(masses[Math.floor(i / width)], 1e-9))
}

/**
 * The matrix of a merged head: average linkage of its source's clusters by their mean statistics, so that clusters
 * which look alike are joined whatever their sizes. (Information prefers groups of equal mass, and so splits what
 * covers half of the images.)
 *
 * @param statistics  sampled pixels
 * @param heatmap     the source's probabilities of the same pixels, [count, C]
 */
export function mergedHead(head: Architecture['heads'][number], statistics: Points, heatmap: Points): HeadWeights {
  const means = clusterMeans(standardised(statistics, columnMoments(statistics)), heatmap)
  const groupOf = averageLinkage({ values: means, count: heatmap.width, width: statistics.width }, head.clusters)
  const matrix = new Float32Array(heatmap.width * head.clusters)
  groupOf.forEach((group, c) => (matrix[c * head.clusters + group] = 1))
  return { [mergeParameter(head.name)]: matrix }
}
