import { flushSync } from 'svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EMPTY_HISTORY, atStep, withEdit } from '../../../src-main/classes/history.ts'
import { stateId } from '../../../src-main/classes/stateId.ts'
import type { ClassHistory, SchemeEdit } from '../../../src-main/contract/classes.ts'
import { SmaltiError } from '../../../src-main/contract/errors.ts'

interface Change {
  edits?: SchemeEdit[]
  step?: number
  expected?: string
  fromRun?: string
}
const engine = vi.hoisted(() => ({ run: vi.fn() }))
vi.mock('../../../src-renderer/engine.ts', () => ({ run: engine.run, pictureUrl: () => '' }))

const CLUSTERS = 6
/** The engine's history, and every change that it received. */
let kept: ClassHistory
let asked: Change[]
/** Answers that a test sends itself. */
let held: (() => void)[] | undefined

const { classes } = await import('../../../src-renderer/state/classes.svelte.ts')
const { jobs } = await import('../../../src-renderer/state/jobs.svelte.ts')
const { project } = await import('../../../src-renderer/state/project.svelte.ts')

async function answer(name: string, input: Change): Promise<unknown> {
  if (name === 'openProject') return { heads: { A: CLUSTERS, B: CLUSTERS }, made: kept }
  asked.push(input)
  if (held) await new Promise<void>((resolve) => held!.push(resolve))
  if (input.expected !== stateId(kept)) throw new SmaltiError('ClassesChanged', { path: 'p' })
  const edits: SchemeEdit[] = input.fromRun ? [{ kind: 'merge', classes: [0, 5] }] : (input.edits ?? [])
  kept = edits.reduce((history, edit) => withEdit(history, 'A', CLUSTERS, edit), kept)
  if (input.step !== undefined) kept = atStep(kept, input.step)
  return { state: stateId(kept) }
}

const rename = (id: number, name: string): SchemeEdit => ({ kind: 'rename', class: id, name })
const names = (): string[] => classes.kept.classes.map(({ name }) => name)
const settled = async (): Promise<void> => {
  await classes.settled()
  flushSync()
}

beforeEach(async () => {
  ;[kept, asked, held] = [EMPTY_HISTORY, [], undefined]
  engine.run.mockImplementation(answer)
  project.folder = 'p'
  await project.refresh()
  classes.adopt()
  jobs.fault = undefined
})
afterEach(() => vi.clearAllMocks())

describe('the id of a state', () => {
  it('is the same for equal content in another order, and differs otherwise', () => {
    const history = withEdit(EMPTY_HISTORY, 'A', CLUSTERS, rename(0, 'Water'))
    const reread = JSON.parse(JSON.stringify({ history: history.history, cursor: history.cursor })) as ClassHistory
    expect(
      stateId({ cursor: reread.cursor, history: reread.history.map(({ name, schemes }) => ({ schemes, name })) })
    ).toBe(stateId(history))
    const others = [
      EMPTY_HISTORY,
      atStep(history, 0),
      withEdit(EMPTY_HISTORY, 'A', CLUSTERS, rename(0, 'Wader')),
      withEdit(EMPTY_HISTORY, 'B', CLUSTERS, rename(0, 'Water'))
    ]
    expect(new Set([history, ...others].map(stateId)).size).toBe(5)
  })

  it('is unique among 100,000 states', () => {
    expect(
      new Set(Array.from({ length: 100_000 }, (_, i) => stateId({ name: `Class ${i}`, cursor: i % 7 }))).size
    ).toBe(100_000)
  })
})

describe('classes in the window', () => {
  it('change at once, and are saved one change after the other', async () => {
    held = []
    classes.edit(rename(0, 'Water'))
    classes.edit(rename(1, 'Wood'))
    expect(names().slice(0, 2)).toEqual(['Water', 'Wood'])
    await vi.waitUntil(() => held!.length === 1)
    held.shift()!()
    await vi.waitUntil(() => held!.length === 1)
    held.shift()!()
    await settled()
    expect(stateId(kept)).toBe(
      asked.length === 2
        ? stateId(
            withEdit(withEdit(EMPTY_HISTORY, 'A', CLUSTERS, rename(0, 'Water')), 'A', CLUSTERS, rename(1, 'Wood'))
          )
        : ''
    )
  })

  it('refuse a change to a state that another window replaced by one of equal length, and show that one', async () => {
    classes.edit(rename(0, 'Water'))
    await settled()
    // Another window undoes it and renames something else, so the history has the same length and cursor.
    kept = withEdit(atStep(kept, 0), 'A', CLUSTERS, rename(3, 'Theirs'))
    classes.edit(rename(1, 'Wood'))
    await settled()
    classes.adopt()
    expect(jobs.fault?.name).toBe('ClassesChanged')
    expect(names()).toEqual(expect.arrayContaining(['Theirs']))
    expect(names()).not.toContain('Wood')
  })

  it('drop edits made on top of a refused change, report it once, and accept edits afterwards', async () => {
    kept = withEdit(EMPTY_HISTORY, 'A', CLUSTERS, rename(3, 'Theirs'))
    for (const [id, name] of ['One', 'Two', 'Three'].entries()) classes.edit(rename(id, name))
    await settled()
    classes.adopt()
    expect(asked).toHaveLength(1)
    expect(names()).toEqual(expect.arrayContaining(['Theirs']))
    classes.edit(rename(0, 'Again'))
    await settled()
    expect(kept.history.at(-1)!.schemes!.A.classes.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['Theirs', 'Again'])
    )
  })

  it('are copied from another run, and follow the project afterwards', async () => {
    await classes.takeFrom('run-0001')
    await settled()
    classes.adopt()
    expect(names()).toHaveLength(CLUSTERS - 1)
    kept = withEdit(kept, 'A', CLUSTERS, rename(1, 'By the command line'))
    await project.refresh()
    classes.adopt()
    expect(names()).toContain('By the command line')
    held = []
    classes.edit(rename(2, 'On its way'))
    await project.refresh()
    // The project's state from before the change was saved does not replace the newer one.
    classes.adopt()
    expect(names()).toContain('On its way')
    await vi.waitUntil(() => held!.length === 1)
    held.shift()!()
    await settled()
  })

  it("show the engine's state if it differs from the edit", async () => {
    engine.run.mockImplementation(async (name: string, input: Change) => {
      if (name === 'openProject') return answer(name, input)
      kept = withEdit(kept, 'A', CLUSTERS, rename(0, 'Otherwise'))
      return Promise.resolve({ state: stateId(kept) })
    })
    classes.edit(rename(0, 'As meant'))
    await settled()
    classes.adopt()
    expect(names()[0]).toBe('Otherwise')
  })
})
