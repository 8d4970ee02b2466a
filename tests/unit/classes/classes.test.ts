import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { adviceOf, dendrogram } from '../../../src-main/classes/advice.ts'
import { describedClasses } from '../../../src-main/classes/describe.ts'
import { EMPTY_HISTORY, atStep, schemeNow, withEdit } from '../../../src-main/classes/history.ts'
import { colourDistance, distantColours } from '../../../src-main/classes/colouring.ts'
import { classesByOverlap, countPairs, matchedClasses } from '../../../src-main/classes/overlap.ts'
import { clustersOf, edited, initialScheme, placesOf } from '../../../src-main/classes/scheme.ts'
import { cutTree, partedAlong } from '../../../src-main/classes/tree.ts'
import type { ClassHistory, ClusterTree, Scheme, SchemeEdit } from '../../../src-main/contract/classes.ts'
import { SmaltiError } from '../../../src-main/contract/errors.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'
import { readSchemeFile, writeSchemeFile } from '../../../src-main/export/schemeFile.ts'

/** ((0 1) (2 (3 4))) */
const TREE: ClusterTree = {
  count: 5,
  joins: [
    { parts: [0, 1], cost: 1 },
    { parts: [3, 4], cost: 2 },
    { parts: [2, 6], cost: 3 },
    { parts: [5, 7], cost: 4 }
  ]
}
const after = (edits: SchemeEdit[], scheme = initialScheme(5)): Scheme =>
  edits.reduce((now, edit) => edited(now, edit, TREE).scheme, scheme)
const partition = ({ of }: Scheme): string => {
  const first = new Map<number, number>()
  return of.map((id, cluster) => first.get(id) ?? (first.set(id, cluster), cluster)).join(' ')
}
const names = ({ classes }: Scheme): string[] => classes.map(({ name }) => name)

describe('classes', () => {
  it('merge into the first, which keeps its colour and takes a name that a person gave', () => {
    const merged = after([
      { kind: 'rename', class: 3, name: 'Water' },
      { kind: 'merge', classes: [1, 3, 4] }
    ])
    expect(merged.of).toEqual([0, 1, 2, 1, 1])
    expect(names(merged)).toEqual(['Cluster 1', 'Water', 'Cluster 3'])
    expect(merged.classes[1].colour).toBe(initialScheme(5).classes[1].colour)
    expect(edited(initialScheme(5), { kind: 'merge', classes: [0, 1, 2, 3] }).name).toBe(
      'Merge Cluster 1, Cluster 2 and 2 others'
    )
  })

  it('split into their clusters, or into two along the tree', () => {
    const all = after([{ kind: 'merge', classes: [2, 0, 1, 3, 4], name: 'All' }])
    expect(partition(after([{ kind: 'split', class: 2, along: 'tree' }], all))).toBe('0 0 2 2 2')
    const parted = after([{ kind: 'split', class: 2, along: 'clusters' }], all)
    expect(partition(parted)).toBe('0 1 2 3 4')
    expect(names(parted)).toEqual(['All', 'Cluster 2', 'Cluster 3', 'Cluster 4', 'Cluster 5'])
    expect(partedAlong(TREE, [1, 3])).toEqual([[1], [3]])
    expect(partedAlong(TREE, [2])).toBeUndefined()
  })

  it('are cut from the tree, and groups within a named class keep its name', () => {
    for (let groups = 1; groups <= 5; groups++) {
      const cut = after([{ kind: 'cut', groups }])
      expect(cut.classes).toHaveLength(groups)
      const expected = cutTree(TREE, groups)
      cut.of.forEach((id, a) => cut.of.forEach((other, b) => expect(id === other).toBe(expected[a] === expected[b])))
    }
    const named = after([
      { kind: 'merge', classes: [3, 4], name: 'Roofs' },
      { kind: 'cut', groups: 3 }
    ])
    expect(names(named)).toEqual(['Cluster 1', 'Cluster 3', 'Roofs'])
    expect(names(after([{ kind: 'cut', groups: 2 }], named))).toEqual(['Cluster 1', 'Cluster 3'])
  })

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

  it('accept a scheme with the largest number of classes besides those that were added by hand', () => {
    let scheme = initialScheme(247)
    for (const name of ['Quarry', 'Orchard', 'Pond']) scheme = edited(scheme, { kind: 'add', name }).scheme
    // 250 classes, three of which have no cluster.
    const classes = initialScheme(250).classes.map((entry) => ({ ...entry, name: `Theirs ${entry.id}` }))
    const { scheme: taken } = edited(scheme, {
      kind: 'replace',
      scheme: { classes, of: initialScheme(247).of },
      name: 'Theirs'
    })
    expect([taken.classes.length, taken.of.length, new Set(taken.classes.map(({ id }) => id)).size]).toEqual([
      250, 250, 250
    ])
    expect(taken.classes.slice(-3).map(({ name }) => name)).toEqual(['Quarry', 'Orchard', 'Pond'])
  })

  it('reject impossible edits and say why', () => {
    const refused = (edit: SchemeEdit, reason: string): void =>
      expect(() => edited(initialScheme(5), edit)).toThrow(reason)
    refused({ kind: 'merge', classes: [1, 9] }, 'there is no class 10')
    refused({ kind: 'merge', classes: [1, 1] }, 'two classes')
    refused({ kind: 'split', class: 1, along: 'clusters' }, 'Cluster 2 is a single cluster')
    refused({ kind: 'cut', groups: 2 }, 'no cluster tree')
    refused({ kind: 'assign', clusters: [7], to: 0 }, 'there is no cluster 8')
    refused({ kind: 'replace', scheme: initialScheme(4), name: 'x' }, 'made for 4 clusters; the run has 5')
    refused({ kind: 'replace', scheme: { ...initialScheme(5), classes: [] }, name: 'x' }, "don't exist")
  })

  it('equal those of a plain model after any edits, undos and redos', () => {
    const cluster = fc.nat(4)
    const edit: fc.Arbitrary<SchemeEdit> = fc.oneof(
      fc.record({ kind: fc.constant('merge' as const), classes: fc.array(cluster, { minLength: 2, maxLength: 4 }) }),
      fc.record({
        kind: fc.constant('assign' as const),
        clusters: fc.array(cluster, { minLength: 1, maxLength: 3 }),
        to: fc.option(cluster, { nil: undefined })
      }),
      fc.record({
        kind: fc.constant('split' as const),
        class: cluster,
        along: fc.constantFrom('clusters' as const, 'tree' as const)
      }),
      fc.record({
        kind: fc.constant('rename' as const),
        class: cluster,
        name: fc.constantFrom('Water', 'Wald', '道路')
      }),
      fc.record({
        kind: fc.constant('ignore' as const),
        classes: fc.array(cluster, { minLength: 1, maxLength: 2 }),
        ignored: fc.boolean()
      }),
      fc.record({ kind: fc.constant('order' as const), classes: fc.array(cluster, { maxLength: 3 }) }),
      fc.record({ kind: fc.constant('cut' as const), groups: fc.integer({ min: 1, max: 5 }) })
    )
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.record({ edit }) },
      { weight: 2, arbitrary: fc.record({ move: fc.integer({ min: -3, max: 3 }) }) }
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 50 }), (actions) => {
        let history: ClassHistory = EMPTY_HISTORY
        // The model: all states that can be reached by undo and redo, each a list of groups.
        let [states, at] = [['0 1 2 3 4'], 0]
        for (const one of actions) {
          if ('move' in one) {
            history = atStep(history, history.cursor + one.move)
            at = Math.min(Math.max(at + one.move, 0), states.length - 1)
          } else {
            const before = schemeNow(history, 'A', 5)
            let next: ClassHistory
            try {
              next = withEdit(history, 'A', 5, one.edit, TREE)
            } catch (fault) {
              expect(fault).toBeInstanceOf(SmaltiError)
              continue
            }
            history = next
            states = [...states.slice(0, at + 1), modelled(before, one.edit)]
            at++
          }
          const now = schemeNow(history, 'A', 5)
          expect(partition(now)).toBe(states[at])
          expect(history.history).toHaveLength(states.length)
          const ids = now.classes.map(({ id }) => id)
          expect(new Set(ids).size).toBe(ids.length)
          expect(new Set(now.of)).toEqual(new Set(ids))
        }
      }),
      { numRuns: 300 }
    )
  })

  it('are written to files and read again, including QGIS styles', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'classes-'))
    const scheme = after([
      { kind: 'merge', classes: [1, 3], name: 'Wälder & "Wiesen" <1>' },
      { kind: 'recolour', class: 1, colour: '#00AA11' },
      { kind: 'ignore', classes: [4], ignored: true }
    ])
    const [file, style] = [join(folder, 'a.json'), join(folder, 'a.qml')]
    await writeSchemeFile(file, scheme, false)
    await writeSchemeFile(file, scheme, false)
    expect(await readSchemeFile(file, initialScheme(5))).toEqual(scheme)
    await writeSchemeFile(style, scheme, false)
    await expect(writeSchemeFile(style, scheme, false)).rejects.toThrow('was not written by an earlier export')
    const restyled = await readSchemeFile(style, after([{ kind: 'merge', classes: [1, 3] }]))
    expect(restyled.classes.map(({ name, colour }) => [name, colour])).toEqual(
      scheme.classes.map(({ name, colour }) => [name, colour])
    )
    await writeFile(style, '<paletteEntry value="0" label="&#x110000; &#38; &mine;" color="#00aa11"/>')
    expect((await readSchemeFile(style, initialScheme(5))).classes[0].name).toBe('&#x110000; & &mine;')
    const notes = join(folder, 'notes.json')
    await writeFile(notes, '{"mine": 1}')
    await expect(writeSchemeFile(notes, scheme, false)).rejects.toThrow('was not written by an earlier export')
    expect(await readFile(notes, 'utf8')).toBe('{"mine": 1}')
    await expect(readSchemeFile(notes, scheme)).rejects.toThrow("it isn't a class file written by Smalti")
    await expect(readSchemeFile(join(folder, 'none.json'), scheme)).rejects.toThrow("the file doesn't exist")
    await expect(writeSchemeFile(join(folder, 'a.txt'), scheme, false)).rejects.toThrow('must end in .json')
  })
})

/** Returns the groups after an edit, written as plainly as possible. */
function modelled(before: Scheme, edit: SchemeEdit): string {
  const groups = [...new Set(before.of)].map((id) => clustersOf(before, id))
  const of = (cluster: number): number[] => groups.find((group) => group.includes(cluster))!
  const byId = (id: number): number[] => clustersOf(before, id)
  const written = (all: readonly (readonly number[])[]): string =>
    [0, 1, 2, 3, 4].map((cluster) => Math.min(...all.find((group) => group.includes(cluster))!)).join(' ')
  switch (edit.kind) {
    case 'merge': {
      const joined = edit.classes.map(byId)
      return written([
        [...new Set(joined.flat())],
        ...groups.filter((group) => !joined.some((other) => other[0] === group[0]))
      ])
    }
    case 'assign': {
      const target = edit.to === undefined ? [] : byId(edit.to)
      const moved = new Set([...edit.clusters, ...target])
      return written([
        [...moved],
        ...groups.map((group) => group.filter((cluster) => !moved.has(cluster))).filter((group) => group.length > 0)
      ])
    }
    case 'split': {
      const parts =
        edit.along === 'tree' ? partedAlong(TREE, byId(edit.class))! : byId(edit.class).map((cluster) => [cluster])
      return written([...parts, ...groups.filter((group) => group[0] !== byId(edit.class)[0])])
    }
    case 'cut': {
      const cut = cutTree(TREE, edit.groups)
      return written(
        [...new Set(cut)].map((group) => cut.flatMap((other, cluster) => (other === group ? [cluster] : [])))
      )
    }
    default:
      return written([0, 1, 2, 3, 4].map(of))
  }
}
