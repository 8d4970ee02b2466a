import { describe, expect, it } from 'vitest'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'
import { ROW_BINS, rowEffect } from '../../../src-main/learning/rowEffect.ts'

/** Means of two features in the bins of some images: noise, a level of each image's own, and as much of the row as is asked for. */
function images(count: number, slope: number, seed: number): number[][][] {
  const normal = normalFrom(uniformFrom(seed))
  return Array.from({ length: count }, () => {
    const level = normal()
    return Array.from({ length: ROW_BINS }, (_, bin) => [
      level + slope * ((2 * (bin + 0.5)) / ROW_BINS - 1) * Math.sqrt(3) + 0.3 * normal(),
      level + 0.3 * normal()
    ])
  })
}

describe('the effect of the row', () => {
  it('is the variance that rows explain, whatever the level of each image', () => {
    // Of the first feature slope², of uniform bins (1 − 1/64) of it; of the second nothing.
    for (const slope of [0.3, 0.6])
      expect(rowEffect(images(400, slope, 3))).toBeCloseTo((slope ** 2 * (1 - 1 / ROW_BINS ** 2)) / 2, 2)
  })

  it('is hardly above nothing where rows explain nothing, even in few images', () => {
    const found = Array.from({ length: 200 }, (_, seed) => rowEffect(images(12, 0, seed + 1)))
    expect(found.reduce((a, b) => a + b) / found.length).toBeLessThan(0.002)
  })
})
