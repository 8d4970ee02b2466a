import '@tensorflow/tfjs-backend-cpu'
import '../../../../src-main/backends/gradients.ts'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { executeEagerly } from '../../../../src-main/backends/eager.ts'
import { onnxruntimeBackend } from '../../../../src-main/backends/onnxruntime.ts'
import type { NamedArrays, NamedTensors } from '../../../../src-main/backends/program.ts'
import { parametersOf } from '../../../../src-main/learning/network/architecture.ts'
import { normalFrom, uniformFrom } from '../../../../src-main/learning/random.ts'
import { ARCHITECTURE, CROP, type Case, INFOMAX, PAIRS, stepOf } from '../../../fixtures/methodStep.ts'

process.env.ONEDNN_DEFAULT_FPMATH_MODE = 'STRICT'
beforeAll(() => tf.setBackend('cpu'))

const CASES: Case[] = [
  { name: 'deep-infomax, noise contrast', method: 'deep-infomax', deepInfomax: INFOMAX },
  {
    name: 'deep-infomax, Jensen and Shannon, both through one layer',
    method: 'deep-infomax',
    deepInfomax: { ...INFOMAX, gamma: 0, estimator: 'jsd', scores: 'concat' }
  },
  {
    name: 'deep-infomax, Donsker and Varadhan, global only',
    method: 'deep-infomax',
    deepInfomax: { ...INFOMAX, beta: 0, gamma: 0, estimator: 'dv' }
  },
  {
    name: 'deep-infomax, with coordinates and occlusion',
    method: 'deep-infomax',
    deepInfomax: { ...INFOMAX, alpha: 0, gamma: 0, coordinates: 0.5, occlusion: 0.4 }
  },
  { name: 'co-occurrence', method: 'co-occurrence' },
  { name: 'context', method: 'context' },
  { name: 'exemplar', method: 'exemplar' },
  { name: 'adaptive', method: 'adaptive' },
  { name: 'embedded', method: 'embedded', moves: true }
]

describe.each(CASES)('the method $name', (what) => {
  it.skipIf(what.moves)('has the gradient of finite differences', () => {
    const { objective, feed, weights } = stepOf(what)
    const fed: NamedTensors = Object.fromEntries(
      Object.entries(objective.inputs).map(([name, shape]) => [name, tf.tensor(feed(1)[name], [...shape])])
    )
    const own: NamedTensors = Object.fromEntries(
      Object.entries({ ...parametersOf(ARCHITECTURE), ...objective.parameters }).map(([name, { shape }]) => [
        name,
        tf.tensor(weights[name], shape)
      ])
    )
    const normal = normalFrom(uniformFrom(12))
    const side = CROP / 4
    const map = (channels: number): tf.Tensor4D =>
      tf.tensor4d(Float32Array.from({ length: 2 * PAIRS * side * side * channels }, normal), [
        2 * PAIRS,
        side,
        side,
        channels
      ])
    // A pair that crosses the threshold would be a step in the loss, so all pairs count as alike here.
    if ('threshold' in fed) fed.threshold = tf.tensor1d([-1])
    // By the output of the trunk or the heads; the rest belongs to the network and is tested elsewhere.
    const x = objective.headParts.length === 2 ? map(5) : map(12)
    const lossOf = (value: tf.Tensor): tf.Scalar => {
      const heatmaps: Record<string, tf.Tensor4D[]> =
        objective.headParts.length === 2
          ? {
              A: [tf.softmax(value) as tf.Tensor4D],
              B: [tf.softmax(tf.slice(value, [0, 0, 0, 0], [2 * PAIRS, side, side, 3])) as tf.Tensor4D]
            }
          : {}
      return objective.loss({ pairs: PAIRS, trunk: value as tf.Tensor4D, heatmaps }, own, fed).loss
    }
    const gradient = tf.grad(lossOf)(x).dataSync()
    const largest = Math.max(...gradient.map(Math.abs))
    expect(largest).toBeGreaterThan(0)
    // The places that affect the loss most. The adversary's own loss does not reach the trunk.
    const places = [...gradient.keys()].sort((a, b) => Math.abs(gradient[b]) - Math.abs(gradient[a])).slice(0, 8)
    const adversary = (what.deepInfomax?.gamma ?? 0) > 0
    for (const i of adversary ? [] : places) {
      const at = (delta: number): number => {
        const moved = Float32Array.from(x.dataSync())
        moved[i] += delta
        return lossOf(tf.tensor(moved, x.shape)).dataSync()[0]
      }
      expect(Math.abs((at(4e-3) - at(-4e-3)) / 8e-3 - gradient[i]) / largest).toBeLessThan(0.06)
    }
  })

  it('learns nothing where there is no data', () => {
    const { objective, feed, weights, batch } = stepOf(what)
    if (objective.headParts.length === 2) return
    const side = CROP / 4
    const isLeft = (pixel: number, width: number): boolean => pixel % width < width / 2
    batch.firstValid = Float32Array.from({ length: PAIRS * CROP * CROP }, (_, i) => Number(!isLeft(i, CROP)))
    batch.secondValid = batch.firstValid
    const share = tf.tensor4d(
      Float32Array.from({ length: 2 * PAIRS * side * side }, (_, i) => Number(!isLeft(i, side))),
      [2 * PAIRS, side, side, 1]
    )
    const fed: NamedTensors = Object.fromEntries(
      Object.entries(objective.inputs).map(([name, shape]) => [name, tf.tensor(feed(1)[name], [...shape])])
    )
    const own: NamedTensors = Object.fromEntries(
      Object.entries({ ...parametersOf(ARCHITECTURE), ...objective.parameters }).map(([name, { shape }]) => [
        name,
        tf.tensor(weights[name], shape)
      ])
    )
    const trunk = tf.randomNormal([2 * PAIRS, side, side, 12], 0, 1, 'float32', 5)
    const gradient = tf.grad(
      (value) => objective.loss({ pairs: PAIRS, trunk: value as tf.Tensor4D, heatmaps: {}, share }, own, fed).loss
    )(trunk)
    const most = (x: tf.Tensor): number => tf.max(tf.abs(x)).dataSync()[0]
    expect(most(tf.mul(gradient, tf.sub(1, share)))).toBe(0)
    expect(most(tf.mul(gradient, share))).toBeGreaterThan(0)
  })

  it('gives the same results recorded and eagerly, and learns', async () => {
    const { program, feed, state } = stepOf(what)
    const [expected, found] = [
      executeEagerly('cpu', program, state),
      await onnxruntimeBackend().compile(program, state)
    ]
    const only = (fed: NamedArrays): NamedArrays =>
      Object.fromEntries(Object.keys(program.inputs).map((name) => [name, fed[name]]))
    const [a, b] = [await expected.run(only(feed(1))), await found.run(only(feed(1)))]
    for (const name of program.outputs) expect(b[name][0]).toBeCloseTo(a[name][0], 3)
    const losses: number[] = []
    for (let step = 2; step < 60; step++) {
      const outputs = await found.run(only(feed(step)))
      losses.push(what.moves ? -outputs.estimate[0] : outputs.loss[0])
    }
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value) / values.length
    expect(losses.every(Number.isFinite)).toBe(true)
    expect(mean(losses.slice(-10))).toBeLessThan(mean(losses.slice(0, 10)))
    await Promise.all([expected.dispose(), found.dispose()])
  })
})
