import { mkdir, mkdtemp, readFile, readdir, rm, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { writeFileSafely } from '../../../src-main/project/files.ts'
import { withLock } from '../../../src-main/project/lock.ts'
import { PROCESS_TAG, THIS_WORKER, type Worker } from '../../../src-main/project/machine.ts'

let folder: string
let lock: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalti-lock-'))
  lock = join(folder, 'project.lock')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** No process has this id, which is above Linux's largest. */
const NOBODY = 4_194_304
const HOUR = 3_600_000
const leave = async (holder: Partial<Worker>, silentFor = 0): Promise<void> => {
  await writeFile(lock, JSON.stringify({ ...THIS_WORKER, id: 'left behind', ...holder }))
  const then = new Date(Date.now() - silentFor)
  await utimes(lock, then, then)
}
const worked = (): Promise<string> => Promise.resolve('worked')
const locked = { name: 'ProjectLocked' }

describe('a lock', () => {
  it('is refused while somebody holds it, and free afterwards', async () => {
    await withLock(folder, async () => {
      await expect(withLock(folder, worked)).rejects.toMatchObject({
        name: 'ProjectLocked',
        details: { process: process.pid }
      })
    })
    expect(await withLock(folder, worked)).toBe('worked')
    expect(await readdir(folder)).toEqual([])
  })

  it('is free again after work that fails', async () => {
    await expect(withLock(folder, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await readdir(folder)).toEqual([])
  })

  it('is waited for as long as requested, and no longer than the caller wants', async () => {
    const controller = new AbortController()
    await withLock(folder, async () => {
      const waiting = withLock(folder, worked, { patience: Infinity, signal: controller.signal })
      controller.abort()
      await expect(waiting).rejects.toMatchObject({ name: 'Cancelled' })
    })
    let finish = (): void => undefined
    const first = withLock(folder, () => new Promise<void>((resolve) => (finish = resolve)))
    await vi.waitFor(() => stat(lock))
    const second = withLock(folder, worked, { patience: Infinity })
    finish()
    expect([await first, await second]).toEqual([undefined, 'worked'])
  })

  it.each<[string, Partial<Worker>]>([
    ['a process that has ended', { process: NOBODY }],
    ['a process whose id now belongs to another', { started: '1' }],
    ['a process from before the computer restarted', { boot: 'an earlier one' }]
  ])('is taken over at once and silently from %s', async (_, holder) => {
    await leave(holder)
    const onTakeover = vi.fn()
    expect(await withLock(folder, worked, { onTakeover })).toBe('worked')
    expect(onTakeover).not.toHaveBeenCalled()
    expect(await readdir(folder)).toEqual([])
  })

  it.each<[string, Partial<Worker>]>([
    ['another computer', { host: 'node7', process: NOBODY }],
    ['another computer with a process of the same id', { host: 'node7' }],
    ['another thread', { thread: 99 }]
  ])('of %s is left alone while it shows signs of life, then taken over with a notice', async (_, holder) => {
    await leave(holder)
    await expect(withLock(folder, worked)).rejects.toMatchObject(locked)
    await leave(holder, HOUR)
    const onTakeover = vi.fn()
    expect(await withLock(folder, worked, { onTakeover })).toBe('worked')
    expect(onTakeover).toHaveBeenCalledExactlyOnceWith(expect.objectContaining(holder))
  })

  it('names the computer that holds it', async () => {
    await leave({ host: 'node7 pid:[4026531836]', process: 12 })
    await expect(withLock(folder, worked)).rejects.toThrow('(process 12 on node7)')
  })

  it('is taken over once it is old if a power cut left it empty', async () => {
    await writeFile(lock, '')
    await expect(withLock(folder, worked)).rejects.toMatchObject(locked)
    const then = new Date(Date.now() - HOUR)
    await utimes(lock, then, then)
    expect(await withLock(folder, worked)).toBe('worked')
  })

  it.each([2, 8, 32])('that was left behind goes to exactly one of %i takers', async (takers) => {
    for (let round = 0; round < 20; round++) {
      await leave({ process: NOBODY, id: `left in round ${round}` } as Partial<Worker>)
      let [inside, most, winners] = [0, 0, 0]
      const outcomes = await Promise.allSettled(
        Array.from({ length: takers }, () =>
          withLock(folder, async () => {
            most = Math.max(most, ++inside)
            winners++
            await readFile(lock)
            inside--
          })
        )
      )
      expect(most).toBe(1)
      expect(winners).toBeGreaterThanOrEqual(1)
      for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(locked)
      expect(await readdir(folder)).toEqual([])
    }
  })

  it('goes to exactly one taker if an earlier taker ended in the middle', async () => {
    await leave({ process: NOBODY })
    await writeFile(`${lock}.after-left behind`, JSON.stringify({ ...THIS_WORKER, process: NOBODY, id: 'second' }))
    let winners = 0
    await Promise.allSettled(
      Array.from({ length: 8 }, () => withLock(folder, async () => void (winners++, await readFile(lock))))
    )
    expect(winners).toBeGreaterThanOrEqual(1)
    expect(await readdir(folder)).toEqual([])
  })

  it('isn’t removed by its former holder after it was taken over', async () => {
    await withLock(folder, async () => {
      await unlink(lock)
      await leave({ host: 'node7' })
    })
    expect(JSON.parse(await readFile(lock, 'utf8'))).toMatchObject({ host: 'node7' })
  })

  it('tells its holder when it was taken over, and by whom', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      const work = withLock(folder, async (lost) => {
        await leave({ host: 'node7', process: 12 })
        vi.advanceTimersByTime(HOUR)
        await vi.waitUntil(() => lost.aborted)
        return 'finished in spite of it'
      })
      await expect(work).rejects.toMatchObject({ name: 'ProjectLocked', details: { process: 12, host: 'node7' } })
    } finally {
      vi.useRealTimers()
    }
  })

  it('shows signs of life while it is held', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      await withLock(folder, async () => {
        const [then, content] = [new Date(Date.now() - HOUR), await readFile(lock, 'utf8')]
        await utimes(lock, then, then)
        vi.advanceTimersByTime(HOUR)
        await vi.waitUntil(async () => (await stat(lock)).mtimeMs > then.getTime() + HOUR / 2)
        expect(await readFile(lock, 'utf8')).toBe(content)
      })
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('unfinished files', () => {
  const [HOST, BOOT] = [PROCESS_TAG.slice(0, 8), PROCESS_TAG.slice(8, 12)]
  const files = {
    'mask.png': 'kept',
    [`mask.png.${PROCESS_TAG}-00.partial`]: 'kept',
    [`mask.png.ffffffffffff-${NOBODY}-00.partial`]: 'kept',
    [`mask.png.ffffffff${BOOT}-${process.pid}-00.partial`]: 'kept',
    'notes.partial': 'kept',
    'notes.12.partial': 'kept',
    [`mask.png.${HOST}${BOOT}-${NOBODY}-00.partial`]: 'removed',
    [`mask.png.${HOST}ffff-${process.pid}-00.partial`]: 'removed'
  }
  const fill = async (): Promise<void> => {
    await mkdir(join(folder, 'labels'), { recursive: true })
    for (const name of Object.keys(files)) await writeFileSafely(join(folder, 'labels', name), 'x')
  }
  const left = async (): Promise<string[]> => (await readdir(join(folder, 'labels'))).sort()
  const kept = Object.entries(files)
    .flatMap(([name, what]) => (what === 'kept' ? [name] : []))
    .sort()
  const all = Object.keys(files).sort()

  it('are removed under the project’s lock, except those of another computer', async () => {
    await fill()
    await withLock(folder, worked)
    expect(await left()).toEqual(kept)
  })

  it('are searched for once, and again after a holder of this computer ended, but not for each edit', async () => {
    await withLock(folder, worked)
    await fill()
    await withLock(folder, worked)
    await withLock(folder, worked, { name: 'classes' })
    expect(await left()).toEqual(all)
    await writeFile(
      join(folder, 'classes.lock'),
      JSON.stringify({ ...THIS_WORKER, process: NOBODY, id: 'left behind' })
    )
    await withLock(folder, worked, { name: 'classes' })
    expect(await left()).toEqual(kept)
  })
})
