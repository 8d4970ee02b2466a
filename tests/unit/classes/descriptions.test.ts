import { describe, expect, it } from 'vitest'
import { adviceOf, dendrogram } from '../../../src-main/classes/advice.ts'
import { colourDistance, distantColours } from '../../../src-main/classes/colouring.ts'
import { describedClasses } from '../../../src-main/classes/describe.ts'
import { classesByOverlap, countPairs, matchedClasses } from '../../../src-main/classes/overlap.ts'
import { initialScheme, placesOf } from '../../../src-main/classes/scheme.ts'
import type { Scheme } from '../../../src-main/contract/classes.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'
import { TREE, after } from '../../fixtures/clusterTree.ts'

describe('classes', () => {
  it('are suggested for merging in the order of the tree, cheapest first, where both sides are one class', () => {
    const pairs = (scheme: Scheme): [number, number][] => adviceOf(scheme, TREE).map(({ classes }) => classes)
    expect(pairs(initialScheme(5))).toEqual([
      [0, 1],
      [3, 4]
    ])
    expect(pairs(after([{ kind: 'merge', classes: [3, 4] }]))).toEqual([
      [0, 1],
      [2, 3]
    ])
    expect(
      pairs(
        after([
          { kind: 'merge', classes: [0, 1] },
          { kind: 'merge', classes: [3, 4] },
          { kind: 'merge', classes: [2, 3] }
        ])
      )
    ).toEqual([[0, 2]])
    expect(pairs(after([{ kind: 'ignore', classes: [4], ignored: true }]))).toEqual([
      [0, 1],
      [2, 3]
    ])
    expect(pairs(after([{ kind: 'cut', groups: 1 }]))).toEqual([])
    expect(dendrogram(TREE)).toEqual({ order: [0, 1, 2, 3, 4], at: [0, 1, 2, 3, 4, 0.5, 3.5, 2.75, 1.625] })
  })

  it('are described by their clusters: areas add up, means are weighted, borders are with other classes', () => {
    const pixels = [100, 300, 50, 0, 10]
    const neighbours = Array.from({ length: 25 }, (_, i) =>
      i % 6 === 0 ? 1000 : 1 + (Math.floor(i / 5) + 1) * ((i % 5) + 1)
    )
    const clusters = pixels.map((count, k) => ({
      pixels: count,
      squareMetres: 4 * count,
      confidence: count > 0 ? 0.5 + k / 10 : undefined,
      bands: [10 * k, k],
      patches: [0, 1].map((n) => ({ path: `${k}`, x: n, y: k }))
    }))
    const scheme = after([
      { kind: 'merge', classes: [0, 1] },
      { kind: 'merge', classes: [2, 3] }
    ])
    const [first, second, third] = describedClasses(scheme, { clusters, neighbours })
    expect(first).toMatchObject({
      clusters: [0, 1],
      pixels: 400,
      squareMetres: 1600,
      bands: [7.5, 0.75],
      patches: [
        { path: '0', x: 0 },
        { path: '1', x: 0 },
        { path: '0', x: 1 },
        { path: '1', x: 1 }
      ]
    })
    expect(first.confidence).toBeCloseTo((100 * 0.5 + 300 * 0.6) / 400, 12)
    const border = (a: number[], b: number[]): number =>
      a.reduce((sum, i) => sum + b.reduce((part, j) => part + neighbours[5 * i + j], 0), 0)
    const [toSecond, toThird] = [border([0, 1], [2, 3]), border([0, 1], [4])]
    expect(first.beside).toEqual([
      { id: 2, share: toSecond / (toSecond + toThird) },
      { id: 4, share: toThird / (toSecond + toThird) }
    ])
    expect([second.pixels, third.pixels]).toEqual([50, 10])
    expect(describedClasses(scheme, undefined)[0]).toMatchObject({ pixels: 0, bands: [], beside: [], patches: [] })
  })

  it('match the classes of another run by overlap', () => {
    const uniform = uniformFrom(2)
    const mine = Uint8Array.from({ length: 5000 }, () => Math.floor(uniform() * 6))
    const theirs = mine.map((label, i) => (i % 5 === 0 ? 255 : (label + 1) % 6))
    const counts = countPairs(mine, theirs)
    for (const [a, b] of [
      [0, 1],
      [3, 4],
      [2, 2],
      [1, 255]
    ])
      expect(counts[256 * a + b]).toBe(mine.reduce((sum, label, i) => sum + Number(label === a && theirs[i] === b), 0))
    const [here, there] = [
      placesOf(after([{ kind: 'merge', classes: [0, 1] }], initialScheme(6))),
      placesOf(initialScheme(6))
    ]
    const matched = matchedClasses(counts, here, there)
    expect(new Set(matched.map(({ theirs: its }) => its)).size).toBe(matched.length)
    expect(matched.map(({ mine: own, theirs: its }) => `${own} ${its}`).sort()).toEqual(
      ['0 1', '1 3', '2 4', '3 5', '4 0']
        .map((pair) => (pair === '0 1' && !matched.some(({ theirs: its }) => its === 1) ? '0 2' : pair))
        .sort()
    )
    expect(classesByOverlap(counts, 6, there)).toEqual([1, 2, 3, 4, 5, 0])
  })

  it('get colours that are distinct for all kinds of colour vision, most of all between neighbours', () => {
    const uniform = uniformFrom(9)
    for (const count of [2, 8, 24, 64, 250]) {
      const beside = Array.from({ length: count }, (_, a) =>
        Array.from({ length: count }, (__, b) => (a !== b && uniform() < 4 / count ? uniform() : 0))
      )
      const colours = distantColours(beside)
      expect(new Set(colours).size).toBe(count)
      const [neighbours, others]: number[][] = [[], []]
      colours.forEach((first, a) =>
        colours.forEach(
          (second, b) =>
            a < b &&
            (Math.max(beside[a][b], beside[b][a]) > 0.5 ? neighbours : others).push(colourDistance(first, second))
        )
      )
      expect(Math.min(...others, ...neighbours)).toBeGreaterThan(count > 64 ? 1 : count > 24 ? 4 : count > 8 ? 8 : 12)
      if (count > 8)
        expect(neighbours.reduce((a, b) => a + b, 0) / neighbours.length).toBeGreaterThan(
          others.reduce((a, b) => a + b, 0) / others.length
        )
    }
    // Known distances: black and white for everyone, and red and green, which colour-blind people confuse.
    expect(colourDistance('#000000', '#ffffff')).toBeCloseTo(100, 0)
    expect(colourDistance('#c04040', '#6b6b00')).toBeLessThan(40)
  })
})
