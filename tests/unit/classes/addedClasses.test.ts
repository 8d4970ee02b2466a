import { describe, expect, it } from 'vitest'
import { describedClasses } from '../../../src-main/classes/describe.ts'
import { edited, initialScheme } from '../../../src-main/classes/scheme.ts'
import type { Scheme, SchemeEdit } from '../../../src-main/contract/classes.ts'
import { names } from '../../fixtures/clusterTree.ts'

describe('classes that were added by hand', () => {
  const tree = {
    count: 3,
    joins: [
      { parts: [0, 1] as [number, number], cost: 1 },
      { parts: [2, 3] as [number, number], cost: 2 }
    ]
  }
  const after = (...edits: SchemeEdit[]): Scheme =>
    edits.reduce((scheme, edit) => edited(scheme, edit, tree).scheme, initialScheme(3))

  it('get pixels only by hand, merge and split like others, and stay separate when the tree is cut', () => {
    const added = after({ kind: 'add', name: 'Road' })
    expect([added.of, added.added, names(added)]).toEqual([
      [0, 1, 2, 3],
      1,
      ['Cluster 1', 'Cluster 2', 'Cluster 3', 'Road']
    ])
    expect(names(after({ kind: 'add', name: 'Road' }, { kind: 'cut', groups: 1 }))).toEqual(['Cluster 1', 'Road'])
    const merged = after({ kind: 'add', name: 'Road' }, { kind: 'merge', classes: [0, 1, 3] })
    expect([merged.of, names(merged)]).toEqual([
      [0, 0, 2, 0],
      ['Road', 'Cluster 3']
    ])
    expect(edited(merged, { kind: 'split', class: 0, along: 'tree' }, tree).scheme.of).toEqual([0, 0, 2, 3])
    expect(
      names(after({ kind: 'add', name: 'Road' }, { kind: 'replace', scheme: initialScheme(3), name: 'Load' }))
    ).toEqual(['Cluster 1', 'Cluster 2', 'Cluster 3', 'Road'])
    expect(() =>
      after({ kind: 'replace', scheme: added, name: 'x' }, { kind: 'replace', scheme: initialScheme(4), name: 'y' })
    ).toThrow('made for 4 clusters; the run has 3')
  })

  it('are described by their pixels', () => {
    const scheme = after({ kind: 'add', name: 'Road' }, { kind: 'merge', classes: [1, 2] })
    const clusters = [100, 60, 40].map((pixels) => ({
      pixels,
      squareMetres: pixels * 4,
      confidence: 0.5,
      bands: [1],
      patches: []
    }))
    const described = describedClasses(scheme, { clusters, neighbours: [0, 5, 7, 5, 0, 9, 7, 9, 0] }, [
      { cluster: 3, pixels: 30 },
      { cluster: 0, pixels: -20 },
      { cluster: 2, pixels: -10, squareMetres: -90 }
    ])
    expect(
      described.map(({ name, pixels, squareMetres, confidence }) => [name, pixels, squareMetres, confidence])
    ).toEqual([
      ['Cluster 1', 80, 320, 0.5],
      ['Cluster 2', 90, 310, 0.5],
      ['Road', 30, 120, undefined]
    ])
  })
})
