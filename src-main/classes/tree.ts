import type { ClusterTree } from '../contract/classes.ts'

/** Cuts the tree into groups and returns the group of each cluster, numbered in the order of their first clusters. */
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

/** Returns the clusters below a node of the tree. */
export function leavesOf({ count, joins }: ClusterTree, node: number): number[] {
  return node < count ? [node] : joins[node - count].parts.flatMap((part) => leavesOf({ count, joins }, part))
}

/** Splits a group of clusters where the tree joined them last; undefined for a single cluster. */
export function partedAlong(tree: ClusterTree, clusters: readonly number[]): [number[], number[]] | undefined {
  const wanted = new Set(clusters)
  for (let i = tree.joins.length - 1; i >= 0; i--) {
    const [first, second] = tree.joins[i].parts.map((part) => leavesOf(tree, part).filter((leaf) => wanted.has(leaf)))
    if (first.length > 0 && second.length > 0) return [first, second]
  }
  return undefined
}
