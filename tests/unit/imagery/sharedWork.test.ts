import { describe, expect, it } from 'vitest'
import { type SharedWork, sharedWork } from '../../../src-main/imagery/reading/sharedWork.ts'
import { SmaltiError } from '../../../src-main/contract/errors.ts'

/** Work that a test finishes itself, with a record of the calls. */
function workOf<V>(): {
  make(signal: AbortSignal): Promise<V>
  started: { signal: AbortSignal; done(value: V): void; fail(fault: Error): void }[]
} {
  const started: { signal: AbortSignal; done(value: V): void; fail(fault: Error): void }[] = []
  return {
    started,
    make: (signal) =>
      new Promise((done, fail) => {
        started.push({ signal, done, fail })
        signal.addEventListener('abort', () => fail(new SmaltiError('Cancelled')))
      })
  }
}
const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.catch((fault: Error) => (fault instanceof SmaltiError ? fault.name : fault.message))

describe('shared work', () => {
  it('is done once for all who wait, and kept', async () => {
    const { make, started } = workOf<number>()
    const shared = sharedWork<number>({ most: 1 })
    const both = [shared.get('a', { make }), shared.get('a', { make })]
    started[0].done(7)
    expect(await Promise.all(both)).toEqual([7, 7])
    expect(await shared.get('a', { make })).toBe(7)
    expect(started).toHaveLength(1)
  })

  it.each([1, 2, 8])('withdraws only the requests of %i callers that abort, the first included', async (leaving) => {
    const { make, started } = workOf<number>()
    const shared = sharedWork<number>({ most: 1 })
    const controllers = Array.from({ length: leaving }, () => new AbortController())
    const left = controllers.map(({ signal }) => outcome(shared.get('a', { make, signal })))
    const stays = shared.get('a', { make, signal: new AbortController().signal })
    for (const controller of controllers) controller.abort()
    expect(await Promise.all(left)).toEqual(left.map(() => 'Cancelled'))
    expect(started[0].signal.aborted).toBe(false)
    started[0].done(7)
    expect(await stays).toBe(7)
    expect(started).toHaveLength(1)
  })

  it('ends when the last caller has left, and starts again for the next', async () => {
    const { make, started } = workOf<number>()
    const shared = sharedWork<number>({ most: 1 })
    const controllers = [new AbortController(), new AbortController()]
    const left = controllers.map(({ signal }) => outcome(shared.get('a', { make, signal })))
    for (const controller of controllers) controller.abort()
    expect(await Promise.all(left)).toEqual(['Cancelled', 'Cancelled'])
    expect(started[0].signal.aborted).toBe(true)
    const again = shared.get('a', { make })
    started[1].done(8)
    expect(await again).toBe(8)
  })

  it('starts nothing for a caller whose signal has already aborted', async () => {
    const { make, started } = workOf<number>()
    expect(await outcome(sharedWork<number>({ most: 1 }).get('a', { make, signal: AbortSignal.abort() }))).toBe(
      'Cancelled'
    )
    expect(started).toHaveLength(0)
  })

  it('reports a failure to all who wait, and doesn’t remember it', async () => {
    const { make, started } = workOf<number>()
    const shared = sharedWork<number>({ most: 1 })
    const both = [outcome(shared.get('a', { make })), outcome(shared.get('a', { make }))]
    started[0].fail(new Error('the disk is away'))
    expect(await Promise.all(both)).toEqual(['the disk is away', 'the disk is away'])
    const again = shared.get('a', { make })
    started[1].done(9)
    expect(await again).toBe(9)
  })
})

describe('the cache of shared work', () => {
  const filled = async (shared: SharedWork<string>, ...keys: string[]): Promise<void> => {
    for (const key of keys) await shared.get(key, { make: () => Promise.resolve(key) })
  }
  const made = async (shared: SharedWork<string>, ...keys: string[]): Promise<string[]> => {
    const again: string[] = []
    for (const key of keys) await shared.get(key, { make: () => Promise.resolve(`${again.push(key)}`) })
    return again
  }

  it('is limited by the size of its values, and drops the least recently used first', async () => {
    const ended: string[] = []
    const shared = sharedWork<string>({
      most: 6,
      sizeOf: ({ length }) => length,
      end: (value) => Promise.resolve(void ended.push(value))
    })
    await filled(shared, 'aa', 'bbb')
    await filled(shared, 'aa', 'cccc')
    expect(ended).toEqual(['bbb'])
    expect(await made(shared, 'cccc', 'aa')).toEqual([])
  })

  it('keeps only the newest value if that exceeds the limit', async () => {
    const shared = sharedWork<string>({ most: 3, sizeOf: ({ length }) => length })
    await filled(shared, 'aa', 'bbbbbb')
    expect(await made(shared, 'bbbbbb')).toEqual([])
    expect(await made(shared, 'aa')).toEqual(['aa'])
  })

  it('doesn’t end a value that is in use', async () => {
    const ended: string[] = []
    const shared = sharedWork<string>({ most: 1, end: (value) => Promise.resolve(void ended.push(value)) })
    await shared.use('a', { make: () => Promise.resolve('a') }, async () => {
      await filled(shared, 'b', 'c')
      expect(ended).toEqual(['b'])
      await shared.close()
      expect(ended).toEqual(['b', 'c'])
    })
    expect(ended).toEqual(['b', 'c', 'a'])
  })

  it('ends values whose callers have all left', async () => {
    const ended: string[] = []
    const shared = sharedWork<string>({ most: 1, end: (value) => Promise.resolve(void ended.push(value)) })
    let opened: (value: string) => void = () => undefined
    const controller = new AbortController()
    const left = outcome(
      shared.get('a', { signal: controller.signal, make: () => new Promise((resolve) => (opened = resolve)) })
    )
    controller.abort()
    expect(await left).toBe('Cancelled')
    opened('a')
    await expect.poll(() => ended).toEqual(['a'])
  })

  it('drops values by key', async () => {
    const shared = sharedWork<string>({ most: 9 })
    await filled(shared, 'a 1', 'a 2', 'b 1')
    await shared.forget((key) => key.startsWith('a '))
    expect(await made(shared, 'b 1', 'a 1', 'a 2')).toEqual(['a 1', 'a 2'])
  })
})
