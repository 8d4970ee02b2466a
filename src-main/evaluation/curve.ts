import type { ClusterTree } from '../contract/classes.ts'
import type { Confusion } from './scores.ts'

/**
 * Returns how far a person's decisions can take accuracy: the best that n nodes of a cluster tree reach when together
 * they cover every cluster once and each takes its most frequent class. By dynamic programming: the best of n nodes
 * below a join is the best of i below one part and n − i below the other.
 *
 * @param confusion  confusion of the tree's clusters
 * @returns          accuracies for 1, 2 … `most` nodes, as far as there are clusters
 */
export function decisionCurve({ count, joins }: ClusterTree, confusion: Confusion, most: number): number[] {
  const pixels = confusion.flat().reduce((a, b) => a + b, 0)
  const sizes = confusion.map((row) => [...row])
  const best: number[][] = confusion.map((row) => [Math.max(...row)])
  joins.forEach(({ parts: [a, b] }, i) => {
    const node = count + i
    sizes[node] = sizes[a].map((value, k) => value + sizes[b][k])
    const found = [Math.max(...sizes[node])]
    for (let n = 2; n <= Math.min(most, best[a].length + best[b].length); n++) {
      let top = 0
      for (let inA = Math.max(1, n - best[b].length); inA <= Math.min(best[a].length, n - 1); inA++)
        top = Math.max(top, best[a][inA - 1] + best[b][n - inA - 1])
      found.push(top)
    }
    best[node] = found
  })
  return best[best.length - 1].map((hits) => hits / pixels)
}
