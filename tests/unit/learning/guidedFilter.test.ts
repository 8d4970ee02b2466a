import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { filterReach, guidedFilter } from '../../../src-main/learning/network/guidedFilter.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'

beforeAll(() => tf.setBackend('cpu'))

const [H, W, C] = [17, 19, 3]
const FILTER = { box: 21, epsilon: 0.05 }
const STRIDE = 4
const REACH = 5

/** Equations 5, 6 and 8 of He, Sun, Tang 2010, pixel by pixel, with weights. */
function direct(
  map: number[][][],
  guide: number[][],
  weight: number[][],
  at: [number, number],
  channel: number
): number {
  const r = (REACH - 1) / 2
  const box = ([y, x]: [number, number]): [number, number][] =>
    Array.from({ length: REACH * REACH }, (_, i) => [y - r + Math.floor(i / REACH), x - r + (i % REACH)])
  const mean = (cells: [number, number][], of: (y: number, x: number) => number): number =>
    cells.reduce((sum, [y, x]) => sum + weight[y][x] * of(y, x), 0) /
    cells.reduce((sum, [y, x]) => sum + weight[y][x], 0)
  const model = (centre: [number, number]): { a: number; b: number } => {
    const cells = box(centre)
    const [mI, mP] = [mean(cells, (y, x) => guide[y][x]), mean(cells, (y, x) => map[y][x][channel])]
    const a =
      mean(cells, (y, x) => (guide[y][x] - mI) * (map[y][x][channel] - mP)) /
      (mean(cells, (y, x) => (guide[y][x] - mI) ** 2) + FILTER.epsilon)
    return { a, b: mP - a * mI }
  }
  return mean(box(at), (y, x) => model([y, x]).a) * guide[at[0]][at[1]] + mean(box(at), (y, x) => model([y, x]).b)
}

function drawn(masked: boolean): { map: tf.Tensor4D; guide: tf.Tensor4D; share: tf.Tensor4D } {
  const uniform = uniformFrom(3)
  const tensor = (channels: number, value: (i: number) => number): tf.Tensor4D =>
    tf.tensor4d(
      Float32Array.from({ length: H * W * channels }, (_, i) => value(i)),
      [1, H, W, channels]
    )
  return {
    map: tf.softmax(tensor(C, () => 4 * uniform())),
    guide: tensor(1, (i) => (i % W > 8 ? 1 : -1) + 0.3 * uniform()),
    share: tensor(1, (i) => (masked && (i % 7 < 2 || i % W > 13) ? 0 : masked && i % 5 === 0 ? 0.5 : 1))
  }
}

describe('the guided filter', () => {
  it.each([false, true])('equals the direct formula at every pixel (masked: %s)', (masked) => {
    const { map, guide, share } = drawn(masked)
    const found = guidedFilter(map, guide, FILTER, STRIDE, masked ? share : undefined)
    const border = filterReach(FILTER, STRIDE)
    expect(found.values.shape).toEqual([1, H - 2 * border, W - 2 * border, C])
    const [values, maps, guides, weights] = [
      found.values.arraySync()[0],
      map.arraySync()[0],
      guide.arraySync()[0].map((row) => row.map(([value]) => value)),
      share.arraySync()[0].map((row) => row.map(([value]) => value))
    ]
    for (let y = border; y < H - border; y++) {
      for (let x = border; x < W - border; x++) {
        if (masked && x > 11) continue // Boxes without data have no model.
        for (let k = 0; k < C; k++)
          expect(values[y - border][x - border][k]).toBeCloseTo(direct(maps, guides, weights, [y, x], k), 4)
      }
    }
  })

  it('keeps the sum of probabilities, and continues along the slopes between its pixels', () => {
    const { map, guide } = drawn(false)
    const { values, slopes, guide: inner } = guidedFilter(map, guide, FILTER, STRIDE)
    for (const sum of tf.sum(values, 3).dataSync()) expect(sum).toBeCloseTo(1, 5)
    for (const sum of tf.sum(slopes, 3).dataSync()) expect(sum).toBeCloseTo(0, 5)
    const border = filterReach(FILTER, STRIDE)
    expect(inner.arraySync()).toEqual(tf.slice(guide, [0, border, border, 0], inner.shape).arraySync())
  })
})
