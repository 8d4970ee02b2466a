import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { warpHeatmap } from '../../../src-main/learning/objective/warpHeatmap.ts'
import { recipeOf } from '../../../src-main/learning/presets.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'
import { changeColours, sampleColourChange } from '../../../src-main/learning/views/colour.ts'
import {
  type SquareSymmetry,
  interpolationMatrix,
  inverse,
  transformPlanar
} from '../../../src-main/learning/views/geometry.ts'
import {
  affineStep,
  composed,
  deformationStep,
  gaussianBlur,
  shiftStep,
  symmetryStep
} from '../../../src-main/learning/views/geometricSteps.ts'
import { geometryOf, sampleViewPair } from '../../../src-main/learning/views/pairs.ts'
import { addHsv, samplePhotometricChanges } from '../../../src-main/learning/views/photometric.ts'
import { resample, samplingOf, warpTables } from '../../../src-main/learning/views/warp.ts'

const bits = [false, true]
const SYMMETRIES: SquareSymmetry[] = bits.flatMap((transposed) =>
  bits.flatMap((flipRows) => bits.map((flipColumns) => ({ transposed, flipRows, flipColumns })))
)

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
    changeColours(
      sampleColourChange({ brightness: 0, contrast: 0, saturation: 0, hue: 0 }, 0.5, uniformFrom(1)),
      picture
    )
    picture.forEach((value, i) => expect(value).toBeCloseTo(before[i], 2))
  })

  it('leave grey grey when only hue and saturation change', () => {
    const picture = new Float32Array(3).fill(0.4)
    changeColours(
      sampleColourChange({ brightness: 0, contrast: 0, saturation: 0.4, hue: 0.3 }, 0.5, uniformFrom(2)),
      picture
    )
    picture.forEach((value) => expect(value).toBeCloseTo(0.4, 2))
  })

  it('never mix bands that are not visible colours', () => {
    const recipe = {
      ...recipeOf({ preset: 'quick' }).views,
      hsv: 0.15,
      jitter: { brightness: 1, contrast: 1, saturation: 1, hue: 0.5 },
      gain: 0,
      offset: 0
    }
    const picture = Float32Array.from({ length: 4 * 4 }, (_, i) => i / 16)
    const infrared = picture.slice(12)
    for (const change of samplePhotometricChanges(recipe, 4, true, 2, uniformFrom(1))) change(picture)
    expect(picture.slice(12)).toEqual(infrared)
    expect(picture.slice(0, 12)).not.toEqual(Float32Array.from({ length: 12 }, (_, i) => i / 16))
    expect(samplePhotometricChanges(recipe, 1, false, 2, uniformFrom(1))).toEqual([])
  })

  it('change other bands independently by gain and offset', () => {
    const recipe = { ...recipeOf({ preset: 'quick' }).views, gain: 0.5, offset: 0.2 }
    const picture = Float32Array.from({ length: 2 * 4 }, (_, i) => i / 8)
    const before = Float32Array.from(picture)
    for (const change of samplePhotometricChanges(recipe, 2, false, 2, uniformFrom(1))) change(picture)
    for (const band of [0, 4]) {
      const gain = (picture[band + 3] - picture[band]) / (before[band + 3] - before[band])
      const offset = picture[band] - gain * before[band]
      for (let i = band; i < band + 4; i++) expect(picture[i]).toBeCloseTo(gain * before[i] + offset, 5)
      expect(gain).toBeGreaterThanOrEqual(0.5)
      expect(gain).toBeLessThanOrEqual(1.5)
      expect(Math.abs(offset)).toBeLessThanOrEqual(0.2)
    }
  })

  it('of hue, saturation and value turn red into green by a third of a turn, and leave the hue of grey', () => {
    const picture = Float32Array.of(1, 0.5, 0, 0.5, 0, 0.5)
    addHsv(picture, [1 / 3, 0, 0])
    expect([...picture].map((value) => Math.round(value * 1e5) / 1e5)).toEqual([0, 0.5, 1, 0.5, 0, 0.5])
    addHsv(picture, [0, 0, 0.25])
    expect(picture[1]).toBeCloseTo(0.75, 5)
  })
})

describe('the steps of a view', () => {
  const views = recipeOf({ preset: 'quick' }).views
  const steps = {
    'quarter turn and flip': symmetryStep({ transposed: true, flipRows: true, flipColumns: false }),
    shift: shiftStep(41, -73),
    'turn, scale and shear': affineStep({ degrees: 30, scale: 0.2, shear: 0.2 }, uniformFrom(3)),
    'smooth deformation': deformationStep({ strength: 4, smoothness: 12 }, 64, uniformFrom(4)),
    'all of them': composed([
      symmetryStep({ transposed: true, flipRows: false, flipColumns: true }),
      affineStep({ degrees: 10, scale: 0.1, shear: 0.1 }, uniformFrom(5)),
      deformationStep({ strength: 3, smoothness: 10 }, 64, uniformFrom(6)),
      shiftStep(5, -3)
    ])
  }

  it.each(Object.entries(steps))('have a reciprocal that leads back to within 0.1 pixels: %s', (_, step) => {
    for (let r = -30; r <= 30; r += 4) {
      for (let c = -30; c <= 30; c += 4) {
        const back = step.toSecond(step.toFirst([r, c]))!
        expect(Math.hypot(back[0] - r, back[1] - c)).toBeLessThan(0.1)
      }
    }
  })

  it('shift by a length within the limits, in every direction', () => {
    const uniform = uniformFrom(10)
    const shifts = Array.from(
      { length: 400 },
      () => sampleViewPair({ ...views, shift: [40, 100] }, { bands: 3, coloured: true }, 160, uniform).shift
    )
    const lengths = shifts.map(({ rows, columns }) => Math.hypot(rows, columns))
    expect(Math.min(...lengths)).toBeGreaterThan(39)
    expect(Math.max(...lengths)).toBeLessThan(101)
    expect(
      new Set(shifts.map(({ rows, columns }) => `${Math.sign(rows)}${Math.sign(columns)}`)).size
    ).toBeGreaterThanOrEqual(4)
  })

  it('deform by the given root mean square length', () => {
    const step = deformationStep({ strength: 3, smoothness: 8 }, 64, uniformFrom(7))
    let squares = 0
    for (let r = 0; r < 64; r++)
      for (let c = 0; c < 64; c++)
        squares += ((at) => (at[0] - r + 31.5) ** 2 + (at[1] - c + 31.5) ** 2)(step.toFirst([r - 31.5, c - 31.5]))
    expect(Math.sqrt(squares / 64 ** 2)).toBeCloseTo(3, 3)
  })

  it('deform as smoothly as given: smoothed noise correlates by exp(−d²/4σ²) at a distance d', () => {
    const [side, smoothness] = [96, 8]
    let [products, squares] = [0, 0]
    for (let seed = 1; seed <= 12; seed++) {
      const step = deformationStep({ strength: 1, smoothness }, side, uniformFrom(seed))
      const movedDown = (r: number, c: number): number => step.toFirst([r, c])[0] - r
      for (let r = -40; r < 40; r += 2) {
        for (let c = -40; c < 32; c += 2) {
          products += movedDown(r, c) * movedDown(r, c + smoothness)
          squares += (movedDown(r, c) ** 2 + movedDown(r, c + smoothness) ** 2) / 2
        }
      }
    }
    expect(Math.abs(products / squares - Math.exp(-1 / 4))).toBeLessThan(0.05)
  })

  it('blur with the weighted mean over a square whose border continues', () => {
    const [side, deviation, reach] = [9, 1.3, 4]
    const plane = Float32Array.from({ length: side * side }, uniformFrom(11))
    const blurred = gaussianBlur(plane, side, deviation)
    const bounded = (i: number): number => Math.min(Math.max(i, 0), side - 1)
    for (let r = 0; r < side; r++) {
      for (let c = 0; c < side; c++) {
        let [sum, total] = [0, 0]
        for (let i = -reach; i <= reach; i++) {
          for (let j = -reach; j <= reach; j++) {
            const weight = Math.exp(-(i * i + j * j) / (2 * deviation ** 2))
            sum += weight * plane[bounded(r + i) * side + bounded(c + j)]
            total += weight
          }
        }
        expect(blurred[r * side + c]).toBeCloseTo(sum / total, 5)
      }
    }
  })

  it('report no reciprocal where a deformation folds the image over', () => {
    const step = deformationStep({ strength: 30, smoothness: 3 }, 64, uniformFrom(8))
    let unknown = 0
    for (let r = -30; r <= 30; r += 4)
      for (let c = -30; c <= 30; c += 4) unknown += step.toSecond([r, c]) === undefined ? 1 : 0
    expect(unknown).toBeGreaterThan(0)
  })

  it('carry the second view back onto the first wherever the warp is valid', () => {
    const [side, coarse] = [64, 16]
    const pair = sampleViewPair(
      {
        ...views,
        flips: { rows: true, columns: true },
        quarterTurns: true,
        affine: { degrees: 20, scale: 0.1, shear: 0 },
        deformation: { strength: 2, smoothness: 10 },
        jitter: { brightness: 0, contrast: 0, saturation: 0, hue: 0 }
      },
      { bands: 1, coloured: false },
      side,
      uniformFrom(9)
    )
    const step = geometryOf({ ...pair, shift: { rows: 6, columns: -9 } })
    const sampling = samplingOf(step, side)
    // A slanted plane, on which bilinear sampling is exact, so that a pixel's value identifies its position.
    const plane = (r: number, c: number): number => 2 * r - 3 * c
    const around = Float32Array.from({ length: sampling.height * sampling.width }, (_, i) =>
      plane(sampling.top + Math.floor(i / sampling.width), sampling.left + (i % sampling.width))
    )
    const second = resample(around, sampling, 1)
    const stride = side / coarse
    const heatmap = Float32Array.from({ length: coarse * coarse }, (_, i) => {
      const [r, c] = [Math.floor(i / coarse) * stride, (i % coarse) * stride]
      let sum = 0
      for (let dr = 0; dr < stride; dr++) for (let dc = 0; dc < stride; dc++) sum += second[(r + dr) * side + c + dc]
      return sum / stride ** 2
    })
    const { corners, cornerWeights, valid } = warpTables(step, side, coarse, 0)
    const found = warpHeatmap(
      tf.tensor4d(heatmap, [1, coarse, coarse, 1]),
      tf.tensor4d(corners, [1, coarse, coarse, 4]),
      tf.tensor4d(cornerWeights, [1, coarse, coarse, 4])
    ).dataSync()
    let inside = 0
    for (let r = 1; r < coarse - 1; r++) {
      for (let c = 1; c < coarse - 1; c++) {
        if (!valid[r * coarse + c]) continue
        inside++
        const expected = plane((r + 0.5) * stride - 0.5, (c + 0.5) * stride - 0.5)
        // Coarse pixels at the border repeat it: up to half a coarse pixel in each direction.
        expect(Math.abs(found[r * coarse + c] - expected)).toBeLessThan(5 * (stride / 2) + 1)
      }
    }
    expect(inside).toBeGreaterThan(60)
    expect(valid.reduce((a, b) => a + b)).toBeLessThan(coarse * coarse)
  })
})
