import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { TilePlace } from '../../../src-renderer/viewer/canvas/camera.ts'
import { TileCache } from '../../../src-renderer/viewer/canvas/tileCache.ts'

const at = (column: number, level = 0): TilePlace => ({ level, column, row: 0 })
const row = (count: number): TilePlace[] => Array.from({ length: count }, (_, column) => at(column))
type Wish = TilePlace & { signal: AbortSignal; arrive(content: string): Promise<void>; fail(): Promise<void> }

/** Creates a cache whose tiles arrive when a test says so. */
function watched(mostBytes = Infinity): {
  cache: TileCache<string>
  wishes: Wish[]
  released: string[]
  changes(): number
} {
  const [wishes, released]: [Wish[], string[]] = [[], []]
  let changes = 0
  const cache = new TileCache<string>(
    (place, signal) =>
      new Promise((resolve, reject) => {
        const settled = (settle: () => void) => async (): Promise<void> => {
          settle()
          await new Promise((later) => setImmediate(later))
        }
        wishes.push({
          ...place,
          signal,
          arrive: (content) => settled(() => resolve({ content, bytes: 1 }))(),
          fail: settled(() => reject(new Error('404')))
        })
      }),
    (content) => released.push(content),
    () => changes++,
    mostBytes
  )
  return { cache, wishes, released, changes: () => changes }
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

describe('the tiles of an image', () => {
  it('are requested most urgent first, eight at a time', async () => {
    const { cache, wishes } = watched()
    cache.want(row(12))
    expect(wishes.map(({ column }) => column)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    await wishes[3].arrive('3')
    cache.want(row(12))
    expect(wishes.map(({ column }) => column).slice(8)).toEqual([8])
  })

  it('are cancelled when they leave the view, but kept once they have arrived', async () => {
    const { cache, wishes, released } = watched()
    cache.want(row(2))
    await wishes[0].arrive('0')
    cache.want([at(5)])
    expect(wishes[1].signal.aborted).toBe(true)
    await wishes[1].arrive('too late')
    expect(released).toEqual(['too late'])
    cache.want(row(2))
    expect(wishes.map(({ column }) => column)).toEqual([0, 1, 5, 1])
  })

  it('are released when the cache is too large, the longest unwanted first', async () => {
    const { cache, wishes, released } = watched(2)
    for (const column of [0, 1, 2]) {
      cache.want([at(column)])
      await wishes[column].arrive(String(column))
    }
    cache.want([at(2)])
    expect(released).toEqual(['0'])
  })

  it('stay as they are after a change until the new ones arrive', async () => {
    const { cache, wishes, released } = watched()
    cache.want([at(0)])
    await wishes[0].arrive('before')
    expect(cache.settled).toBe(true)
    cache.renew()
    expect(cache.settled).toBe(false)
    cache.want([at(0)])
    expect(cache.shown([at(0)]).map(({ content }) => content)).toEqual(['before'])
    await wishes[1].arrive('after')
    expect(cache.shown([at(0)]).map(({ content }) => content)).toEqual(['after'])
    expect(released).toEqual(['before'])
  })
})

describe('a failed tile', () => {
  it('is counted as failed, and requested again ever more rarely while it is visible', async () => {
    const { cache, wishes, changes } = watched()
    cache.want([at(0)])
    for (const [tries, pause] of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].entries()) {
      await wishes[tries].fail()
      expect([cache.failed.length, cache.settled]).toEqual([1, true])
      cache.want([at(0)])
      vi.advanceTimersByTime(pause - 1)
      cache.want([at(0)])
      expect(wishes).toHaveLength(tries + 1)
      const before = changes()
      vi.advanceTimersByTime(1)
      expect(changes()).toBe(before + 1)
      cache.want([at(0)])
      expect(wishes).toHaveLength(tries + 2)
    }
    await wishes.at(-1)!.arrive('there at last')
    expect([cache.failed, cache.ready.map(({ content }) => content)]).toEqual([[], ['there at last']])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is not requested again out of sight, or after the image is closed', async () => {
    const { cache, wishes } = watched()
    cache.want(row(2))
    await wishes[0].fail()
    await wishes[1].fail()
    cache.want([at(1)])
    vi.advanceTimersByTime(1000)
    cache.want([at(1)])
    expect(wishes.map(({ column }) => column)).toEqual([0, 1, 1])
    await wishes[2].fail()
    cache.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})
