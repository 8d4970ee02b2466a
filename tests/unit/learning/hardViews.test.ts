import { describe, expect, it } from 'vitest'
import {
  adefStep,
  adversarialDeformation,
  adversarialStep,
  deformed,
  normOf,
  wassersteinDeformation
} from '../../../src-main/learning/views/adef.ts'
import { moveBrightness, sinkhornAttack, wassersteinNoise } from '../../../src-main/learning/views/brightness.ts'
import { type CellPicture, cellsOf } from '../../../src-main/learning/views/cells.ts'
import { type Field, gaussianBlur } from '../../../src-main/learning/views/geometricSteps.ts'
import { CLASSES, countedAs, randomClassifier } from '../../../src-main/learning/views/randomClassifier.ts'
import {
  lambertOfExp,
  massOf,
  projectOntoBall,
  squaredWasserstein
} from '../../../src-main/learning/views/transport.ts'
import { recipeOf } from '../../../src-main/learning/presets.ts'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'
import { exactTransport } from '../../fixtures/exactTransport.ts'

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.sqrt(Array.from(a).reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0))
const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0)

/** Draws blobs of several sizes in each band: something to deform. */
function scenery(bands: number, side: number, seed: number): CellPicture {
  const uniform = uniformFrom(seed)
  const blobs = Array.from({ length: 12 * bands }, () => ({
    row: side * uniform(),
    column: side * uniform(),
    size: side * (0.03 + 0.1 * uniform()),
    height: uniform()
  }))
  const values = Float32Array.from({ length: bands * side * side }, (_, i) => {
    const [band, row, column] = [Math.floor(i / (side * side)), Math.floor(i / side) % side, i % side]
    const light = blobs
      .slice(12 * band, 12 * band + 12)
      .reduce(
        (total, blob) =>
          total + blob.height * Math.exp(-((row - blob.row) ** 2 + (column - blob.column) ** 2) / (2 * blob.size ** 2)),
        0.1
      )
    return Math.min(light, 1)
  })
  return { bands, side, values }
}

describe('the Wasserstein distance', () => {
  const gaussian = (side: number, row: number, column: number, deviation: number) =>
    massOf(
      Array.from({ length: side * side }, (_, i) =>
        Math.exp(-((Math.floor(i / side) - row) ** 2 + ((i % side) - column) ** 2) / (2 * deviation ** 2))
      )
    )!

  it.each([
    [0, 0, 2],
    [0.2, 0, 2],
    [0.5, 0.5, 2],
    [2, 1, 2],
    [3, 0, 2.5],
    [0, 0, 3]
  ])(
    'of normal distributions is that of their means and deviations: moved by %d, %d, deviation 2 → %d',
    (rows, columns, deviation) => {
      const [a, b] = [gaussian(32, 16, 16, 2), gaussian(32, 16 + rows, 16 + columns, deviation)]
      const exact = rows ** 2 + columns ** 2 + 2 * (deviation - 2) ** 2
      expect(Math.sqrt(squaredWasserstein(a, b, 32))).toBeCloseTo(Math.sqrt(exact), 2)
      expect(squaredWasserstein(b, a, 32)).toBeCloseTo(squaredWasserstein(a, b, 32), 6)
    }
  )

  it('of images far apart equals exact transport', () => {
    const [a, b] = [gaussian(7, 1.5, 1.5, 0.8), gaussian(7, 4.5, 4, 1)]
    expect(Math.sqrt(squaredWasserstein(a, b, 7)) / Math.sqrt(exactTransport(a, b, 7))).toBeCloseTo(1, 1)
  })

  it('of the oracle, exact transport, is known where all brightness moves by the same amount', () => {
    const at = (cell: number) => Float64Array.from({ length: 9 }, (_, i) => Number(i === cell))
    expect(exactTransport(at(0), at(8), 3)).toBeCloseTo(8, 10)
    expect(exactTransport([0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], 2)).toBeCloseTo(1, 10)
  })
})

describe('the projection onto a Wasserstein ball, eq. 7', () => {
  const uniform = uniformFrom(3)
  const side = 6
  const centre = massOf(Array.from({ length: side * side }, () => 0.2 + uniform()))!
  const target = massOf(centre.map((value) => value * (0.4 + 1.2 * uniform())))!

  it.each([0.03, 0.1, 0.2, 0.4])(
    'stays in the ball, by exact transport, and is nearer than any mixture in it: radius %d',
    (radius) => {
      const near = projectOntoBall(centre, target, side, radius)
      expect(sum(near)).toBeCloseTo(1, 9)
      expect(Math.min(...near)).toBeGreaterThanOrEqual(0)
      expect(Math.sqrt(exactTransport(centre, near, side))).toBeLessThanOrEqual(radius * (1 + 1e-9))
      const whole = exactTransport(centre, target, side)
      const mixed = Math.min(1, radius ** 2 / whole)
      const mixture = centre.map((value, i) => value + mixed * (target[i] - value))
      if (mixed < 1) expect(distance(near, target)).toBeLessThan(distance(mixture, target))
      else expect(distance(near, target)).toBeLessThan(0.1 * distance(centre, target))
    }
  )

  it('stays in the ball where the target is at the farthest corner or almost dark', () => {
    const corner = Float64Array.from({ length: side * side }, (_, i) => Number(i === 0))
    const other = Float64Array.from({ length: side * side }, (_, i) => Number(i === side * side - 1))
    for (const [from, to] of [
      [centre, other],
      [corner, other],
      [corner, centre]
    ]) {
      const near = projectOntoBall(from, to, side, 0.5)
      expect(near.every(Number.isFinite)).toBe(true)
      expect(Math.sqrt(exactTransport(from, near, side))).toBeLessThanOrEqual(0.5 * (1 + 1e-9))
    }
    expect(massOf(new Float32Array(4))).toBeUndefined()
  })

  it.each([-50, -1, 0, 1, 10, 700, 1e5])('uses Lambert’s W of e^y, W + log W = y: %d', (y) => {
    const w = lambertOfExp(y)
    expect(w + Math.log(w)).toBeCloseTo(y, 9)
  })
})

describe('a random classifier', () => {
  it('has the gradient of finite differences, for any number of bands', () => {
    const picture = scenery(4, 9, 1)
    const classifier = randomClassifier(4, 9, uniformFrom(2))
    const weights = Array.from({ length: CLASSES }, (_, c) => Math.sin(c))
    const value = (values: Float32Array): number =>
      classifier(values).scores.reduce((total, score, c) => total + weights[c] * score, 0)
    const gradient = classifier(picture.values).gradient(weights)
    for (const at of [0, 40, 100, 200, 323]) {
      const [up, down] = [picture.values.slice(), picture.values.slice()]
      up[at] += 0.01
      down[at] -= 0.01
      expect((value(up) - value(down)) / (up[at] - down[at])).toBeCloseTo(gradient[at], 4)
    }
  })
})

describe('an adversarial deformation', () => {
  const cases = [1, 2, 3, 4, 5, 6].map((seed) => ({
    seed,
    picture: scenery(3, 16, seed),
    classifier: randomClassifier(3, 16, uniformFrom(100 + seed))
  }))
  const turns = ({ picture, classifier }: (typeof cases)[number], field: Field): boolean =>
    countedAs(classifier(deformed(picture, field).values)) !== countedAs(classifier(picture.values))

  it.each(cases)('changes the class with a field as small as one found by search: image $seed', (one) => {
    const found = adversarialDeformation(one.classifier, one.picture, 40)
    expect(turns(one, found)).toBe(true)
    const uniform = uniformFrom(one.seed, 7)
    const normal = normalFrom(uniform)
    const smooth = (): Float32Array => gaussianBlur(Float32Array.from({ length: 256 }, normal), 16, 1 + 3 * uniform())
    const scaled = (field: Field, factor: number): Field => [
      field[0].map((value) => value * factor),
      field[1].map((value) => value * factor)
    ]
    /** Finds the smallest multiple that changes the class, by bisection. */
    const least = (field: Field): Field | undefined => {
      if (!turns(one, field)) return undefined
      let [low, high] = [0, 1]
      for (let i = 0; i < 12; i++) {
        const middle = (low + high) / 2
        if (turns(one, scaled(field, middle))) high = middle
        else low = middle
      }
      return scaled(field, high)
    }
    let best = least(found)!
    for (let i = 0; i < 150; i++) {
      const [a, b] = [smooth(), smooth()]
      const share = (0.5 * normOf(best) * uniform()) / normOf([a, b])
      const tried = least([
        best[0].map((value, k) => 1.1 * value + share * a[k]),
        best[1].map((value, k) => 1.1 * value + share * b[k])
      ])
      if (tried && normOf(tried) < normOf(best)) best = tried
    }
    for (let i = 0; i < 100; i++) {
      const field: Field = [smooth(), smooth()]
      const tried = least(scaled(field, (6 * normOf(found)) / normOf(field)))
      if (tried && normOf(tried) < normOf(best)) best = tried
    }
    expect(normOf(found)).toBeLessThan(1.35 * normOf(best))
  })

  it('leaves an image unchanged in which no movement has an effect', () => {
    const even = { bands: 1, side: 8, values: new Float32Array(64).fill(0.5) }
    const classifier = randomClassifier(1, 8, uniformFrom(1))
    expect(adefStep(classifier, even)).toBeUndefined()
    expect(normOf(adversarialDeformation(classifier, even, 5))).toBe(0)
  })

  it('has a reciprocal, in pixels of the crop', () => {
    const { values } = scenery(3, 80, 9)
    const views = { ...recipeOf({ preset: 'quick' }).views, adef: { steps: 20 } }
    const step = adversarialStep(views, values, 3, 80, uniformFrom(4))
    let longest = 0
    for (let i = 0; i < 100; i++) {
      const place = [(i % 10) * 8 - 36, Math.floor(i / 10) * 8 - 36] as const
      const there = step.toFirst(place)
      longest = Math.max(longest, Math.hypot(there[0] - place[0], there[1] - place[1]))
      const back = step.toSecond(there)
      if (back) expect(Math.hypot(back[0] - place[0], back[1] - place[1])).toBeLessThan(0.2)
    }
    expect(longest).toBeGreaterThan(0.05)
  })

  it('stays in the ball (Algorithm 1), goes on while large changes are unlikely, and stops if no step fits', () => {
    const [far, near] = [
      { epsilon: 0.3, eta: 0.05 },
      { epsilon: 0.3, eta: 100 }
    ]
    const mass = (picture: CellPicture) =>
      massOf(
        Float64Array.from(
          { length: 256 },
          (_, i) => picture.values[i] + picture.values[256 + i] + picture.values[512 + i]
        )
      )!
    const lengths = [far, near].map((ball) =>
      cases.map(({ seed, picture, classifier }) => {
        const field = wassersteinDeformation(classifier, picture, ball, 30, uniformFrom(seed))
        expect(Math.sqrt(squaredWasserstein(mass(picture), mass(deformed(picture, field)), 16))).toBeLessThanOrEqual(
          0.3
        )
        return normOf(field)
      })
    )
    expect(sum(lengths[0])).toBeGreaterThan(sum(lengths[1]))
    expect(
      normOf(
        wassersteinDeformation(cases[0].classifier, cases[0].picture, { epsilon: 1e-4, eta: 1 }, 30, uniformFrom(1))
      )
    ).toBe(0)
  })
})

describe('brightness moved within a ball', () => {
  const bandMass = ({ values, side }: CellPicture, band: number) =>
    massOf(values.subarray(band * side * side, (band + 1) * side * side))!

  it('changes more decisions against a random classifier than noise of the same size does', () => {
    const [epsilon, side] = [0.12, 6]
    let [attacked, noisy] = [0, 0]
    for (let seed = 1; seed <= 30; seed++) {
      const picture = scenery(2, side, seed)
      const classifier = randomClassifier(2, side, uniformFrom(50 + seed))
      const counted = countedAs(classifier(picture.values))
      const hard = sinkhornAttack(classifier, picture, epsilon, 10)
      for (const band of [0, 1])
        expect(
          Math.sqrt(exactTransport(bandMass(picture, band), bandMass({ ...picture, values: hard }, band), side))
        ).toBeLessThanOrEqual(epsilon * 1.0001)
      attacked += Number(countedAs(classifier(hard)) !== counted)
      noisy += Number(
        countedAs(classifier(wassersteinNoise(picture, { epsilon, eta: 100 }, uniformFrom(seed)))) !== counted
      )
    }
    expect(attacked).toBeGreaterThan(2 * noisy)
    expect(attacked).toBeGreaterThan(8)
  }, 60_000)

  it('stays in the ball at random, and nearer the less likely long moves are, eq. 6', () => {
    const picture = scenery(1, 6, 4)
    const moved = (eta: number): number[] =>
      Array.from({ length: 20 }, (_, seed) =>
        Math.sqrt(
          exactTransport(
            bandMass(picture, 0),
            bandMass({ ...picture, values: wassersteinNoise(picture, { epsilon: 0.2, eta }, uniformFrom(seed)) }, 0),
            6
          )
        )
      )
    const [near, far] = [moved(0.05), moved(100)]
    for (const length of [...near, ...far]) expect(length).toBeLessThanOrEqual(0.2001)
    expect(sum(near)).toBeLessThan(0.7 * sum(far))
  })

  it('changes a crop with any bands in place, keeps dark pixels dark, and does nothing unless asked', () => {
    const views = recipeOf({ preset: 'quick' }).views
    const { values } = scenery(5, 48, 2)
    values.fill(0, 0, 48 * 48)
    const before = values.slice()
    moveBrightness(views, values, 5, 48, uniformFrom(1))
    expect(values).toEqual(before)
    moveBrightness(
      { ...views, sinkhorn: { epsilon: 1, steps: 3 }, wasserstein: { epsilon: 1, eta: 4 } },
      values,
      5,
      48,
      uniformFrom(1)
    )
    expect(values.every((value) => Number.isFinite(value) && value >= 0)).toBe(true)
    expect(values.subarray(0, 48 * 48).every((value) => value === 0)).toBe(true)
    expect(distance(values, before)).toBeGreaterThan(0.1)
  })

  it('is sought on averaged cells where a crop is large', () => {
    const { side, values } = cellsOf(
      Float32Array.from({ length: 100 * 100 }, (_, i) => Math.floor(i / 100) / 100),
      1,
      100
    )
    expect(side).toBe(32)
    expect(sum(values) / values.length).toBeCloseTo(0.495, 1)
    for (let i = 32; i < values.length; i++) expect(values[i]).toBeGreaterThan(values[i - 32])
  })
})
