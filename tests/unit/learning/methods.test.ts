import '@tensorflow/tfjs-backend-cpu'
import '../../../src-main/backends/gradients.ts'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { executeEagerly } from '../../../src-main/backends/eager.ts'
import { onnxruntimeBackend } from '../../../src-main/backends/onnxruntime.ts'
import type { NamedArrays, NamedTensors } from '../../../src-main/backends/program.ts'
import type { DeepInfomax, LearntMethod } from '../../../src-main/contract/recipe.ts'
import { ESTIMATORS, togetherMask } from '../../../src-main/learning/methods/estimators.ts'
import { held } from '../../../src-main/learning/methods/method.ts'
import { LEARNING, objectiveOf } from '../../../src-main/learning/methods/table.ts'
import {
  type Architecture,
  initialWeights,
  parametersOf,
  trunk
} from '../../../src-main/learning/network/architecture.ts'
import { recipeOf } from '../../../src-main/learning/presets.ts'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'
import { type StepShape, correctedRate, initialState, trainingStep } from '../../../src-main/learning/trainingStep.ts'
import { type BatchShape, emptyBatch } from '../../../src-main/learning/views/pairs.ts'

process.env.ONEDNN_DEFAULT_FPMATH_MODE = 'STRICT'
beforeAll(() => tf.setBackend('cpu'))

describe('lower bounds of information', () => {
  const normal = normalFrom(uniformFrom(3))
  const count = 400
  /**
   * Scores `T(a, b) = ln p(a, b) / (p(a) p(b))` of Gaussians for all pairs of `count` draws; this score makes the
   * bounds tight.
   */
  function scoresOf(rho: number): tf.Tensor2D {
    const a = Array.from({ length: count }, normal)
    const b = a.map((value) => rho * value + Math.sqrt(1 - rho * rho) * normal())
    const scores = a.flatMap((x) =>
      b.map(
        (y) => -0.5 * Math.log(1 - rho * rho) - (rho * rho * (x * x + y * y) - 2 * rho * x * y) / (2 * (1 - rho * rho))
      )
    )
    return tf.tensor2d(scores, [count, count])
  }
  const together = (): tf.Tensor2D => togetherMask(count, 1)

  it.each([0.3, 0.6, 0.9])('are −½ ln(1 − ρ²) for Gaussians that correlate by %f', (rho) => {
    const truth = -0.5 * Math.log(1 - rho * rho)
    const scores = scoresOf(rho)
    expect(ESTIMATORS.dv(scores, together()).dataSync()[0]).toBeGreaterThan(truth - 0.15)
    expect(ESTIMATORS.dv(scores, together()).dataSync()[0]).toBeLessThan(truth + 0.15)
    expect(Math.abs(ESTIMATORS.infonce(scores, together()).dataSync()[0] - truth)).toBeLessThan(0.15)
  })

  it('are zero where the score is uninformative, and never exceed the logarithm of the number of rows', () => {
    expect(ESTIMATORS.infonce(tf.zeros([8, 8]), togetherMask(8, 1)).dataSync()[0]).toBeCloseTo(0, 5)
    expect(ESTIMATORS.dv(tf.zeros([8, 8]), togetherMask(8, 1)).dataSync()[0]).toBeCloseTo(0, 5)
    expect(ESTIMATORS.jsd(tf.zeros([8, 8]), togetherMask(8, 1)).dataSync()[0]).toBeCloseTo(0, 5)
    expect(ESTIMATORS.infonce(tf.mul(togetherMask(8, 1), 1000), togetherMask(8, 1)).dataSync()[0]).toBeCloseTo(
      Math.log(8),
      4
    )
  })

  it('equal their formulas, written as loops', () => {
    const [columns, each] = [3, 2]
    const scores = Array.from({ length: columns * each }, () => Array.from({ length: columns }, normal))
    const own = (row: number): number => Math.floor(row / each)
    const positives = scores.map((row, r) => row[own(r)])
    const negatives = scores.flatMap((row, r) => row.filter((_, c) => c !== own(r)))
    const mean = (values: number[]): number => values.reduce((a, b) => a + b) / values.length
    const sp = (x: number): number => Math.log(1 + Math.exp(x))
    const tensor = tf.tensor2d(scores)
    const mask = togetherMask(columns, each)
    expect(ESTIMATORS.dv(tensor, mask).dataSync()[0]).toBeCloseTo(
      mean(positives) - Math.log(mean(negatives.map(Math.exp))),
      4
    )
    expect(ESTIMATORS.jsd(tensor, mask).dataSync()[0]).toBeCloseTo(
      mean(positives.map((t) => Math.log(2) - sp(-t))) - mean(negatives.map((t) => sp(-t) + t - Math.log(2))),
      4
    )
    const contrast = positives.map((t, r) => {
      const others = scores.filter((_, other) => own(other) !== own(r)).map((row) => Math.exp(row[own(r)]))
      return t - Math.log((Math.exp(t) + others.reduce((a, b) => a + b)) / (others.length + 1))
    })
    expect(ESTIMATORS.infonce(tensor, mask).dataSync()[0]).toBeCloseTo(mean(contrast), 4)
  })

  it('stop gradients where they should', () => {
    const gradient = tf.grad((x) => tf.sum(tf.mul(x, held(x))))(tf.tensor1d([2, 3]))
    expect([...gradient.dataSync()]).toEqual([2, 3])
  })
})

const ARCHITECTURE: Architecture = {
  bands: 3,
  layers: trunk('8s2,8,M,12', 1),
  heads: [
    { name: 'A', clusters: 5, subHeads: 1 },
    { name: 'B', clusters: 3, subHeads: 1 }
  ]
}
const INFOMAX: DeepInfomax = {
  alpha: 0.5,
  beta: 1,
  gamma: 0.1,
  estimator: 'infonce',
  scores: 'dot',
  coordinates: 0,
  occlusion: 0
}
const [PAIRS, CROP] = [3, 24]

interface Case {
  name: string
  method: Exclude<LearntMethod, 'information'>
  deepInfomax?: DeepInfomax
  /** Whether the target moves along, so that the estimate rises but the loss need not fall. */
  moves?: boolean
}
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

/** A step on three pairs of striped images that differ in direction. */
function stepOf({ method, deepInfomax }: Case) {
  const shape: StepShape = { method, deepInfomax: deepInfomax ?? INFOMAX, pairs: PAIRS, crop: CROP }
  const uniform = uniformFrom(4)
  const normal = normalFrom(uniform)
  const batchShape: BatchShape = {
    pairs: PAIRS,
    bands: 3,
    coloured: true,
    crop: CROP,
    coarse: CROP / 4,
    radius: 2,
    warped: false
  }
  const batch = emptyBatch(batchShape)
  for (const images of [batch.first, batch.second])
    images.forEach(
      (_, i) =>
        (images[i] =
          Math.sin((i % CROP) * 0.3 * (1 + Math.floor(i / (3 * CROP * CROP))) + Math.floor(i / CROP)) + 0.2 * normal())
    )
  const objective = objectiveOf(ARCHITECTURE, shape)
  const recipe = recipeOf({ preset: 'quick', method })
  const feed = (step: number): NamedArrays => ({
    ...batch,
    ...LEARNING[method].feed?.(batch, { architecture: ARCHITECTURE, shape, recipe }, uniformFrom(9, step), 0.5),
    rate: Float32Array.of(correctedRate(2e-3, step))
  })
  const program = trainingStep(ARCHITECTURE, shape)
  const weights = initialWeights(ARCHITECTURE, normal, objective.parameters)
  return { shape, objective, program, feed, weights, batch, state: initialState(program, weights) }
}

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

describe('adaptive clustering', () => {
  it('makes confident pairs more alike and others less, by the cross-entropy of cosines, in loops', () => {
    const what: Case = { name: 'adaptive', method: 'adaptive' }
    const { objective } = stepOf(what)
    const [side, clusters] = [CROP / 4, { A: 5, B: 3 }]
    const normal = normalFrom(uniformFrom(2))
    const heatmaps = Object.fromEntries(
      Object.entries(clusters).map(([head, count]) => [
        head,
        tf.softmax(
          tf.tensor4d(
            Float32Array.from({ length: 2 * PAIRS * side * side * count }, () => 2 * normal()),
            [2 * PAIRS, side, side, count]
          )
        ) as tf.Tensor4D
      ])
    )
    const places = Array.from({ length: 2 * PAIRS * 16 }, (_, i) => Math.floor(i / 16) * side * side + 2 * (i % 16))
    const threshold = 0.8
    const { loss } = objective.loss(
      { pairs: PAIRS, trunk: tf.zeros([1, 1, 1, 1]), heatmaps: { A: [heatmaps.A], B: [heatmaps.B] } },
      {},
      { places: tf.tensor1d(places), threshold: tf.tensor1d([threshold]) }
    )
    let expected = 0
    for (const [head, count] of Object.entries(clusters)) {
      const values = heatmaps[head].dataSync()
      const rows = places.map((place) => Array.from(values.slice(place * count, (place + 1) * count)))
      const length = (p: number[]): number => Math.hypot(...p)
      let sum = 0
      for (const p of rows) {
        for (const q of rows) {
          const cosine = p === q ? 1 : p.reduce((total, value, c) => total + value * q[c], 0) / (length(p) * length(q))
          sum -= cosine > threshold ? Math.log(cosine) : Math.log(1 - cosine)
        }
      }
      expected += sum / rows.length ** 2
    }
    expect(loss.dataSync()[0]).toBeCloseTo(expected, 3)
  })
})

describe('embedded clustering', () => {
  it('draws assignments towards their own sharpened, fixed version: loss and gradient in loops', () => {
    const { objective } = stepOf({ name: 'embedded', method: 'embedded' })
    const [side, channels, clusters] = [CROP / 4, 12, { A: 5, B: 3 }]
    const normal = normalFrom(uniformFrom(8))
    const map = Array.from({ length: 2 * PAIRS * side * side * channels }, normal)
    const places = Array.from({ length: 2 * PAIRS * 36 }, (_, i) => i)
    const filters = Object.fromEntries(
      Object.entries(clusters).map(([head, count]) => [
        head,
        Array.from({ length: count }, () => Array.from({ length: channels }, () => 2 * normal()))
      ])
    )
    const assigned = (values: number[], head: string): number[][] =>
      places.map((place) => {
        const z = values.slice(place * channels, (place + 1) * channels).map((value) => value / Math.sqrt(channels))
        const kernel = filters[head].map(
          (filter) => 1 / (1 + z.reduce((sum, value, d) => sum + (value - filter[d] / 2) ** 2, 0))
        )
        const total = kernel.reduce((a, b) => a + b)
        return kernel.map((value) => value / total)
      })
    const targets = Object.fromEntries(
      Object.keys(clusters).map((head) => {
        const q = assigned(map, head)
        const frequency = q[0].map((_, c) => q.reduce((sum, row) => sum + row[c], 0))
        return [
          head,
          q.map((row) => {
            const sharp = row.map((value, c) => value ** 2 / frequency[c])
            return sharp.map((value) => value / sharp.reduce((a, b) => a + b))
          })
        ]
      })
    )
    const lossOf = (values: number[]): number =>
      Object.keys(clusters).reduce((sum, head) => {
        const q = assigned(values, head)
        return (
          sum +
          targets[head].reduce(
            (all, p, i) => all + p.reduce((row, value, c) => row + value * Math.log(value / q[i][c]), 0),
            0
          ) /
            places.length
        )
      }, 0)
    const weights: NamedTensors = Object.fromEntries(
      Object.entries(filters).map(([head, rows]) => [
        `head${head}/filter`,
        tf.reshape(tf.tensor2d(rows), [rows.length, channels, 1, 1])
      ])
    )
    const loss = (x: tf.Tensor): tf.Scalar =>
      objective.loss({ pairs: PAIRS, trunk: x as tf.Tensor4D, heatmaps: {} }, weights, { places: tf.tensor1d(places) })
        .loss
    const x = tf.tensor4d(map, [2 * PAIRS, side, side, channels])
    expect(loss(x).dataSync()[0]).toBeCloseTo(lossOf(map), 4)
    const gradient = tf.grad(loss)(x).dataSync()
    for (const i of [...gradient.keys()].sort((a, b) => Math.abs(gradient[b]) - Math.abs(gradient[a])).slice(0, 4)) {
      const at = (delta: number): number => lossOf(map.map((value, k) => (k === i ? value + delta : value)))
      expect(Math.abs((at(1e-3) - at(-1e-3)) / 2e-3 - gradient[i])).toBeLessThan(0.02 * Math.abs(gradient[i]))
    }
  })
})
