import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SmaltiError } from '../../../src-main/contract/errors.ts'

const engine = vi.hoisted(() => ({ run: vi.fn() }))
vi.mock('../../../src-renderer/engine.ts', () => ({ run: engine.run }))
const { jobs } = await import('../../../src-renderer/state/jobs.svelte.ts')

const told: string[] = []
let focused = true
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  ;[focused, told.length] = [true, 0]
  vi.stubGlobal('document', { hasFocus: () => focused })
  vi.stubGlobal('Notification', function (_: string, { body }: { body: string }) {
    told.push(body)
  })
  jobs.fault = jobs.notice = undefined
  engine.run.mockResolvedValue({})
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** A job that goes on until a test ends it. */
function held(): {
  job: Promise<boolean>
  signal: AbortSignal
  progress(stage: string): void
  end(fault?: Error): void
} {
  const found = {} as { signal: AbortSignal; progress(stage: string): void; end(fault?: Error): void }
  const job = jobs.perform(
    'train',
    (signal, onProgress) =>
      new Promise((resolve, reject) =>
        Object.assign(found, {
          signal,
          progress: (stage: string) => onProgress({ stage }),
          end: (fault?: Error) => (fault ? reject(fault) : resolve())
        })
      )
  )
  return { job, ...found }
}

describe('the job that runs', () => {
  it('is one at a time, shows its progress, and says whether it came to its end', async () => {
    const { job, progress, end } = held()
    expect(await jobs.perform('export', () => Promise.resolve())).toBe(false)
    progress('Training')
    expect([jobs.busy, jobs.running?.kind, jobs.running?.progress.stage]).toEqual([true, 'train', 'Training'])
    end()
    expect([await job, jobs.busy]).toEqual([true, false])
  })

  it('shows what went wrong, by its name, and nothing where it was cancelled', async () => {
    const broken = held()
    broken.end(new Error('odd'))
    expect([await broken.job, jobs.fault?.name]).toEqual([false, 'InternalError'])
    const stopped = held()
    expect(jobs.fault).toBeUndefined()
    jobs.stop()
    expect([stopped.signal.aborted, jobs.running?.asked]).toEqual([true, 'stop'])
    stopped.end(new SmaltiError('Cancelled'))
    expect([await stopped.job, jobs.fault]).toEqual([false, undefined])
  })

  it('is paused and resumed by the engine, which is asked once', async () => {
    const { job, end } = held()
    await jobs.setPaused(true)
    expect([jobs.running?.paused, jobs.running?.asked]).toEqual([true, undefined])
    await jobs.setPaused(false)
    expect(engine.run.mock.calls).toEqual([
      ['pause', { paused: true }],
      ['pause', { paused: false }]
    ])
    end()
    await job
  })

  it('lets go of the word that something had to wait for it', async () => {
    const { job, end } = held()
    jobs.complain(new SmaltiError('Busy', { job: 'a training runs' }))
    expect(jobs.fault?.name).toBe('Busy')
    end()
    await job
    expect(jobs.fault).toBeUndefined()
  })

  it('tells whoever does something else how a long one ended, and nobody of a short one', async () => {
    for (const [seconds, away, words] of [
      [30, true, 1],
      [30, false, 0],
      [5, true, 0]
    ] as const) {
      const { job, end } = held()
      vi.advanceTimersByTime(1000 * seconds)
      ;[focused, told.length] = [!away, 0]
      jobs.notice = { text: 'Trained' }
      end()
      await job
      expect(told).toHaveLength(words)
    }
  })
})
