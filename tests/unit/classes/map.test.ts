import { describe, expect, it } from 'vitest'
import { scaledToPlane, treeDistances } from '../../../src-main/classes/map.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'

const distanceOf =
  (places: readonly { x: number; y: number }[]) =>
  (i: number, j: number): number =>
    Math.hypot(places[i].x - places[j].x, places[i].y - places[j].y)

describe('the map of clusters', () => {
  it('uses the rank of the join that brings two clusters together as their distance', () => {
    const tree = {
      count: 4,
      joins: [
        { parts: [0, 2] as [number, number], cost: 1 },
        { parts: [1, 3] as [number, number], cost: 2 },
        { parts: [4, 5] as [number, number], cost: 5 }
      ]
    }
    const [first, second, last] = [0.5 + 1 / 3, 0.5 + 2 / 3, 1.5]
    expect([...treeDistances(tree)]).toEqual([
      0,
      last,
      first,
      last,
      last,
      0,
      last,
      second,
      first,
      last,
      0,
      last,
      last,
      second,
      last,
      0
    ])
  })

  it('recovers places from their distances alone', () => {
    const uniform = uniformFrom(7, 1)
    const count = 30
    const truth = Array.from({ length: count }, () => ({ x: 10 * uniform(), y: 4 * uniform() }))
    const between = distanceOf(truth)
    const found = distanceOf(
      scaledToPlane(
        Array.from({ length: count * count }, (_, k) => between(Math.floor(k / count), k % count)),
        count
      )
    )
    for (let i = 0; i < count; i++) for (let j = 0; j < count; j++) expect(found(i, j)).toBeCloseTo(between(i, j), 3)
  })

  it('keeps clusters that the tree joins first nearer than those that it joins last', () => {
    const tree = {
      count: 6,
      joins: [
        { parts: [0, 1], cost: 1 },
        { parts: [2, 3], cost: 1 },
        { parts: [4, 5], cost: 1 },
        { parts: [6, 7], cost: 4 },
        { parts: [8, 9], cost: 9 }
      ] as { parts: [number, number]; cost: number }[]
    }
    const found = distanceOf(scaledToPlane(treeDistances(tree), 6))
    expect(Math.max(found(0, 1), found(2, 3), found(4, 5))).toBeLessThan(Math.min(found(0, 2), found(1, 3)))
    expect(Math.max(found(0, 2), found(1, 3))).toBeLessThan(Math.min(found(0, 4), found(3, 5)))
  })

  it.each([1, 2])('places %i clusters', (count) => {
    const places = scaledToPlane(
      Array.from({ length: count * count }, (_, k) => Number(Math.floor(k / count) !== k % count)),
      count
    )
    expect(places.every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))).toBe(true)
    if (count === 2) expect(distanceOf(places)(0, 1)).toBeCloseTo(1, 6)
  })
})
