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
/** The history as the engine keeps it, and all that it was asked for. */
let kept: ClassHistory
let asked: Change[]
/** Answers that a test gives itself. */
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
  it('is the same for equal content in another order, and differs for anything else', () => {
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

  it('is met by no two of 100,000 states', () => {
    expect(
      new Set(Array.from({ length: 100_000 }, (_, i) => stateId({ name: `Class ${i}`, cursor: i % 7 }))).size
    ).toBe(100_000)
  })
})

describe('classes in the window', () => {
  it('are changed at once, and kept one change after the other', async () => {
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

  it('refuse a change made to a state that another has replaced by one as long, and show theirs', async () => {
    classes.edit(rename(0, 'Water'))
    await settled()
    // Another window undoes it and renames something else: the history is as long as before, and at the same step.
    kept = withEdit(atStep(kept, 0), 'A', CLUSTERS, rename(3, 'Theirs'))
    classes.edit(rename(1, 'Wood'))
    await settled()
    classes.adopt()
    expect(jobs.fault?.name).toBe('ClassesChanged')
    expect(names()).toEqual(expect.arrayContaining(['Theirs']))
    expect(names()).not.toContain('Wood')
  })

  it('drop what was made of a refused change, complain once, and go on afterwards', async () => {
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

  it('are taken from another run, and go on being adopted afterwards', async () => {
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
    // What the project said before the change was kept is not taken for the newer.
    classes.adopt()
    expect(names()).toContain('On its way')
    await vi.waitUntil(() => held!.length === 1)
    held.shift()!()
    await settled()
  })

  it('show what the engine keeps where it makes something else of a change', async () => {
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
