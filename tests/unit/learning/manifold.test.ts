import '@tensorflow/tfjs-backend-cpu'
import '../../../src-main/backends/gradients.ts'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { onnxruntimeBackend } from '../../../src-main/backends/onnxruntime.ts'
import { pointsOf } from '../../../src-main/learning/kMeans.ts'
import { embedChannels, latentInformation, latentOf } from '../../../src-main/learning/manifold.ts'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'

beforeAll(() => tf.setBackend('cpu'))
const normal = normalFrom(uniformFrom(41))

describe('the manifold layer', () => {
  const [inputs, channels] = [6, 5]
  const activity = tf.softmax(
    tf.tensor2d(Float32Array.from({ length: inputs * channels }, normal), [inputs, channels])
  ) as tf.Tensor2D
  const places = tf.tensor2d(Float32Array.from({ length: channels * 2 }, normal), [channels, 2])
  const noise = tf.tensor2d(Float32Array.from({ length: inputs * 2 }, normal), [inputs, 2])

  it('places an input at the mean of its channels, with their spread', () => {
    const { centre, variance } = latentOf(activity, places, 0)
    const [y, e, z, v] = [activity, places, centre, variance].map((tensor) => tensor.arraySync())
    for (let i = 0; i < inputs; i++) {
      for (let axis = 0; axis < 2; axis++) {
        const mean = y[i].reduce((sum, value, k) => sum + value * e[k][axis], 0)
        expect(z[i][axis]).toBeCloseTo(mean, 5)
        expect(v[i][axis]).toBeCloseTo(
          y[i].reduce((sum, value, k) => sum + value * (e[k][axis] - mean) ** 2, 0),
          5
        )
      }
    }
  })

  it('bounds information as in the paper, with densities in loops', () => {
    const latent = latentOf(activity, places, 0.1)
    const [z, v, n] = [latent.centre, latent.variance, noise].map((tensor) => tensor.arraySync())
    const density = (at: number[], j: number): number =>
      at.reduce(
        (product, value, axis) =>
          (product * Math.exp(-((value - z[j][axis]) ** 2) / (2 * v[j][axis]))) / Math.sqrt(2 * Math.PI * v[j][axis]),
        1
      )
    const drawn = z.map((centre, i) => centre.map((value, axis) => value + Math.sqrt(v[i][axis]) * n[i][axis]))
    const expected =
      drawn.reduce(
        (sum, at, i) =>
          sum + Math.log(density(at, i) / (drawn.reduce((all, _, j) => all + density(at, j), 0) / inputs)),
        0
      ) / inputs
    expect(latentInformation(latent, noise).dataSync()[0]).toBeCloseTo(expected, 4)
  })

  it('has the gradient of finite differences', () => {
    const bound = (x: tf.Tensor): tf.Scalar => latentInformation(latentOf(activity, x as tf.Tensor2D, 0.1), noise)
    const gradient = tf.grad(bound)(places).dataSync()
    const values = places.dataSync()
    gradient.forEach((slope, i) => {
      const at = (delta: number): number =>
        bound(
          tf.tensor2d(
            Float32Array.from(values, (value, k) => value + (k === i ? delta : 0)),
            [channels, 2]
          )
        ).dataSync()[0]
      expect((at(1e-2) - at(-1e-2)) / 2e-2).toBeCloseTo(slope, 1)
    })
  })

  it('places channels that inputs activate together next to each other, so that a ring stays a ring', async () => {
    const count = 24
    const uniform = uniformFrom(5)
    // Inputs are angles; each channel prefers one.
    const rows = Array.from({ length: 4000 }, () => {
      const angle = 2 * Math.PI * uniform()
      const scores = Array.from({ length: count }, (_, k) => Math.exp(8 * Math.cos(angle - (2 * Math.PI * k) / count)))
      const total = scores.reduce((a, b) => a + b)
      return Float32Array.from(scores, (score) => score / total)
    })
    const start = Array.from({ length: count }, () => ({ x: normal(), y: normal() }))
    const found = await embedChannels(
      onnxruntimeBackend(),
      pointsOf(rows),
      start,
      uniform,
      new AbortController().signal
    )
    const apart = (a: number, b: number): number => Math.hypot(found[a].x - found[b].x, found[a].y - found[b].y)
    const nearest = (k: number): number[] =>
      found
        .map((_, other) => other)
        .filter((other) => other !== k)
        .sort((a, b) => apart(k, a) - apart(k, b))
        .slice(0, 2)
    const right = found.reduce(
      (sum, _, k) => sum + nearest(k).filter((other) => [1, count - 1].includes(Math.abs(other - k))).length,
      0
    )
    // By chance it would be 2 of 23.
    expect(right / (2 * count)).toBeGreaterThan(0.5)
  })
})
