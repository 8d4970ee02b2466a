import { type Points, squaredDistance } from './kMeans.ts'

/**
 * Agglomerative clustering by average linkage (Sokal and Michener 1958): the two groups whose members lie nearest on
 * average, over all pairs, are joined until `groups` are left. Euclidean distance; O(count³).
 *
 * @returns group of each point, numbered in the order of their first points
 */
export function averageLinkage({ values, count, width }: Points, groups: number): number[] {
  const distance = Array.from({ length: count }, (_, i) =>
    Array.from({ length: count }, (_, j) => Math.sqrt(squaredDistance(values, i * width, values, j * width, width)))
  )
  const members = Array.from({ length: count }, (_, i) => [i])
  for (let left = count; left > groups; left--) {
    let [nearest, a, b] = [Infinity, 0, 0]
    for (let i = 0; i < count; i++) {
      if (members[i].length === 0) continue
      for (let j = i + 1; j < count; j++) {
        if (members[j].length > 0 && distance[i][j] < nearest) [nearest, a, b] = [distance[i][j], i, j]
      }
    }
    const [sizeA, sizeB] = [members[a].length, members[b].length]
    for (let k = 0; k < count; k++) {
      distance[a][k] = distance[k][a] = (sizeA * distance[a][k] + sizeB * distance[b][k]) / (sizeA + sizeB)
    }
    members[a].push(...members[b])
    members[b] = []
  }
  const groupOf = Array<number>(count).fill(0)
  members.filter((group) => group.length > 0).forEach((group, g) => group.forEach((i) => (groupOf[i] = g)))
  return groupOf
}
