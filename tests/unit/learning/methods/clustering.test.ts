import '@tensorflow/tfjs-backend-cpu'
import '../../../../src-main/backends/gradients.ts'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import type { NamedTensors } from '../../../../src-main/backends/program.ts'
import { normalFrom, uniformFrom } from '../../../../src-main/learning/random.ts'
import { CROP, type Case, PAIRS, stepOf } from '../../../fixtures/methodStep.ts'

beforeAll(() => tf.setBackend('cpu'))

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
