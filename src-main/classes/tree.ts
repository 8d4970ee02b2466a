import type { ClusterTree } from '../contract/classes.ts'

/** Group of each cluster when the tree is cut into so many, numbered in the order of their first clusters. */
export function cutTree({ count, joins }: ClusterTree, groups: number): number[] {
  const top = Array.from({ length: count + joins.length }, (_, i) => i)
  for (let i = Math.max(0, count - groups) - 1; i >= 0; i--)
    for (const part of joins[i].parts) top[part] = top[count + i]
  const numbers = new Map<number, number>()
  return Array.from({ length: count }, (_, cluster) => {
    const group = top[cluster]
    if (!numbers.has(group)) numbers.set(group, numbers.size)
    return numbers.get(group)!
  })
}

/** Clusters below a node of the tree. */
export function leavesOf({ count, joins }: ClusterTree, node: number): number[] {
  return node < count ? [node] : joins[node - count].parts.flatMap((part) => leavesOf({ count, joins }, part))
}

/** The clusters of a group in two, where the tree joins them last; undefined where it is one cluster. */
export function partedAlong(tree: ClusterTree, clusters: readonly number[]): [number[], number[]] | undefined {
  const wanted = new Set(clusters)
  for (let i = tree.joins.length - 1; i >= 0; i--) {
    const [first, second] = tree.joins[i].parts.map((part) => leavesOf(tree, part).filter((leaf) => wanted.has(leaf)))
    if (first.length > 0 && second.length > 0) return [first, second]
  }
  return undefined
}
