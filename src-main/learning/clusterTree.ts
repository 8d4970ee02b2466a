import type { ClusterTree } from '../contract/classes.ts'
import { type Points, squaredDistance } from './kMeans.ts'

/**
 * Distance between two groups of clusters: the mean distance over all pairs of members (average linkage, Sokal and
 * Michener 1958), or the increase in squared distances of their pixels from the mean when they are joined (Ward 1963).
 */
export type Linkage = 'average' | 'ward'

/** Mass of a cluster without pixels, so that it joins the first cluster that it can. */
const SMALLEST_MASS = 1e-9

/**
 * Joins clusters step by step, each time the two nearest groups; O(count³).
 *
 * @param means   means of the clusters
 * @param masses  the clusters' shares of the pixels
 */
export function clusterTree(
  { values, count, width }: Points,
  masses: readonly number[],
  linkage: Linkage
): ClusterTree {
  const sizes = Array.from({ length: count }, (_, i) => (linkage === 'ward' ? Math.max(masses[i], SMALLEST_MASS) : 1))
  const between = (i: number, j: number): number => {
    const squared = squaredDistance(values, i * width, values, j * width, width)
    return linkage === 'ward' ? (squared * sizes[i] * sizes[j]) / (sizes[i] + sizes[j]) : Math.sqrt(squared)
  }
  const cost = Array.from({ length: count }, (_, i) => Array.from({ length: count }, (_, j) => between(i, j)))
  const node = Array.from({ length: count }, (_, i) => i)
  const joins: ClusterTree['joins'] = []
  for (let left = count; left > 1; left--) {
    let [least, a, b] = [Infinity, 0, 0]
    for (let i = 0; i < count; i++) {
      if (node[i] < 0) continue
      for (let j = i + 1; j < count; j++) if (node[j] >= 0 && cost[i][j] < least) [least, a, b] = [cost[i][j], i, j]
    }
    joins.push({ parts: [node[a], node[b]], cost: least })
    // Distances to the joined group, by Lance and Williams 1967.
    for (let k = 0; k < count; k++) {
      if (node[k] < 0 || k === a || k === b) continue
      const joined =
        linkage === 'ward'
          ? ((sizes[a] + sizes[k]) * cost[a][k] + (sizes[b] + sizes[k]) * cost[b][k] - sizes[k] * least) /
            (sizes[a] + sizes[b] + sizes[k])
          : (sizes[a] * cost[a][k] + sizes[b] * cost[b][k]) / (sizes[a] + sizes[b])
      cost[a][k] = cost[k][a] = joined
    }
    sizes[a] += sizes[b]
    node[a] = count + joins.length - 1
    node[b] = -1
  }
  return { count, joins }
}
