import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { executeEagerly } from '../../../src-main/backends/eager.ts'
import { recordProgram } from '../../../src-main/backends/onnx/execution.ts'
import { onnxruntimeBackend } from '../../../src-main/backends/onnxruntime.ts'
import { type Backend, type Program, sizeOf } from '../../../src-main/backends/program.ts'
import { tensorflowBackend } from '../../../src-main/backends/tensorflow.ts'
import { coarseSide, inferenceProgram } from '../../../src-main/learning/inference.ts'
import { type Architecture, initialWeights, trunk } from '../../../src-main/learning/network/architecture.ts'
import { foldWeights } from '../../../src-main/learning/network/forward.ts'
import { informationObjective } from '../../../src-main/learning/objective/information.ts'
import { jointThroughInterpolation } from '../../../src-main/learning/objective/joint.ts'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'
import '../../fixtures/gpu.ts'
import { maskedStepFixture, richStepFixture, stepFixture } from '../../fixtures/step.ts'

// Otherwise TensorFlow would use 16-bit products where the processor has them.
process.env.TF_SET_ONEDNN_FPMATH_MODE = 'STRICT'
process.env.ONEDNN_DEFAULT_FPMATH_MODE = 'STRICT'

/** Native libraries and graphics drivers are optional: where one is missing, a warning says so. */
async function available(start: () => Backend): Promise<Backend | undefined> {
  try {
    const backend = start()
    const { program, state } = stepFixture()
    await (await backend.compile(program, state)).dispose()
    return backend
  } catch (fault) {
    console.warn(`NOT TESTED: ${(fault as Error).message.split('\n')[0]}`)
    return undefined
  }
}

describe.each([
  ['onnxruntime', await available(onnxruntimeBackend)],
  ['webgpu', await available(() => onnxruntimeBackend('webgpu'))],
  ['cuda', await available(() => onnxruntimeBackend('cuda'))],
  ['tensorflow', await available(tensorflowBackend)]
])('a training step on %s', (_, backend) => {
  it.runIf(backend).each([
    ['layers', stepFixture],
    ['views, inputs and heads', richStepFixture]
  ])('gives the loss, joints and weights of the plain CPU backend with all kinds of %s', async (_kind, fixture) => {
    const { program, inputs, state } = fixture()
    const expected = executeEagerly('cpu', program, state)
    const found = await backend!.compile(program, state)
    for (let step = 0; step < 2; step++) {
      const [a, b] = [await expected.run(inputs), await found.run(inputs)]
      for (const name of program.outputs) a[name].forEach((value, i) => expect(b[name][i]).toBeCloseTo(value, 3))
    }
    const [a, b] = [await expected.readState(), await found.readState()]
    for (const name of Object.keys(program.state)) {
      const scale = Math.max(...a[name].map(Math.abs), 1e-9)
      const worst = Math.max(...a[name].map((value, i) => Math.abs(value - b[name][i])))
      // Moments are the gradients, decayed and summed; whatever starts at zero consists of updates only.
      const made = name.includes('moment') || state[name].every((value) => value === 0)
      expect(worst / scale, name).toBeLessThan(made ? 2e-3 : 1e-4)
    }
  })

  it.runIf(backend)('ignores missing data like the plain CPU backend', async () => {
    const { program, inputs, state } = maskedStepFixture()
    const [expected, found] = [executeEagerly('cpu', program, state), await backend!.compile(program, state)]
    const [a, b] = [await expected.run(inputs), await found.run(inputs)]
    for (const name of program.outputs) a[name].forEach((value, i) => expect(b[name][i]).toBeCloseTo(value, 3))
    const [before, after] = [await expected.readState(), await found.readState()]
    // The first moment is the gradient. Single entries near zero are noise; its length is not.
    for (const name of Object.keys(program.state).filter((entry) => entry.endsWith('moment1'))) {
      const apart = Math.hypot(...before[name].map((value, i) => value - after[name][i]))
      expect(apart / Math.hypot(...before[name]), name).toBeLessThan(0.01)
    }
  })

  it.runIf(backend).each([false, true])(
    'applies a network with boxes of least variance and rows like the plain CPU backend (masked: %s)',
    async (masked) => {
      const heads = [
        { name: 'A', clusters: 5, subHeads: 1, refit: [9, 21] },
        { name: 'B', clusters: 2, subHeads: 1, mergedFrom: 'A' }
      ]
      const architecture: Architecture = {
        bands: 3,
        layers: trunk('8s2,M,12', 1),
        statistics: [9],
        kuwahara: 0.3,
        guidedFilter: { box: 21, epsilon: 0.05 },
        upright: true,
        heads
      }
      const uniform = uniformFrom(8)
      const weights = Object.fromEntries(
        Object.entries(initialWeights(architecture, normalFrom(uniform))).map(([name, values]) => [
          name,
          /refit|merge/.test(name) ? values.map(() => uniform() - 0.5) : values
        ])
      )
      const program = inferenceProgram(architecture, { A: 0, B: 0 }, { window: 96, masked })
      expect(coarseSide(architecture, { window: 96 })).toBeLessThan(24)
      const inputs = Object.fromEntries(
        Object.entries(program.inputs).map(([name, shape]) => [
          name,
          Float32Array.from({ length: sizeOf(shape) }, (_, i) =>
            name === 'valid' ? Number(i % 96 > 20 || uniform() < 0.3) : Math.sin(i / 40) + uniform()
          )
        ])
      )
      const folded = foldWeights(architecture, weights)
      const [a, b] = [
        await executeEagerly('cpu', program, folded).run(inputs),
        await (await backend!.compile(program, folded)).run(inputs)
      ]
      // Backends may choose differently between boxes of nearly equal variance.
      for (const name of program.outputs)
        expect(
          a[name].filter((value, i) => Math.abs(value - b[name][i]) < 1e-3).length / a[name].length,
          name
        ).toBeGreaterThan(0.995)
    }
  )

  it.runIf(backend)('processes displacements in parts like the plain CPU backend', async () => {
    const [pairs, coarse, clusters, displacements] = [2, 4, 3, 5]
    const maps = [pairs, coarse, coarse, clusters]
    const matrices = [pairs, displacements, coarse, coarse]
    const program: Program = {
      name: 'joints in parts',
      inputs: { first: maps, second: maps, rows: matrices, columns: matrices },
      state: {},
      outputs: ['joints', 'byFirst', 'bySecond'],
      evaluate({ rows, columns, ...views }) {
        const joints = (first: tf.Tensor, second: tf.Tensor): tf.Tensor3D =>
          jointThroughInterpolation(
            first as tf.Tensor4D,
            second as tf.Tensor4D,
            rows as tf.Tensor4D,
            columns as tf.Tensor4D,
            2 * views.first.size
          )
        const information = (first: tf.Tensor, second: tf.Tensor): tf.Scalar =>
          informationObjective(joints(first, second), 1)
        const [byFirst, bySecond] = tf.grads(information)([views.first, views.second])
        return { outputs: { joints: joints(views.first, views.second), byFirst, bySecond }, state: {} }
      }
    }
    const uniform = uniformFrom(3)
    const inputs = Object.fromEntries(
      Object.entries(program.inputs).map(([name, shape]) => [
        name,
        Float32Array.from({ length: sizeOf(shape) }, () => uniform() ** 6)
      ])
    )
    const [expected, found] = [
      await executeEagerly('cpu', program, {}).run(inputs),
      await (await backend!.compile(program, {})).run(inputs)
    ]
    for (const name of program.outputs)
      expected[name].forEach((value, i) => expect(found[name][i], name).toBeCloseTo(value, 6))
  })

  it.runIf(backend)('repeats itself to the bit', async () => {
    const { program, inputs, state } = richStepFixture()
    const run = async (): Promise<Record<string, Float32Array>> => {
      const execution = await backend!.compile(program, state)
      for (let step = 0; step < 3; step++) await execution.run(inputs)
      return execution.readState()
    }
    expect(await run()).toEqual(await run())
  })

  it.runIf(backend)('keeps no more tensors after many steps than after one', async () => {
    const { program, inputs, state } = richStepFixture()
    const execution = await backend!.compile(program, state)
    await execution.run(inputs)
    const before = tf.memory().numTensors
    for (let step = 0; step < 5; step++) await execution.run(inputs)
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('a TensorFlow.js backend', () => {
  it('throws if it does not start, instead of letting another one compute', () => {
    const { program, state } = stepFixture()
    tf.registerBackend('broken', () => {
      throw new Error('no library')
    })
    expect(() => executeEagerly('broken', program, state)).toThrow("can't start its backend broken")
    tf.removeBackend('broken')
  })
})

describe('a long run on onnxruntime', () => {
  it('keeps memory flat over 2,000 steps', async () => {
    const { program, inputs, state } = richStepFixture()
    const execution = await onnxruntimeBackend().compile(program, state)
    const run = async (steps: number): Promise<number> => {
      for (let step = 0; step < steps; step++) await execution.run(inputs)
      globalThis.gc?.()
      return process.memoryUsage().rss / 2 ** 20
    }
    const [start, middle, end] = [await run(500), await run(750), await run(750)]
    console.log(
      `memory after 500 steps ${start.toFixed(0)} MB, after 1,250 ${middle.toFixed(0)} MB, after 2,000 ${end.toFixed(0)} MB`
    )
    // The inputs alone are 65 kB per step: if kept, they would add 49 MB each time. Late garbage collection adds only
    // once.
    expect(Math.min(middle - start, end - middle)).toBeLessThan(20)
  }, 60_000)
})

describe('recording', () => {
  const program = (evaluate: Program['evaluate']): Program => ({
    name: 'p',
    inputs: { x: [2, 2] },
    state: {},
    outputs: ['y'],
    evaluate
  })

  it('rejects a program that reads a value', () => {
    const reads = program(({ x }) => ({ outputs: { y: tf.mul(x, x.dataSync()[0]) }, state: {} }))
    expect(() => recordProgram(reads)).toThrow('a value was read')
  })

  it('rejects a kernel that it does not know, by name', () => {
    expect(() => recordProgram(program(({ x }) => ({ outputs: { y: tf.cumsum(x) }, state: {} })))).toThrow('Cumsum')
  })
})
