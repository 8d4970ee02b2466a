import type { ClusterTree, MapPlace } from '../contract/classes.ts'
import { scaledToPlane } from '../classes/map.ts'
import { cutTree } from '../classes/tree.ts'
import { clusterTree } from './clusterTree.ts'
import {
  type Clustering,
  type Moments,
  type Points,
  beside,
  columnMoments,
  kMeans,
  kMeansFrom,
  squaredDistance,
  standardised
} from './kMeans.ts'
import {
  type Architecture,
  featureChannels,
  mergeParameter,
  refitParameters,
  rowInFeatures,
  trunkChannels
} from './network/architecture.ts'
import type { Uniform } from './random.ts'

/**
 * Softness of the k-means assignments in finished heads, in units of the mean squared distance to the nearest centre.
 */
export const ASSIGNMENT_TEMPERATURE = 0.5

/** Weights, by name, that replace a head's initial ones. */
export type HeadWeights = Record<string, Float32Array>

/**
 * Returns the 1×1 convolution that assigns features to the nearest centre of their standardised values f̂: it computes
 * `2f̂·μ_c − |μ_c|²`, which is largest for the nearest centre. Divided by a temperature, its softmax is the soft
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
  centres.forEach(
    (centre, i) => (bias[Math.floor(i / width)] -= centre * centre * sharpness + filter[i] * mean[i % width])
  )
  return { filter, bias }
}

/** Weight of the row relative to all statistics together. */
const ROW_WEIGHT = 0.6
/** Weight in upright images of a trunk that does not know the row, relative to its weight in images from above. */
const TRUNK_OF_UPRIGHT = 0.75

/** Scales moments so that, after standardisation, each block of columns has the given weight as a whole. */
function weighed({ mean, deviation }: Moments, blocks: readonly { width: number; weight: number }[]): Moments {
  const units = blocks.flatMap(({ width, weight }) => Array<number>(width).fill(Math.sqrt(width) / weight))
  return { mean, deviation: deviation.map((value, d) => value * units[d]) }
}

/** Moments that standardise features for clustering. */
function clusteringMoments(architecture: Architecture, features: Points): Moments {
  const rows = Number(rowInFeatures(architecture))
  return weighed(columnMoments(features), [
    { width: features.width - rows, weight: 1 },
    { width: rows, weight: ROW_WEIGHT }
  ])
}

/**
 * Builds heads whose clusters are k-means on the features.
 *
 * @param features     sampled pixels: the last `features.width` of the features that the heads see
 * @param temperature  in units of the features' mean squared distance to their nearest centre
 */
export function kMeansHeads(
  architecture: Architecture,
  features: Points,
  temperature: number,
  uniform: Uniform
): HeadWeights {
  const moments = clusteringMoments(architecture, features)
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

/** Standardises features as `kMeansHeads` clusters them. */
export const clusteringSpace = (architecture: Architecture, features: Points): Points =>
  standardised(features, clusteringMoments(architecture, features))

/** Assigns features with a head of `kMeansHeads`. */
export function kMeansAssignment(
  architecture: Architecture,
  head: string,
  features: Points,
  weights: HeadWeights
): Assignment {
  return {
    space: clusteringSpace(architecture, features),
    heatmap: softAssignment(features, weights[`head${head}/filter`], weights[`head${head}/bias`])
  }
}

/**
 * Builds the initial heads of a warm start: soft k-means on the statistics, with small weights on the trunk's features.
 *
 * @param random      the heads' random initial weights
 * @param statistics  sampled pixels
 * @param share       factor on the random weights of the trunk's features
 */
export function warmHeads(
  architecture: Architecture,
  random: HeadWeights,
  statistics: Points,
  temperature: number,
  share: number,
  uniform: Uniform
): HeadWeights {
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

/** Sampled pixels and their soft assignment. */
export interface Assignment {
  /** The pixels as they were clustered: standardised, each block of columns with its weight. */
  space: Points
  /** Probabilities [count, C]. */
  heatmap: Points
}

/**
 * Refits head A as k-means on what the network sees: Lloyd's algorithm on the trunk's features and the statistics,
 * starting from the means of the learnt clusters. Training ends with clusters of similar mass; refitting lets them
 * settle where the pixels are and revives clusters that training lost. A trunk learns from crops, which do not know
 * their row, so it counts less in upright images, where k-means++ starts also compete with the learnt one by inertia.
 *
 * @param features    sampled pixels
 * @param statistics  of the same pixels, over the head's `refit` boxes
 * @param share       weight of all statistics relative to all features
 * @param placed      whether the features depend on their position, as those of a network that sees more than a crop do
 * @param rows        positions of the pixels' rows in upright images
 * @param heatmap     the head's probabilities for the same pixels, [count, C]
 */
export function refittedHead(
  head: Architecture['heads'][number],
  {
    features,
    statistics,
    rows,
    share,
    placed
  }: { features: Points; statistics: Points; rows?: Points; share: number; placed: boolean },
  heatmap: Points,
  uniform: Uniform
): Assignment & { weights: HeadWeights } {
  const blocks = [
    { points: features, weight: rows && !placed ? TRUNK_OF_UPRIGHT : 1 },
    { points: statistics, weight: share },
    ...(rows ? [{ points: rows, weight: ROW_WEIGHT * share }] : [])
  ]
  const points = blocks.map((block) => block.points).reduce(beside)
  const moments = weighed(
    columnMoments(points),
    blocks.map(({ points: { width }, weight }) => ({ width, weight }))
  )
  const scaled = standardised(points, moments)
  const settled = kMeansFrom(scaled, clusterMeans(scaled, heatmap))
  const anew = rows && kMeans(scaled, heatmap.width, uniform)
  const { filter, bias } = nearestCentre(
    anew && anew.inertia < settled.inertia ? anew : settled,
    scaled,
    moments,
    ASSIGNMENT_TEMPERATURE
  )
  const names = refitParameters(head.name)
  return {
    weights: { [names.filter]: filter, [names.bias]: bias },
    space: scaled,
    heatmap: softAssignment(points, filter, bias)
  }
}

/** Softmax of a 1×1 convolution of the points. */
function softAssignment({ values, count, width }: Points, filter: Float32Array, bias: Float32Array): Points {
  const clusters = bias.length
  const result = new Float32Array(count * clusters)
  for (let i = 0; i < count; i++) {
    const row = result.subarray(i * clusters, (i + 1) * clusters)
    for (let c = 0; c < clusters; c++) {
      let logit = bias[c]
      for (let d = 0; d < width; d++) logit += filter[c * width + d] * values[i * width + d]
      row[c] = logit
    }
    const highest = row.reduce((a, b) => Math.max(a, b))
    let total = 0
    for (let c = 0; c < clusters; c++) total += row[c] = Math.exp(row[c] - highest)
    for (let c = 0; c < clusters; c++) row[c] /= total
  }
  return { values: result, count, width: clusters }
}

/** Smaller shares are ignored when clusters are averaged. */
const SMALLEST_SHARE = 1e-4

/** Means of the points in each cluster of a soft assignment [count, C]; row-major [C, width]. */
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
 * Builds the tree of a head's clusters from the appearance of their pixels. In images from above, clusters belong
 * together if they look alike on average, whatever their sizes: average linkage of mean colours and gradients. In
 * upright photographs position and texture count too: Ward's linkage in the space in which the pixels were clustered.
 * (Information is no guide: it prefers groups of equal mass and so splits whatever covers half of the images.)
 *
 * @param looks  mean bands and gradients of the sampled pixels
 */
export function treeOfClusters({ space, heatmap }: Assignment, looks: Points, upright: boolean): ClusterTree {
  const points = upright ? space : standardised(looks, columnMoments(looks))
  const means = { values: clusterMeans(points, heatmap), count: heatmap.width, width: points.width }
  return clusterTree(means, massesOf(heatmap), upright ? 'ward' : 'average')
}

/**
 * Places clusters in the plane so that those whose pixels look alike on average are near each other.
 * @param looks  as for `treeOfClusters`
 */
export function mapOfClusters({ heatmap }: Assignment, looks: Points): MapPlace[] {
  const means = clusterMeans(standardised(looks, columnMoments(looks)), heatmap)
  const [count, width] = [heatmap.width, looks.width]
  const apart = Float64Array.from({ length: count * count }, (_, k) =>
    Math.sqrt(squaredDistance(means, Math.floor(k / count) * width, means, (k % count) * width, width))
  )
  return scaledToPlane(apart, count)
}

function massesOf({ values, count, width }: Points): number[] {
  const masses = Array<number>(width).fill(0)
  values.forEach((value, i) => (masses[i % width] += value / count))
  return masses
}

/** Returns the group of each cluster of a merged head's source. */
export function mergedGroups({ heads }: Architecture, name: string, weights: Record<string, Float32Array>): number[] {
  const { clusters } = heads.find((head) => head.name === name)!
  const matrix = weights[mergeParameter(name)]
  return Array.from({ length: matrix.length / clusters }, (_, c) =>
    matrix.subarray(c * clusters, (c + 1) * clusters).indexOf(1)
  )
}

/** Builds the matrix of a head that is a cut of its source's tree. */
export function mergedHead(head: Architecture['heads'][number], tree: ClusterTree): HeadWeights {
  const matrix = new Float32Array(tree.count * head.clusters)
  cutTree(tree, head.clusters).forEach((group, c) => (matrix[c * head.clusters + group] = 1))
  return { [mergeParameter(head.name)]: matrix }
}
