import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Execution, NamedArrays } from '../../../src-main/backends/program.ts'
import type { Recipe } from '../../../src-main/contract/recipe.ts'
import { recipeOf } from '../../../src-main/learning/presets.ts'
import {
  type TrainingMemory,
  type TrainingPosition,
  type TrainingRun,
  train
} from '../../../src-main/learning/trainer.ts'

const architecture = { bands: 1, layers: [], heads: [{ name: 'A', clusters: 2, subHeads: 1 }] }

/** A joint of two clusters that agree in a share of all pixels; its information rises as the share does from ½ to 1. */
const joint = (agreement: number): Float32Array =>
  Float32Array.of(agreement / 2, (1 - agreement) / 2, (1 - agreement) / 2, agreement / 2)

/** Trains with an execution whose n-th step (from 1) returns `outcome(n)`; its state counts the steps. */
async function runWith(
  outcome: (step: number) => { agreement: number; loss?: number },
  steps: number,
  changes: Partial<Recipe> = {},
  seconds?: number
) {
  let state = 0
  const [feeds, kept]: [NamedArrays[], { step: number; state: number; finished: boolean }[]] = [[], []]
  let calls = 0
  const execution: Execution = {
    run(inputs) {
      feeds.push(inputs)
      state++
      const { agreement, loss = 0 } = outcome(++calls)
      return Promise.resolve({ loss: Float32Array.of(loss), jointA0: joint(agreement) })
    },
    readState: () => Promise.resolve({ w: Float32Array.of(state) }),
    writeState: ({ w }) => Promise.resolve(void (state = w[0])),
    dispose: () => Promise.resolve()
  }
  const run: TrainingRun = {
    architecture,
    recipe: { ...recipeOf({ preset: 'quick' }), ...changes },
    execution,
    limit: { steps, seconds },
    position: { step: 0, seconds: 0, rateFactor: 1, history: [] },
    nextBatch: () =>
      Promise.resolve({
        first: new Float32Array(1),
        second: new Float32Array(1),
        rows: new Float32Array(1),
        columns: new Float32Array(1)
      }),
    onReport: () => undefined,
    onCheckpoint: (position, { w }, finished) =>
      Promise.resolve(void kept.push({ step: position.step, state: w[0], finished })),
    whenResumed: () => Promise.resolve(),
    signal: new AbortController().signal
  }
  return { position: await train(run), feeds, kept }
}

describe('training', () => {
  it('warms up, then lowers the rate along a cosine to a tenth', async () => {
    const { feeds } = await runWith(() => ({ agreement: 0.9 }), 200, { rate: 1 })
    // Adam's correction is divided out: its factor for step n with β₁ 0.9 and β₂ 0.999.
    const rates = feeds.map(
      ({ rate }, i) => rate[0] / (((0.1 / Math.sqrt(0.001)) * Math.sqrt(1 - 0.999 ** (i + 1))) / (1 - 0.9 ** (i + 1)))
    )
    expect(rates[0]).toBeCloseTo(0.1, 2)
    expect(rates[9]).toBeGreaterThan(0.98)
    expect(rates[100]).toBeCloseTo(0.55, 1)
    expect(rates[199]).toBeCloseTo(0.1, 2)
  })

  it('moves λ from its first to its last value', async () => {
    const { feeds } = await runWith(() => ({ agreement: 0.9 }), 101, { lambda: { A: [2, 1], B: 1 } })
    expect(feeds[0].lambdaA[0]).toBeCloseTo(2, 5)
    expect(feeds[100].lambdaA[0]).toBeCloseTo(1, 1)
  })

  it('returns to the last checkpoint with half the rate when the loss is not finite', async () => {
    const { position, kept } = await runWith((call) => ({ agreement: 0.9, loss: call === 3 ? Number.NaN : 0 }), 5)
    expect(position).toMatchObject({ step: 5, rateFactor: 0.5 })
    expect(kept.at(-1)).toEqual({ step: 5, state: 5, finished: true })
  })

  it('gives up when the loss stays not finite', async () => {
    await expect(runWith(() => ({ agreement: 0.9, loss: Number.NaN }), 5)).rejects.toMatchObject({
      name: 'TrainingDiverged'
    })
  })

  describe('on a slow machine', () => {
    // Every reading of the clock is a second later, so that each step is reported and every few are saved.
    beforeEach(() => {
      let now = 0
      vi.spyOn(performance, 'now').mockImplementation(() => (now += 1e3))
    })
    afterEach(() => vi.restoreAllMocks())

    it('ends at the limit that is reached first, with the rate lowered by then', async () => {
      const timed = await runWith(() => ({ agreement: 0.9 }), 1000, { rate: 1 }, 60)
      expect(timed.position.seconds).toBeGreaterThanOrEqual(60)
      expect(timed.position.step).toBeLessThan(60)
      expect((await runWith(() => ({ agreement: 0.9 }), 7, {}, 1e6)).position.step).toBe(7)
      const last = (feeds: NamedArrays[]): number => feeds.at(-1)!.rate[0] / feeds[9].rate[0]
      expect(last(timed.feeds)).toBeLessThan(0.5)
    })

    it('ends when information has not risen for the share of training given as patience', async () => {
      const rising = (call: number): { agreement: number } => ({ agreement: Math.min(0.6 + 0.01 * call, 0.8) })
      const patient = await runWith(rising, 1000, { patience: 0.5 })
      expect(patient.position.step).toBeGreaterThan(500)
      expect(patient.position.step).toBeLessThan(1000)
      expect(patient.kept.at(-1)).toMatchObject({ finished: true })
      expect((await runWith(rising, 1000, { patience: 0 })).position.step).toBe(1000)
    })

    it('keeps earlier weights if their head was clearly more informative, otherwise the last ones', async () => {
      const collapsing = await runWith((call) => ({ agreement: call < 150 ? 0.9 : 0.5 }), 400)
      const last = collapsing.kept.at(-1)!
      expect(last).toMatchObject({ step: 400, finished: true })
      expect(last.state).toBeGreaterThan(100)
      expect(last.state).toBeLessThan(170)
      const steady = await runWith(() => ({ agreement: 0.9 }), 60)
      expect(steady.kept.at(-1)).toMatchObject({ step: 60, state: 60 })
    })
  })

  it('keeps the same weights for a number of steps, however fast the machine is', async () => {
    const keptAt = async (milliseconds: number): Promise<number> => {
      let now = 0
      vi.spyOn(performance, 'now').mockImplementation(() => (now += milliseconds))
      const { kept } = await runWith((call) => ({ agreement: call < 150 ? 0.9 : 0.5 }), 400)
      vi.restoreAllMocks()
      return kept.at(-1)!.state
    }
    const slow = await keptAt(1e3)
    expect(slow).toBeLessThan(170)
    expect(await keptAt(1)).toBe(slow)
    expect(await keptAt(40)).toBe(slow)
  })

  it('reports the information of the joint and its ceiling', async () => {
    const { position } = await runWith(() => ({ agreement: 0.9 }), 3)
    const [head] = position.history.at(-1)!.heads
    expect(head.information).toBeCloseTo(Math.log(2) + 0.9 * Math.log(0.9) + 0.1 * Math.log(0.1), 5)
    expect(head.ceiling).toBeCloseTo(Math.log(2), 6)
    const expected = joint(0.9)
    head.joint!.forEach((p, i) => expect(p).toBeCloseTo(expected[i], 6))
    expect(
      position.history
        .slice(0, -1)
        .flatMap(({ heads }) => heads)
        .some((older) => older.joint)
    ).toBe(false)
  })
})

describe('resumed training', () => {
  /** Agreement of the clusters after a step: it rises, then falls so far that going back is worthwhile. */
  const agreement = (step: number): number => 0.55 + 0.4 * Math.exp(-(((step - 40) / 20) ** 2))

  /**
   * Trains `steps` in parts that end after the given steps, each resuming from the last checkpoint, and returns what is
   * kept at the end.
   */
  async function inParts(steps: number, cuts: readonly number[]): Promise<{ state: number; information: number }> {
    let reached: { position: TrainingPosition; state: NamedArrays; memory?: TrainingMemory } = {
      position: { step: 0, seconds: 0, rateFactor: 1, history: [] },
      state: { w: Float32Array.of(0) }
    }
    for (const cut of [...cuts, Infinity]) {
      let state = reached.state.w[0]
      const stop = new AbortController()
      const execution: Execution = {
        run() {
          state++
          if (state === cut) stop.abort()
          return Promise.resolve({ loss: Float32Array.of(0), jointA0: joint(agreement(state)) })
        },
        readState: () => Promise.resolve({ w: Float32Array.of(state) }),
        writeState: ({ w }) => Promise.resolve(void (state = w[0])),
        dispose: () => Promise.resolve()
      }
      await train({
        architecture,
        recipe: recipeOf({ preset: 'quick' }),
        execution,
        limit: { steps },
        position: reached.position,
        memory: reached.memory,
        nextBatch: () =>
          Promise.resolve({
            first: new Float32Array(1),
            second: new Float32Array(1),
            rows: new Float32Array(1),
            columns: new Float32Array(1)
          }),
        onReport: () => undefined,
        onCheckpoint: (position, kept, _, memory) =>
          Promise.resolve(void (reached = { position, state: kept, memory })),
        whenResumed: () => Promise.resolve(),
        signal: stop.signal
      }).catch((fault: Error) => expect(fault.name).toBe('Cancelled'))
    }
    return { state: reached.state.w[0], information: reached.position.history.at(-1)!.heads[0].information }
  }

  it('keeps the weights that an uninterrupted run keeps, wherever it was stopped', async () => {
    const undisturbed = await inParts(100, [])
    expect(undisturbed.state, 'earlier weights are worth going back to').toBeLessThan(80)
    for (let cut = 3; cut < 100; cut += 5) {
      const found = await inParts(100, [cut])
      expect(found.state, `stopped after step ${cut}`).toBe(undisturbed.state)
      expect(found.information).toBeCloseTo(undisturbed.information, 9)
    }
    expect((await inParts(100, [20, 45, 46, 90])).state).toBe(undisturbed.state)
  })
})
