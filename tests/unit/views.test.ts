import { describe, expect, it } from 'vitest'
import { uniformFrom } from '../../src-main/learning/random.ts'
import { changeColours, sampleColourChange } from '../../src-main/learning/views/colour.ts'
import { type SquareSymmetry, interpolationMatrix, inverse, transformPlanar } from '../../src-main/learning/views/geometry.ts'
import { sampleViewPair } from '../../src-main/learning/views/pairs.ts'

const bits = [false, true]
const SYMMETRIES: SquareSymmetry[] = bits.flatMap((transposed) => bits.flatMap((flipRows) => bits.map((flipColumns) => ({ transposed, flipRows, flipColumns }))))

describe('symmetries of the square', () => {
  it.each(SYMMETRIES)('are undone by their reciprocal, g* ∘ g = 1: %o', (g) => {
    const picture = Float32Array.from({ length: 2 * 5 * 5 }, (_, i) => i)
    const there = new Float32Array(picture.length)
    const back = new Float32Array(picture.length)
    transformPlanar(g, picture, 2, 5, there)
    transformPlanar(inverse(g), there, 2, 5, back)
    expect(back).toEqual(picture)
  })

  it('are eight different ones', () => {
    const picture = Float32Array.from({ length: 9 }, (_, i) => i)
    const results = SYMMETRIES.map((g) => {
      const turned = new Float32Array(9)
      transformPlanar(g, picture, 1, 3, turned)
      return turned.join()
    })
    expect(new Set(results).size).toBe(8)
  })
})

describe('interpolation', () => {
  it('is linear between half-pixel centres and keeps constants', () => {
    const matrix = interpolationMatrix(8, 2)
    const rows = Array.from({ length: 8 }, (_, i) => [...matrix.slice(2 * i, 2 * i + 2)])
    for (const row of rows) expect(row[0] + row[1]).toBeCloseTo(1, 6)
    expect(rows.map((row) => row[1])).toEqual([0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1])
  })
})

describe('colour changes', () => {
  it('of strength zero change nothing', () => {
    const picture = Float32Array.from({ length: 12 }, (_, i) => i / 12)
    const before = Float32Array.from(picture)
    changeColours(sampleColourChange({ brightness: 0, contrast: 0, saturation: 0, hue: 0 }, 0.5, uniformFrom(1)), picture)
    picture.forEach((value, i) => expect(value).toBeCloseTo(before[i], 2))
  })

  it('leave grey grey when only hue and saturation change', () => {
    const picture = new Float32Array(3).fill(0.4)
    changeColours(sampleColourChange({ brightness: 0, contrast: 0, saturation: 0.4, hue: 0.3 }, 0.5, uniformFrom(2)), picture)
    picture.forEach((value) => expect(value).toBeCloseTo(0.4, 2))
  })

  it('are left out where the bands are no visible colours', () => {
    const recipe = { flips: { rows: true, columns: true }, quarterTurns: true, shift: 8, jitter: { brightness: 1, contrast: 1, saturation: 1, hue: 1 } }
    expect(sampleViewPair(recipe, 4, uniformFrom(1)).colour).toBeUndefined()
    expect(sampleViewPair(recipe, 1, uniformFrom(1)).colour).toBeUndefined()
  })
})
