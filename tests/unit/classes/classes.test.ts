import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EMPTY_HISTORY, atStep, schemeNow, withEdit } from '../../../src-main/classes/history.ts'
import { clustersOf, edited, initialScheme } from '../../../src-main/classes/scheme.ts'
import { cutTree, partedAlong } from '../../../src-main/classes/tree.ts'
import type { ClassHistory, Scheme, SchemeEdit } from '../../../src-main/contract/classes.ts'
import { SmaltiError } from '../../../src-main/contract/errors.ts'
import { TREE, after, names } from '../../fixtures/clusterTree.ts'

const partition = ({ of }: Scheme): string => {
  const first = new Map<number, number>()
  return of.map((id, cluster) => first.get(id) ?? (first.set(id, cluster), cluster)).join(' ')
}

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
