import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { correctedTiles, movedPixels } from '../../../src-main/classes/corrections.ts'
import { describedClasses } from '../../../src-main/classes/describe.ts'
import { EMPTY_HISTORY, atStep, schemeNow, withCorrection, withEdit } from '../../../src-main/classes/history.ts'
import { edited, initialScheme } from '../../../src-main/classes/scheme.ts'
import type { ClassHistory, CorrectionShape, Scheme, SchemeEdit } from '../../../src-main/contract/classes.ts'
import { correctImage, loadLayers, recountCorrections } from '../../../src-main/engine/labelling/correcting.ts'
import { UNTOUCHED, correctSmaller, corrected } from '../../../src-main/labels/corrections.ts'
import { boundsOf, connected, drawn } from '../../../src-main/labels/shapes.ts'
import { openLabels } from '../../../src-main/labels/source.ts'
import { writeLabels } from '../../../src-main/labels/writeLabels.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'
import { correctionsPath } from '../../../src-main/project/corrections.ts'
import { type LabelIndex, labelSetOf } from '../../../src-main/project/labelSets.ts'
import type { Project } from '../../../src-main/project/project.ts'
import { loadClassHistory, saveClassHistory, tableOf } from '../../../src-main/project/scheme.ts'
import { labelsOf, readAll, speckled } from '../../fixtures/labels.ts'

const { signal } = new AbortController()
const [WIDTH, HEIGHT, CLUSTERS] = [580, 530, 5]
const found = speckled(WIDTH, HEIGHT, CLUSTERS, uniformFrom(5), 0.01)

/** Whether a pixel's centre is inside a shape, by definition. */
function inside(shape: CorrectionShape, x: number, y: number): boolean {
  const [px, py] = [x + 0.5, y + 0.5]
  if (shape.kind === 'brush') {
    return shape.line.some(([x1, y1], i) => {
      const [x0, y0] = shape.line[Math.max(0, i - 1)]
      const length = Math.hypot(x1 - x0, y1 - y0)
      const t =
        length === 0 ? 0 : Math.min(1, Math.max(0, ((px - x0) * (x1 - x0) + (py - y0) * (y1 - y0)) / length ** 2))
      return Math.hypot(px - x0 - t * (x1 - x0), py - y0 - t * (y1 - y0)) <= shape.radius
    })
  }
  if (shape.kind === 'fill') throw new Error('see filledSlowly')
  let crossings = 0
  shape.ring.forEach(([x0, y0], i) => {
    const [x1, y1] = shape.ring[(i + 1) % shape.ring.length]
    if (y0 > py !== y1 > py && px < x0 + ((py - y0) * (x1 - x0)) / (y1 - y0)) crossings++
  })
  return crossings % 2 === 1
}

/** Returns the connected area of a pixel's class, grown pixel by pixel. */
function filledSlowly(classes: Uint8Array, width: number, [x, y]: readonly [number, number]): Set<number> {
  const start = Math.floor(y) * width + Math.floor(x)
  const area = new Set(classes[start] === 255 ? [] : [start])
  for (const at of area) {
    for (const [next, same] of [
      [at - 1, at % width > 0],
      [at + 1, at % width < width - 1],
      [at - width, true],
      [at + width, true]
    ] as const) {
      if (same && next >= 0 && next < classes.length && classes[next] === classes[start]) area.add(next)
    }
  }
  return area
}

const place = fc.tuple(
  fc.double({ min: -30, max: WIDTH + 30, noNaN: true }),
  fc.double({ min: -30, max: HEIGHT + 30, noNaN: true })
)
const shapes: fc.Arbitrary<CorrectionShape> = fc.oneof(
  fc.record({
    kind: fc.constant('brush' as const),
    line: fc.array(place, { minLength: 1, maxLength: 4 }),
    radius: fc.double({ min: 0.4, max: 40, noNaN: true })
  }),
  fc.record({ kind: fc.constant('polygon' as const), ring: fc.array(place, { minLength: 3, maxLength: 6 }) }),
  fc.record({
    kind: fc.constant('fill' as const),
    at: fc.tuple(
      fc.double({ min: 0, max: WIDTH - 1, noNaN: true }),
      fc.double({ min: 0, max: HEIGHT - 1, noNaN: true })
    )
  })
)

describe('shapes', () => {
  it('contain the pixels whose centres are inside them, in any window', () => {
    fc.assert(
      fc.property(
        shapes.filter(({ kind }) => kind !== 'fill'),
        fc.nat(500),
        fc.nat(400),
        (shape, left, top) => {
          if (shape.kind === 'fill') return
          const window = { left, top, width: 90, height: 70 }
          const mask = drawn(shape, window)
          const bounds = boundsOf(shape, { width: WIDTH, height: HEIGHT })
          for (let i = 0; i < mask.length; i++) {
            const [x, y] = [left + (i % 90), top + Math.floor(i / 90)]
            if (x >= WIDTH || y >= HEIGHT) continue
            const expected = inside(shape, x, y)
            const within =
              bounds !== undefined &&
              x >= bounds.left &&
              y >= bounds.top &&
              x < bounds.left + bounds.width &&
              y < bounds.top + bounds.height
            if ((mask[i] === 1) !== expected || (expected && !within)) throw new Error(`pixel ${x}, ${y}: ${mask[i]}`)
          }
        }
      ),
      { numRuns: 60 }
    )
  })

  it('fill the connected area of one class across tiles', async () => {
    const table = Uint8Array.from({ length: 256 }, (_, label) => (label < CLUSTERS ? Math.floor(label / 2) : 255))
    const classes = found.map((label) => table[label])
    for (const at of [
      [10, 10],
      [350.5, 300.2],
      [579, 529]
    ] as const) {
      const expected = filledSlowly(classes, WIDTH, at)
      const masks = await connected(labelsOf(found, WIDTH), at, table, 128, signal)
      let count = 0
      for (const [key, mask] of masks) {
        const [column, row] = key.split(' ').map(Number)
        mask.forEach((value, i) => {
          if (value === 0) return
          count++
          expect(expected.has((row * 128 + Math.floor(i / 128)) * WIDTH + column * 128 + (i % 128))).toBe(true)
        })
      }
      expect(count).toBe(expected.size)
    }
    expect(await connected(labelsOf(new Uint8Array(100).fill(255), 10), [3, 3], table, 128, signal)).toEqual(new Map())
    await expect(connected(labelsOf(new Uint8Array(400), 20), [3, 3], table, 1, signal)).rejects.toThrow('larger than')
  })
})

describe('corrections', () => {
  let folder: string
  let project: Project
  let index: LabelIndex
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'smalti-corrections-'))
    project = { folder, sources: ['/images'], run: 'run-0001' }
    index = {
      format: 2,
      step: 1,
      key: 'k',
      sources: project.sources,
      images: [{ path: 'a.png', file: '/images/a.png', width: WIDTH, height: HEIGHT, rasters: { A: 'k/A/a.png.tif' } }],
      skipped: [],
      partial: false,
      classes: { A: initialScheme(CLUSTERS).classes }
    }
    await writeLabelsOf(found)
  })
  afterEach(() => rm(folder, { recursive: true }))

  const writeLabelsOf = (labels: Uint8Array): Promise<void> =>
    writeLabels(
      join(labelSetOf(project).folder, 'k/A/a.png.tif'),
      { width: WIDTH, height: HEIGHT, tile: 256, key: 'k', notes: { tags: [], colours: [], nodata: 255 } },
      labelsOf(labels, WIDTH).read,
      signal
    )
  const correct = async (history: ClassHistory, shape: CorrectionShape, label: number): Promise<ClassHistory> => {
    const change = await correctImage(
      {
        project,
        set: labelSetOf(project),
        index,
        image: index.images[0],
        head: 'A',
        scheme: schemeNow(history, 'A', CLUSTERS),
        tiles: correctedTiles(history, 'A', 'a.png')
      },
      shape,
      label,
      signal
    )
    return change ? withCorrection(history, 'Paint', change) : history
  }
  /** Returns all labels as the project on disk has them, corrected. */
  const labelsNow = async (): Promise<Uint8Array> => {
    const labels = await openLabels(join(labelSetOf(project).folder, 'k/A/a.png.tif'))
    const source = corrected(labels, (await loadLayers(project, labelSetOf(project)))('A', 'a.png'))
    const all = await readAll(source, 333)
    await source.close()
    return all
  }
  const counted = (labels: Uint8Array): number[] =>
    Array.from({ length: CLUSTERS }, (_, label) => labels.reduce((sum, value) => sum + Number(value === label), 0))
  const expectCounts = (history: ClassHistory, labels: Uint8Array, of = found): void => {
    const before = counted(of)
    for (const { cluster, pixels } of movedPixels(history, 'A')) before[cluster] += pixels
    expect(before).toEqual(counted(labels))
  }

  it('equal those of a plain image after any strokes, merges, undos, redos and restarts, like the areas', async () => {
    const merge: fc.Arbitrary<SchemeEdit> = fc.record({
      kind: fc.constant('merge' as const),
      classes: fc.uniqueArray(fc.nat(CLUSTERS - 1), { minLength: 2, maxLength: 2 })
    })
    const action = fc.oneof(
      { weight: 5, arbitrary: fc.record({ shape: shapes, label: fc.constantFrom(0, 1, 2, 3, 4, 255, UNTOUCHED) }) },
      { weight: 2, arbitrary: fc.record({ move: fc.integer({ min: -3, max: 3 }) }) },
      { weight: 1, arbitrary: fc.record({ merge }) }
    )
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 10 }), async (actions) => {
        let history: ClassHistory = EMPTY_HISTORY
        let [states, at]: [Uint8Array[], number] = [[found], 0]
        for (const one of actions) {
          if ('move' in one) {
            history = atStep(history, history.cursor + one.move)
            at = Math.min(Math.max(at + one.move, 0), states.length - 1)
          } else if ('merge' in one) {
            let next: ClassHistory
            try {
              next = withEdit(history, 'A', CLUSTERS, one.merge)
            } catch {
              continue
            }
            history = next
            states = [...states.slice(0, at + 1), states[at++]]
          } else {
            const now = states[at]
            const table = tableOf(schemeNow(history, 'A', CLUSTERS))
            const { shape, label } = one
            const area =
              shape.kind === 'fill'
                ? filledSlowly(
                    now.map((value) => table[value]),
                    WIDTH,
                    shape.at
                  )
                : undefined
            const next = now.map((value, i) => {
              const within = area ? area.has(i) : inside(shape, i % WIDTH, Math.floor(i / WIDTH))
              return !within || found[i] === 255 ? value : label === UNTOUCHED ? found[i] : label
            })
            const length = history.history.length
            const cursor = history.cursor
            history = await correct(history, shape, label)
            if (history.history.length === length && history.cursor === cursor)
              expect(Buffer.from(next).equals(now)).toBe(true)
            else states = [...states.slice(0, at++ + 1), next]
          }
          // From here on everything is read as after a restart.
          await saveClassHistory(project, history)
          history = (await loadClassHistory(project))!
          expect(Buffer.from(await labelsNow()).equals(states[at])).toBe(true)
          expectCounts(history, states[at])
        }
      }),
      { numRuns: 10 }
    )
  }, 120_000)

  it('stay in place over new labels, and the areas follow', async () => {
    const history = await correct(
      await correct(
        EMPTY_HISTORY,
        {
          kind: 'brush',
          line: [
            [500, 100],
            [560, 400]
          ],
          radius: 30
        },
        2
      ),
      {
        kind: 'polygon',
        ring: [
          [0, 0],
          [300, 0],
          [0, 300]
        ]
      },
      255
    )
    await saveClassHistory(project, history)
    const other = speckled(WIDTH, HEIGHT, CLUSTERS, uniformFrom(6), 0.01)
    await rm(join(labelSetOf(project).folder, 'k'), { recursive: true })
    await writeLabelsOf(other)
    index.key = 'k2'
    await recountCorrections(project, labelSetOf(project), index, signal)
    const counted = (await loadClassHistory(project))!
    expect(counted.history.flatMap(({ corrected: change }) => change?.key ?? [])).toEqual(['k2', 'k2'])
    const expected = other.map((label, i) => {
      const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)]
      if (
        inside(
          {
            kind: 'polygon',
            ring: [
              [0, 0],
              [300, 0],
              [0, 300]
            ]
          },
          x,
          y
        ) &&
        found[i] !== 255
      )
        return 255
      return inside(
        {
          kind: 'brush',
          line: [
            [500, 100],
            [560, 400]
          ],
          radius: 30
        },
        x,
        y
      ) && found[i] !== 255
        ? 2
        : label
    })
    expect(await labelsNow()).toEqual(expected)
    expect(movedPixels(counted, 'A').reduce((sum, { cluster, pixels }) => sum + (cluster === 2 ? pixels : 0), 0)).toBe(
      expected.reduce((sum, label, i) => sum + Number(label === 2 && other[i] !== 255) - Number(other[i] === 2), 0)
    )
  })

  it('are shown at lower resolution by the label of most pixels, once most are corrected', async () => {
    const history = await correct(
      EMPTY_HISTORY,
      {
        kind: 'polygon',
        ring: [
          [97, 41],
          [403, 41],
          [403, 299],
          [97, 299]
        ]
      },
      3
    )
    await saveClassHistory(project, history)
    const layer = (await loadLayers(project, labelSetOf(project)))('A', 'a.png')!
    for (const step of [1, 4, 64]) {
      const window = { left: 0, top: 0, width: Math.ceil(WIDTH / step), height: Math.ceil(HEIGHT / step) }
      const labels = new Uint8Array(window.width * window.height).fill(9)
      await correctSmaller(labels, window, step, layer)
      labels.forEach((label, i) => {
        const [x, y] = [(i % window.width) * step, Math.floor(i / window.width) * step]
        let painted = 0
        for (let r = y; r < y + step; r++)
          for (let c = x; c < x + step; c++)
            if (c >= 97 && c < 403 && r >= 41 && r < 299 && found[r * WIDTH + c] !== 255) painted++
        if (painted !== step * step - painted && label !== (painted > step * step - painted ? 3 : 9))
          throw new Error(`${x}, ${y}: ${label}`)
      })
    }
  })

  it('explain the fault when their file is damaged', async () => {
    await saveClassHistory(project, await correct(EMPTY_HISTORY, { kind: 'fill', at: [300, 200] }, 1))
    await writeFile(correctionsPath(project), 'damaged')
    await expect(labelsNow()).rejects.toMatchObject({ name: 'CorrectionsUnreadable' })
  })
})

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
  const names = ({ classes }: Scheme): string[] => classes.map(({ name }) => name)

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
