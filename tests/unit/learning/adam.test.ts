import '@tensorflow/tfjs-backend-cpu'
import { describe, expect, it } from 'vitest'
import { executeEagerly } from '../../../src-main/backends/eager.ts'
import { correctedRate } from '../../../src-main/learning/trainingStep.ts'
import { stepFixture } from '../../fixtures/step.ts'

describe('Adam', () => {
  it('updates every weight as the paper does (§2, efficient order), from the gradients of the step', async () => {
    const { program, inputs, state } = stepFixture()
    const execution = executeEagerly('cpu', program, state)
    const name = 'trunk1/filter'
    const [m, v] = [new Float64Array(state[name].length), new Float64Array(state[name].length)]
    let before: Float32Array = state[name]
    let decayed: Float32Array = new Float32Array(m.length)
    for (let step = 1; step <= 4; step++) {
      await execution.run({ ...inputs, rate: Float32Array.of(correctedRate(0.002, step)) })
      const after = await execution.readState()
      const gradient = after[`${name}/moment1`].map((sum, i) => sum - 0.9 * decayed[i])
      gradient.forEach((g, i) => {
        m[i] = 0.9 * m[i] + 0.1 * g
        v[i] = 0.999 * v[i] + 0.001 * g * g
        const rate = (0.002 * Math.sqrt(1 - 0.999 ** step)) / (1 - 0.9 ** step)
        const moved = (-rate * m[i]) / (Math.sqrt(v[i]) + 1e-8)
        expect(after[name][i] - before[i]).toBeCloseTo(moved, 5)
      })
      before = after[name]
      decayed = after[`${name}/moment1`]
    }
  })
})
