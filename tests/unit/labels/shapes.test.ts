import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { boundsOf, connected, drawn } from '../../../src-main/labels/shapes.ts'
import { labelsOf } from '../../fixtures/labels.ts'
import { CLUSTERS, HEIGHT, WIDTH, filledSlowly, found, inside, shapes } from '../../fixtures/shapes.ts'

const { signal } = new AbortController()

describe('shapes', () => {
  it('contain the pixels whose centres are inside them, in any window', () => {
    fc.assert(
      fc.property(
        shapes.filter(({ kind }) => kind !== 'fill'),
        fc.nat(500),
        fc.nat(400),
        (shape, left, top) => {
          if (shape.kind === 'fill') return
          const window = { left, top, width: 90, height: 70 }
          const mask = drawn(shape, window)
          const bounds = boundsOf(shape, { width: WIDTH, height: HEIGHT })
          for (let i = 0; i < mask.length; i++) {
            const [x, y] = [left + (i % 90), top + Math.floor(i / 90)]
            if (x >= WIDTH || y >= HEIGHT) continue
            const expected = inside(shape, x, y)
            const within =
              bounds !== undefined &&
              x >= bounds.left &&
              y >= bounds.top &&
              x < bounds.left + bounds.width &&
              y < bounds.top + bounds.height
            if ((mask[i] === 1) !== expected || (expected && !within)) throw new Error(`pixel ${x}, ${y}: ${mask[i]}`)
          }
        }
      ),
      { numRuns: 60 }
    )
  })

  it('fill the connected area of one class across tiles', async () => {
    const table = Uint8Array.from({ length: 256 }, (_, label) => (label < CLUSTERS ? Math.floor(label / 2) : 255))
    const classes = found.map((label) => table[label])
    for (const at of [
      [10, 10],
      [350.5, 300.2],
      [579, 529]
    ] as const) {
      const expected = filledSlowly(classes, WIDTH, at)
      const masks = await connected(labelsOf(found, WIDTH), at, table, 128, signal)
      let count = 0
      for (const [key, mask] of masks) {
        const [column, row] = key.split(' ').map(Number)
        mask.forEach((value, i) => {
          if (value === 0) return
          count++
          expect(expected.has((row * 128 + Math.floor(i / 128)) * WIDTH + column * 128 + (i % 128))).toBe(true)
        })
      }
      expect(count).toBe(expected.size)
    }
    expect(await connected(labelsOf(new Uint8Array(100).fill(255), 10), [3, 3], table, 128, signal)).toEqual(new Map())
    await expect(connected(labelsOf(new Uint8Array(400), 20), [3, 3], table, 1, signal)).rejects.toThrow('larger than')
  })
})
