import type { ClusterTree, Scheme } from '../contract/classes.ts'
import { leavesOf } from './tree.ts'

/** A suggested merge: two classes that the tree would join next, and the cost of that join. */
export interface Advice {
  classes: [number, number]
  cost: number
  /** The tree's node for the join. */
  node: number
}

/**
 * Returns the joins of the tree that are possible, cheapest first: the clusters on each side must all belong to one
 * class. Clusters of ignored classes are skipped.
 */
export function adviceOf({ classes, of }: Scheme, tree: ClusterTree): Advice[] {
  const ignored = new Set(classes.filter((entry) => entry.ignored).map(({ id }) => id))
  return tree.joins
    .flatMap(({ parts, cost }, i) => {
      const [first, second] = parts.map(
        (part) =>
          new Set(
            leavesOf(tree, part)
              .map((cluster) => of[cluster])
              .filter((id) => !ignored.has(id))
          )
      )
      const [a] = first
      const [b] = second
      return first.size === 1 && second.size === 1 && a !== b
        ? [{ classes: [a, b] as [number, number], cost, node: tree.count + i }]
        : []
    })
    .sort((x, y) => x.cost - y.cost)
}

/** Returns the clusters in an order in which the tree's branches do not cross, and each node's position in it. */
export function dendrogram(tree: ClusterTree): { order: number[]; at: number[] } {
  const order = leavesOf(tree, tree.count + tree.joins.length - 1)
  const at = Array<number>(tree.count + tree.joins.length)
  order.forEach((leaf, row) => (at[leaf] = row))
  tree.joins.forEach(({ parts: [a, b] }, i) => (at[tree.count + i] = (at[a] + at[b]) / 2))
  return { order, at }
}
