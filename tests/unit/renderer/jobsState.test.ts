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

/** Starts a job that runs until a test ends it. */
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

describe('the running job', () => {
  it('is the only one, shows its progress, and says whether it finished', async () => {
    const { job, progress, end } = held()
    expect(await jobs.perform('export', () => Promise.resolve())).toBe(false)
    progress('Training')
    expect([jobs.busy, jobs.running?.kind, jobs.running?.progress.stage]).toEqual([true, 'train', 'Training'])
    end()
    expect([await job, jobs.busy]).toEqual([true, false])
  })

  it('shows a named fault if it fails, and nothing if it is cancelled', async () => {
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

  it('is paused and resumed by one request to the engine each', async () => {
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

  it('clears the message that something has to wait for it', async () => {
    const { job, end } = held()
    jobs.complain(new SmaltiError('Busy', { job: 'Training' }))
    expect(jobs.fault?.name).toBe('Busy')
    end()
    await job
    expect(jobs.fault).toBeUndefined()
  })

  it('notifies a user in another window when a long job ends, but not a short one', async () => {
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
