import { describe, expect, it } from 'vitest'
import { nearBoundary } from '../../../src-main/evaluation/boundary.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'

describe('pixels near a boundary', () => {
  it.each([1, 2, 5])('are those with another class within %d rows and columns, by exhaustive search', (reach) => {
    const uniform = uniformFrom(3)
    const [width, height] = [37, 29]
    const classes = Uint8Array.from({ length: width * height }, (_, i) => {
      const [x, y] = [i % width, Math.floor(i / width)]
      return x > 30 && y < 4 ? 255 : Number(Math.hypot(x - 15, y - 12) < 6) + 2 * Number(uniform() < 0.004)
    })
    const at = (x: number, y: number): number =>
      x < 0 || y < 0 || x >= width || y >= height ? 255 : classes[y * width + x]
    const isEdge = (x: number, y: number): boolean =>
      at(x, y) !== 255 &&
      [
        [1, 0],
        [-1, 0],
        [0, 1],
        [0, -1]
      ].some(([dx, dy]) => at(x + dx, y + dy) !== 255 && at(x + dx, y + dy) !== at(x, y))
    const found = nearBoundary(classes, width, reach, 255)
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let near = false
        for (let dy = 1 - reach; dy < reach; dy++)
          for (let dx = 1 - reach; dx < reach; dx++) near ||= isEdge(x + dx, y + dy)
        expect(found[y * width + x]).toBe(Number(near))
      }
    }
    expect(found).toContain(0)
  })
})
