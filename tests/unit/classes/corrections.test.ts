import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { correctedTiles, movedPixels } from '../../../src-main/classes/corrections.ts'
import { EMPTY_HISTORY, atStep, schemeNow, withCorrection, withEdit } from '../../../src-main/classes/history.ts'
import { initialScheme } from '../../../src-main/classes/scheme.ts'
import type { ClassHistory, CorrectionShape, SchemeEdit } from '../../../src-main/contract/classes.ts'
import { correctImage, loadLayers, recountCorrections } from '../../../src-main/engine/labelling/correcting.ts'
import { UNTOUCHED, correctSmaller, corrected } from '../../../src-main/labels/corrections.ts'
import { openLabels } from '../../../src-main/labels/source.ts'
import { writeLabels } from '../../../src-main/labels/writeLabels.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'
import { correctionsPath } from '../../../src-main/project/corrections.ts'
import { type LabelIndex, labelSetOf } from '../../../src-main/project/labelSets.ts'
import type { Project } from '../../../src-main/project/project.ts'
import { loadClassHistory, saveClassHistory, tableOf } from '../../../src-main/project/scheme.ts'
import { labelsOf, readAll, speckled } from '../../fixtures/labels.ts'
import { CLUSTERS, HEIGHT, WIDTH, filledSlowly, found, inside, shapes } from '../../fixtures/shapes.ts'

const { signal } = new AbortController()

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
