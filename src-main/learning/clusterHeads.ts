import { type Points, columnMoments, kMeans, standardised } from './kMeans.ts'
import { type Architecture, featureChannels, mergeParameter, trunkChannels } from './network/architecture.ts'
import type { Uniform } from './random.ts'

/** Weights by name that replace a head's start. */
export type HeadWeights = Record<string, Float32Array>

/**
 * Heads whose clusters are k-means on the features: `argmax_c 2f̂·μ_c − |μ_c|²` is the nearest centre of the
 * standardised features f̂, and a 1×1 convolution computes it. Divided by a temperature, the softmax is the soft
 * assignment.
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
      const { centres, inertia } = kMeans(points, clusters, uniform)
      const sharpness = 1 / (temperature * Math.max(inertia / points.count, 1e-6))
      for (let c = 0; c < clusters; c++) {
        const at = s * clusters + c
        for (let d = 0; d < width; d++) {
          const centre = centres[c * width + d]
          const slope = (2 * centre * sharpness) / moments.deviation[d]
          filter[at * channels + channels - width + d] = slope
          bias[at] -= centre * centre * sharpness + slope * moments.mean[d]
        }
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
 * The matrix of a merged head: k-means on the mean statistics of its source's clusters, each counted by its mass, so
 * that clusters which look alike are joined whatever their sizes.
 *
 * @param statistics  sampled pixels
 * @param heatmap     the source's probabilities of the same pixels, [count, C]
 */
export function mergedHead(head: Architecture['heads'][number], statistics: Points, heatmap: Points, uniform: Uniform): HeadWeights {
  const points = standardised(statistics, columnMoments(statistics))
  const { count, width } = points
  const clusters = heatmap.width
  const [sums, masses] = [new Float64Array(clusters * width), new Float64Array(clusters)]
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < clusters; c++) {
      const share = heatmap.values[i * clusters + c]
      if (share < 1e-4) continue
      masses[c] += share / count
      for (let d = 0; d < width; d++) sums[c * width + d] += (share / count) * points.values[i * width + d]
    }
  }
  const means = Float32Array.from(sums, (sum, i) => sum / Math.max(masses[Math.floor(i / width)], 1e-9))
  const { assigned } = kMeans({ values: means, count: clusters, width }, Math.min(head.clusters, clusters), uniform, masses)
  const matrix = new Float32Array(clusters * head.clusters)
  assigned.forEach((group, c) => (matrix[c * head.clusters + group] = 1))
  return { [mergeParameter(head.name)]: matrix }
}
