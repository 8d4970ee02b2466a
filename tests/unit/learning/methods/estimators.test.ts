import '@tensorflow/tfjs-backend-cpu'
import '../../../../src-main/backends/gradients.ts'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { ESTIMATORS, togetherMask } from '../../../../src-main/learning/methods/estimators.ts'
import { held } from '../../../../src-main/learning/methods/method.ts'
import { normalFrom, uniformFrom } from '../../../../src-main/learning/random.ts'

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
