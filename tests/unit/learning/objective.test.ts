import '@tensorflow/tfjs-backend-cpu'
import '../../../src-main/backends/gradients.ts'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { informationObjective, summariseJoint } from '../../../src-main/learning/objective/information.ts'
import {
  boxSum,
  jointOverDisplacements,
  jointThroughInterpolation
} from '../../../src-main/learning/objective/joint.ts'
import { warpHeatmap } from '../../../src-main/learning/objective/warpHeatmap.ts'
import { normaliseBatchRelu } from '../../../src-main/learning/network/batchNormalisation.ts'
import { convolution } from '../../../src-main/learning/network/forward.ts'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'
import { displacementMatrix, interpolationMatrix } from '../../../src-main/learning/views/geometry.ts'

const normal = normalFrom(uniformFrom(11))
const randomMap = (shape: [number, number, number, number]): tf.Tensor4D =>
  tf.softmax(tf.tensor4d(Float32Array.from({ length: shape.reduce((a, b) => a * b) }, normal), shape)) as tf.Tensor4D

beforeAll(() => tf.setBackend('cpu'))

/** Eq. (8) of the IID paper as written: a loop over samples, pixels, displacements and pairs of clusters. */
function jointByLoops(first: number[][][][], second: number[][][][], radius: number): number[] {
  const [n, h, w, C] = [first.length, first[0].length, first[0][0].length, first[0][0][0].length]
  const P = Array<number>(C * C).fill(0)
  for (let i = 0; i < n; i++)
    for (let r = 0; r < h; r++)
      for (let c = 0; c < w; c++)
        for (let dr = -radius; dr <= radius; dr++)
          for (let dc = -radius; dc <= radius; dc++) {
            const neighbour = second[i][r + dr]?.[c + dc]
            if (!neighbour) continue
            for (let a = 0; a < C; a++) for (let b = 0; b < C; b++) P[a * C + b] += first[i][r][c][a] * neighbour[b]
          }
  const total = P.reduce((a, b) => a + b)
  return P.map((_, k) => (P[k] + P[(k % C) * C + Math.floor(k / C)]) / (2 * total))
}

/** Largest deviation of the gradient from central differences, relative to its largest entry. */
function gradientError(f: (x: tf.Tensor) => tf.Scalar, x: tf.Tensor, step = 1e-2, checked = 24): number {
  const gradient = tf.grad(f)(x).dataSync()
  const values = x.dataSync()
  const largest = Math.max(...gradient.map(Math.abs))
  const stride = Math.max(1, Math.floor(values.length / checked))
  let worst = 0
  for (let i = 0; i < values.length; i += stride) {
    const at = (delta: number): number => {
      const moved = Float32Array.from(values)
      moved[i] += delta
      return f(tf.tensor(moved, x.shape)).dataSync()[0]
    }
    worst = Math.max(worst, Math.abs((at(step) - at(-step)) / (2 * step) - gradient[i]) / largest)
  }
  return worst
}

describe('the joint over displacements', () => {
  it.each([0, 1, 3])('equals the four-fold loop for radius %i', (radius) => {
    const [first, second] = [randomMap([2, 6, 5, 3]), randomMap([2, 6, 5, 3])]
    const expected = jointByLoops(first.arraySync(), second.arraySync(), radius)
    const found = jointOverDisplacements(first, second, radius).dataSync()
    expected.forEach((p, k) => expect(found[k]).toBeCloseTo(p, 6))
  })

  it('does not count masked pixels', () => {
    const [first, second] = [randomMap([1, 4, 4, 2]), randomMap([1, 4, 4, 2])]
    const mask = tf.tensor4d([1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0], [1, 4, 4, 1])
    const part = (map: tf.Tensor4D): number[][][][] =>
      (tf.slice(map, [0, 0, 0, 0], [1, 4, 2, 2]) as tf.Tensor4D).arraySync()
    const expected = jointByLoops(part(first), part(second), 1)
    const found = jointOverDisplacements(first, second, 1, {
      first: mask as tf.Tensor4D,
      second: mask as tf.Tensor4D
    }).dataSync()
    expected.forEach((p, k) => expect(found[k]).toBeCloseTo(p, 6))
  })

  it('rejects maps of different shapes', () => {
    expect(() => jointOverDisplacements(randomMap([1, 4, 4, 2]), randomMap([1, 4, 3, 2]), 1)).toThrow('4')
  })

  it('has the gradient of finite differences', () => {
    const second = randomMap([1, 5, 5, 3])
    const f = (x: tf.Tensor): tf.Scalar =>
      informationObjective(jointOverDisplacements(tf.softmax(x) as tf.Tensor4D, second, 2), 1.5)
    expect(gradientError(f, tf.randomNormal([1, 5, 5, 3], 0, 1, 'float32', 5), 1e-1)).toBeLessThan(1e-2)
    const g = (x: tf.Tensor): tf.Scalar => tf.sum(tf.mul(boxSum(x as tf.Tensor4D, 1), second)) as tf.Scalar
    expect(gradientError(g, tf.randomNormal([1, 5, 5, 3], 0, 1, 'float32', 6))).toBeLessThan(1e-2)
  })
})

describe('the joint through interpolation', () => {
  const coarse = 4
  const fine = 16

  /** Enlarges a coarse map and applies flips and a shift pixel by pixel. */
  function enlarged(
    map: number[][][][],
    flip: [boolean, boolean],
    shift: [number, number]
  ): { map: number[][][][]; inside(r: number, c: number): boolean } {
    const weights = interpolationMatrix(fine, coarse)
    const full = map.map((sample) =>
      Array.from({ length: fine }, (_, r) =>
        Array.from({ length: fine }, (_, c) =>
          sample[0][0].map((_, k) => {
            let value = 0
            for (let i = 0; i < coarse; i++)
              for (let j = 0; j < coarse; j++)
                value += weights[r * coarse + i] * weights[c * coarse + j] * sample[i][j][k]
            return value
          })
        )
      )
    )
    const source = (i: number, axis: 0 | 1): number => (flip[axis] ? fine - 1 - (i - shift[axis]) : i - shift[axis])
    const within = (i: number): boolean => i >= 0 && i < fine
    return {
      map: full.map((sample) =>
        sample.map((row, r) => row.map((_, c) => sample[source(r, 0)]?.[source(c, 1)] ?? row[0].map(() => 0)))
      ),
      inside: (r, c) => within(r - shift[0]) && within(c - shift[1])
    }
  }

  it.each([
    { flip: [false, false], shift: [0, 0] },
    { flip: [true, false], shift: [0, 0] },
    { flip: [false, true], shift: [3, -5] },
    { flip: [true, true], shift: [-4, 2] }
  ] as { flip: [boolean, boolean]; shift: [number, number] }[])(
    'equals the joint of the enlarged maps for %o',
    ({ flip, shift }) => {
      const [first, second] = [randomMap([1, coarse, coarse, 3]), randomMap([1, coarse, coarse, 3])]
      const large = enlarged(first.arraySync(), [false, false], [0, 0]).map
      const other = enlarged(second.arraySync(), flip, shift)
      const counted = large.map((sample) =>
        sample.map((row, r) => row.map((pixel, c) => (other.inside(r, c) ? pixel : pixel.map(() => 0))))
      )
      const expected = jointByLoops(counted, other.map, 2)
      const axis = (a: 0 | 1): tf.Tensor4D =>
        tf.tensor4d(displacementMatrix({ fine, coarse, range: [-2, 2], flipped: flip[a], shift: shift[a] }), [
          1,
          1,
          coarse,
          coarse
        ])
      const found = jointThroughInterpolation(first, second, axis(0), axis(1)).dataSync()
      expected.forEach((p, k) => expect(found[k]).toBeCloseTo(p, 5))
    }
  )
})

describe('joints of single displacements', () => {
  const [fine, coarse] = [16, 4]
  const matrix = (range: readonly [number, number]): Float32Array =>
    displacementMatrix({ fine, coarse, range, flipped: false, shift: 0 })

  const radius = 2
  const shifts = Array.from({ length: (2 * radius + 1) ** 2 }, (_, i) => [Math.floor(i / 5) - radius, (i % 5) - radius])
  const stacked = (axis: 0 | 1): tf.Tensor4D =>
    tf.tensor4d(Float32Array.from(shifts.flatMap((t) => [...matrix([t[axis], t[axis]])])), [
      1,
      shifts.length,
      coarse,
      coarse
    ])

  it('add up to the pooled joint, each weighted by its pixels', () => {
    const [first, second] = [randomMap([1, coarse, coarse, 3]), randomMap([1, coarse, coarse, 3])]
    const single = jointThroughInterpolation(first, second, stacked(0), stacked(1)).arraySync()
    const pooled = jointThroughInterpolation(
      first,
      second,
      tf.tensor4d(matrix([-2, 2]), [1, 1, coarse, coarse]),
      tf.tensor4d(matrix([-2, 2]), [1, 1, coarse, coarse])
    ).arraySync()[0]
    // A displacement by (r, c) has (16 − |r|)(16 − |c|) pixels with a counterpart.
    const pixels = shifts.map(([r, c]) => (fine - Math.abs(r)) * (fine - Math.abs(c)))
    const total = pixels.reduce((a, b) => a + b)
    pooled.forEach((row, a) =>
      row.forEach((p, b) =>
        expect(single.reduce((sum, joint, d) => sum + (pixels[d] / total) * joint[a][b], 0)).toBeCloseTo(p, 5)
      )
    )
  })

  it('give the mean of their information', () => {
    const joints = [
      [
        [0.4, 0.1],
        [0.1, 0.4]
      ],
      [
        [0.25, 0.25],
        [0.25, 0.25]
      ]
    ]
    const [a, b] = joints.map((joint) => informationObjective(tf.tensor2d(joint), 1.3).dataSync()[0])
    expect(informationObjective(tf.tensor3d(joints), 1.3).dataSync()[0]).toBeCloseTo((a + b) / 2, 6)
  })

  it('have the gradient of finite differences through a warp', () => {
    const second = randomMap([1, coarse, coarse, 3])
    const side = coarse * coarse
    const corners = tf.tensor4d(
      Float32Array.from({ length: 4 * side }, (_, i) => (i * 7) % side),
      [1, coarse, coarse, 4]
    )
    const weights = tf.randomUniform<tf.Rank.R4>([1, coarse, coarse, 4], 0, 1, 'float32', 4)
    const rows = tf.tensor4d(Float32Array.from([...matrix([1, 1]), ...matrix([-3, -3])]), [1, 2, coarse, coarse])
    const f = (x: tf.Tensor): tf.Scalar =>
      informationObjective(
        jointThroughInterpolation(second, warpHeatmap(tf.softmax(x) as tf.Tensor4D, corners, weights), rows, rows),
        1.2
      )
    expect(gradientError(f, tf.randomNormal([1, coarse, coarse, 3], 0, 1, 'float32', 12), 1e-1)).toBeLessThan(1e-2)
  })

  it('have the same values and gradients when processed in parts', () => {
    const [first, second] = [randomMap([1, coarse, coarse, 3]), randomMap([1, coarse, coarse, 3])]
    const information =
      (most?: number) =>
      (a: tf.Tensor, b: tf.Tensor): tf.Scalar =>
        informationObjective(
          jointThroughInterpolation(
            tf.softmax(a) as tf.Tensor4D,
            tf.softmax(b) as tf.Tensor4D,
            stacked(0),
            stacked(1),
            most
          ),
          1.2
        )
    const [whole, parts] = [undefined, 3 * first.size].map((most) =>
      tf.valueAndGrads(information(most))([first, second])
    )
    expect(parts.value.dataSync()[0]).toBeCloseTo(whole.value.dataSync()[0], 6)
    parts.grads.forEach((gradient, input) => {
      const expected = whole.grads[input].dataSync()
      expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(1e-4)
      gradient.dataSync().forEach((value, i) => expect(value).toBeCloseTo(expected[i], 7))
    })
  })
})

describe('mutual information', () => {
  const of = (joint: number[][]): number => informationObjective(tf.tensor2d(joint), 1).dataSync()[0]

  it('is zero for independent maps', () => {
    const p = [0.2, 0.3, 0.5]
    expect(of(p.map((a) => p.map((b) => a * b)))).toBeCloseTo(0, 6)
  })

  it('is ln C for identical one-hot maps of equal mass', () => {
    const map = tf.oneHot(tf.tensor1d([0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0], 'int32'), 4)
    const heatmap = tf.reshape(tf.cast(map, 'float32'), [1, 4, 4, 4]) as tf.Tensor4D
    expect(informationObjective(jointOverDisplacements(heatmap, heatmap, 0), 1).dataSync()[0]).toBeCloseTo(
      Math.log(4),
      5
    )
  })

  it('is reported as the objective measures it', () => {
    const joint = jointOverDisplacements(randomMap([1, 5, 5, 4]), randomMap([1, 5, 5, 4]), 1)
    const summary = summariseJoint(joint.dataSync() as Float32Array)
    expect(summary.information).toBeCloseTo(informationObjective(joint, 1).dataSync()[0], 5)
    expect(summary.masses.reduce((a, b) => a + b)).toBeCloseTo(1, 5)
    expect(summary.information).toBeCloseTo(summary.entropy - summary.conditionalEntropy, 5)
  })
})

describe('network layers', () => {
  it.each([false, true])('normalise batches with the gradient of finite differences (pooled: %s)', (pooled) => {
    const [gamma, beta] = [tf.tensor1d([0.8, 1.3]), tf.tensor1d([0.1, -0.2])]
    const weights = tf.randomNormal(pooled ? [2, 2, 2, 2] : [2, 4, 4, 2], 0, 1, 'float32', 8)
    const input = tf.randomNormal([2, 4, 4, 2], 0.3, 1.5, 'float32', 9)
    const through = (x: tf.Tensor, g: tf.Tensor, b: tf.Tensor): tf.Scalar =>
      tf.sum(
        tf.mul(normaliseBatchRelu(x as tf.Tensor4D, g as tf.Tensor1D, b as tf.Tensor1D, pooled).output, weights)
      ) as tf.Scalar
    expect(gradientError((x) => through(x, gamma, beta), input, 3e-3, 64)).toBeLessThan(2e-2)
    expect(gradientError((g) => through(input, g, beta), gamma, 3e-3)).toBeLessThan(1e-2)
    expect(gradientError((b) => through(input, gamma, b), beta, 3e-3)).toBeLessThan(1e-2)
  })

  it('convolve with dilation and the gradient of finite differences', () => {
    const [x, filter] = [
      tf.randomNormal([1, 6, 6, 2], 0, 1, 'float32', 1) as tf.Tensor4D,
      tf.randomNormal([3, 3, 2, 3], 0, 1, 'float32', 2) as tf.Tensor4D
    ]
    const weights = tf.randomNormal([1, 6, 6, 3], 0, 1, 'float32', 3)
    const through = (a: tf.Tensor, b: tf.Tensor): tf.Scalar =>
      tf.sum(tf.mul(convolution(a as tf.Tensor4D, b as tf.Tensor4D, 1, 2), weights)) as tf.Scalar
    expect(gradientError((a) => through(a, filter), x)).toBeLessThan(1e-2)
    expect(gradientError((b) => through(x, b), filter)).toBeLessThan(1e-2)
  })
})
