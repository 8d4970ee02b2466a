import { describe, expect, it } from 'vitest'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'
import { ROW_BINS, rowEffect } from '../../../src-main/learning/rowEffect.ts'

/** Draws the means of two features in the bins of some images: noise, a level per image, and a slope over the rows. */
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
  it('is the variance explained by rows, whatever the level of each image', () => {
    // For the first feature slope² times (1 − 1/64) because of the bins; for the second nothing.
    for (const slope of [0.3, 0.6])
      expect(rowEffect(images(400, slope, 3))).toBeCloseTo((slope ** 2 * (1 - 1 / ROW_BINS ** 2)) / 2, 2)
  })

  it('is close to zero where rows explain nothing, even for few images', () => {
    const found = Array.from({ length: 200 }, (_, seed) => rowEffect(images(12, 0, seed + 1)))
    expect(found.reduce((a, b) => a + b) / found.length).toBeLessThan(0.002)
  })
})
