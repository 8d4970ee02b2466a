import type { ClusterTree, Scheme } from '../contract/classes.ts'
import { leavesOf } from './tree.ts'

/** Two classes that the tree would join next, with the cost that the tree gives to it. */
export interface Advice {
  classes: [number, number]
  cost: number
  /** Of the tree. */
  node: number
}

/**
 * Joins of the tree that can be made now, the cheapest first: those on each side of which all clusters are of one class.
 * Clusters of ignored classes are passed over.
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

/** Clusters in the order in which the tree's branches do not cross, and of each node how far down that list it lies. */
export function dendrogram(tree: ClusterTree): { order: number[]; at: number[] } {
  const order = leavesOf(tree, tree.count + tree.joins.length - 1)
  const at = Array<number>(tree.count + tree.joins.length)
  order.forEach((leaf, row) => (at[leaf] = row))
  tree.joins.forEach(({ parts: [a, b] }, i) => (at[tree.count + i] = (at[a] + at[b]) / 2))
  return { order, at }
}
