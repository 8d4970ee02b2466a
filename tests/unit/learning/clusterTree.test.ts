import { describe, expect, it } from 'vitest'
import type { ClusterTree } from '../../../src-main/contract/classes.ts'
import { decisionCurve } from '../../../src-main/evaluation/curve.ts'
import { cutTree } from '../../../src-main/classes/tree.ts'
import { type Linkage, clusterTree } from '../../../src-main/learning/clusterTree.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'

const onLine = (...values: number[]): { values: Float32Array; count: number; width: number } => ({
  values: Float32Array.from(values),
  count: values.length,
  width: 1
})

/** Returns the clusters of each node. */
function membersOf({ count, joins }: ClusterTree): number[][] {
  const members: number[][] = Array.from({ length: count }, (_, i) => [i])
  for (const {
    parts: [a, b]
  } of joins)
    members.push([...members[a], ...members[b]])
  return members
}

/** Distance between two groups, computed from all their members. */
function slowly(linkage: Linkage, points: number[][], masses: number[], a: number[], b: number[]): number {
  if (linkage === 'average')
    return (
      a
        .flatMap((i) => b.map((j) => Math.hypot(...points[i].map((value, d) => value - points[j][d]))))
        .reduce((x, y) => x + y) /
      (a.length * b.length)
    )
  const scatter = (group: number[]): number => {
    const mass = group.reduce((sum, i) => sum + masses[i], 0)
    const mean = points[0].map((_, d) => group.reduce((sum, i) => sum + masses[i] * points[i][d], 0) / mass)
    return group.reduce(
      (sum, i) => sum + masses[i] * points[i].reduce((s, value, d) => s + (value - mean[d]) ** 2, 0),
      0
    )
  }
  return scatter([...a, ...b]) - scatter(a) - scatter(b)
}

describe('a tree of clusters', () => {
  it.each<Linkage>(['average', 'ward'])(
    'joins the two nearest groups at each step, measured over all their members, by %s linkage',
    (linkage) => {
      const uniform = uniformFrom(2)
      const points = Array.from({ length: 12 }, () => [uniform(), uniform(), uniform()])
      const masses = points.map(() => uniform() + 0.05)
      const tree = clusterTree({ values: Float32Array.from(points.flat()), count: 12, width: 3 }, masses, linkage)
      const members = membersOf(tree)
      const groups = new Set(members.slice(0, 12).keys())
      for (const [
        i,
        {
          parts: [a, b],
          cost
        }
      ] of tree.joins.entries()) {
        const open = [...groups]
        const nearest = Math.min(
          ...open.flatMap((p) =>
            open.filter((q) => q > p).map((q) => slowly(linkage, points, masses, members[p], members[q]))
          )
        )
        expect(slowly(linkage, points, masses, members[a], members[b])).toBeCloseTo(nearest, 6)
        expect(cost).toBeCloseTo(nearest, 6)
        if (i > 0) expect(cost).toBeGreaterThanOrEqual(tree.joins[i - 1].cost - 1e-9)
        groups.delete(a)
        groups.delete(b)
        groups.add(12 + i)
      }
      expect(groups).toEqual(new Set([22]))
    }
  )

  it('is cut into any number of groups, numbered in the order of their first clusters', () => {
    const tree = clusterTree(onLine(0, 10, 1, 11, 30), [1, 1, 1, 1, 1], 'average')
    expect(cutTree(tree, 1)).toEqual([0, 0, 0, 0, 0])
    expect(cutTree(tree, 2)).toEqual([0, 0, 0, 0, 1])
    expect(cutTree(tree, 3)).toEqual([0, 1, 0, 1, 2])
    expect(cutTree(tree, 5)).toEqual([0, 1, 2, 3, 4])
    expect(cutTree(tree, 8)).toEqual([0, 1, 2, 3, 4])
  })

  it('joins clusters without pixels first, with Ward linkage', () => {
    expect(clusterTree(onLine(0, 5, 100), [0.5, 0.5, 0], 'ward').joins[0].parts).toContain(2)
  })
})

describe('the decision curve', () => {
  it('is the best of all choices of n nodes that cover every cluster once', () => {
    const uniform = uniformFrom(4)
    const confusion = Array.from({ length: 9 }, () => Array.from({ length: 3 }, () => Math.floor(uniform() ** 3 * 100)))
    const tree = clusterTree(
      onLine(...confusion.map(() => uniform())),
      confusion.map(() => 1),
      'average'
    )
    const members = membersOf(tree)
    const pixels = confusion.flat().reduce((a, b) => a + b)
    const best = Array<number>(9).fill(0)
    /** Returns all choices below a node: the node itself, or choices below both of its parts. */
    const choices = (node: number): number[][] => {
      if (node < 9) return [[node]]
      const [a, b] = tree.joins[node - 9].parts
      return [[node], ...choices(a).flatMap((left) => choices(b).map((right) => [...left, ...right]))]
    }
    for (const nodes of choices(16)) {
      const hits = nodes.reduce(
        (sum, node) =>
          sum + Math.max(...[0, 1, 2].map((k) => members[node].reduce((s, cluster) => s + confusion[cluster][k], 0))),
        0
      )
      best[nodes.length - 1] = Math.max(best[nodes.length - 1], hits / pixels)
    }
    decisionCurve(tree, confusion, 40).forEach((accuracy, i) => expect(accuracy).toBeCloseTo(best[i], 9))
    expect(decisionCurve(tree, confusion, 4)).toHaveLength(4)
  })
})
