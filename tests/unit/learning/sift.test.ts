import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { denseSift } from '../../../src-main/learning/network/sift.ts'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'

beforeAll(() => tf.setBackend('cpu'))

const [SIDE, CELL] = [32, 4]

/** The descriptor around a point as Lowe defines it, in a loop over the pixels of its window. */
function descriptorAt(grey: (x: number, y: number) => number, cx: number, cy: number): number[] {
  const bins = Array<number>(128).fill(0)
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const [gx, gy] = [(grey(x + 1, y) - grey(x - 1, y)) / 2, (grey(x, y + 1) - grey(x, y - 1)) / 2]
      const [length, angle] = [Math.hypot(gx, gy), Math.atan2(gy, gx)]
      for (let row = 0; row < 4; row++) {
        for (let column = 0; column < 4; column++) {
          const [mx, my] = [cx + (column - 1.5) * CELL, cy + (row - 1.5) * CELL]
          const near = Math.max(0, 1 - Math.abs(x + 0.5 - mx) / CELL) * Math.max(0, 1 - Math.abs(y + 0.5 - my) / CELL)
          const gauss = Math.exp(-((mx - cx) ** 2 + (my - cy) ** 2) / (2 * 8 ** 2))
          for (let k = 0; k < 8; k++) {
            let apart = Math.abs(angle - (k * Math.PI) / 4) % (2 * Math.PI)
            apart = Math.min(apart, 2 * Math.PI - apart)
            bins[(row * 4 + column) * 8 + k] += length * near * gauss * Math.max(0, 1 - apart / (Math.PI / 4))
          }
        }
      }
    }
  }
  const unit = (values: number[]): number[] => values.map((value) => value / (Math.hypot(...values) + 1e-6))
  return unit(unit(bins).map((value) => Math.min(value, 0.2)))
}

describe('dense SIFT', () => {
  it('equals a loop over the pixels of each window', () => {
    const normal = normalFrom(uniformFrom(6))
    const values = Float32Array.from({ length: SIDE * SIDE * 3 }, (_, i) => Math.sin(i / 40) + 0.4 * normal())
    const grey = (x: number, y: number): number =>
      x < 0 || y < 0 || x >= SIDE || y >= SIDE
        ? 0
        : [0, 1, 2].reduce((sum, b) => sum + values[(y * SIDE + x) * 3 + b], 0) / 3
    const found = denseSift(tf.tensor4d(values, [1, SIDE, SIDE, 3]))
    expect(found.shape).toEqual([1, 8, 8, 128])
    const all = found.dataSync()
    for (const [row, column] of [
      [0, 0],
      [2, 3],
      [4, 4],
      [7, 5]
    ]) {
      const expected = descriptorAt(grey, column * CELL + 2, row * CELL + 2)
      expected.forEach((value, k) => expect(Math.abs(all[(row * 8 + column) * 128 + k] - value)).toBeLessThan(2e-3))
    }
  })

  it('does not see the edge of missing data', () => {
    const valid = Float32Array.from({ length: 32 * 32 }, (_, i) => Number(i % 32 < 18))
    const image = tf.tensor4d(valid, [1, 32, 32, 1])
    const found = (mask?: tf.Tensor4D): number =>
      Math.max(...tf.slice(denseSift(image, mask), [0, 3, 3, 0], [1, 2, 2, 128]).dataSync())
    expect(found()).toBeGreaterThan(0.1)
    expect(found(image)).toBeLessThan(1e-3)
    expect(denseSift(image, tf.ones([1, 32, 32, 1])).dataSync()).toEqual(denseSift(image).dataSync())
  })

  it('is empty for a flat image', () => {
    expect(
      Math.max(...tf.slice(denseSift(tf.ones([1, 32, 32, 1])), [0, 3, 3, 0], [1, 2, 2, 128]).dataSync())
    ).toBeLessThan(1e-3)
  })
})
