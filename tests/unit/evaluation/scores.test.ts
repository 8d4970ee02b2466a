import { describe, expect, it } from 'vitest'
import { bestAssignment } from '../../../src-main/evaluation/assignment.ts'
import { score } from '../../../src-main/evaluation/scores.ts'
import { integerBelow, uniformFrom } from '../../../src-main/learning/random.ts'

/**
 * Rows are clusters, columns classes. The values are from scikit-learn 1.9.1 and SciPy's linear_sum_assignment on the
 * same table.
 */
const TABLE = [
  [30, 2, 1, 0],
  [4, 0, 25, 3],
  [0, 18, 2, 1],
  [7, 7, 0, 40],
  [1, 0, 9, 0]
]

const SKLEARN = {
  manyToOne: 0.8133333333333334,
  manyToOneJaccard: 0.6779693486590038,
  hungarian: 0.7533333333333333,
  hungarianJaccard: 0.6311259143155695,
  nmi: 0.5488705032674247,
  ari: 0.5149277865892848
}

describe('the scores of a confusion matrix', () => {
  it('agree with scikit-learn for many-to-one', () => {
    const found = score(TABLE, 'many-to-one')
    expect(found.mapping).toEqual([0, 2, 1, 3, 2])
    expect(found.accuracy).toBeCloseTo(SKLEARN.manyToOne, 12)
    expect(found.miou).toBeCloseTo(SKLEARN.manyToOneJaccard, 12)
    expect(found.nmi).toBeCloseTo(SKLEARN.nmi, 12)
    expect(found.ari).toBeCloseTo(SKLEARN.ari, 12)
    expect(found.majority).toBeCloseTo(TABLE.reduce((sum, row) => sum + row[3], 0) / 150, 12)
  })

  it('agree with SciPy for one-to-one', () => {
    const found = score(TABLE, 'hungarian')
    expect(found.mapping).toEqual([0, 2, 1, 3, -1])
    expect(found.accuracy).toBeCloseTo(SKLEARN.hungarian, 12)
    expect(found.miou).toBeCloseTo(SKLEARN.hungarianJaccard, 12)
  })

  it('are perfect for a permutation and at chance level for one cluster', () => {
    expect(
      score(
        [
          [0, 5],
          [7, 0]
        ],
        'hungarian'
      )
    ).toMatchObject({ accuracy: 1, nmi: 1, ari: 1, miou: 1 })
    expect(score([[5, 7]], 'many-to-one')).toMatchObject({ accuracy: 7 / 12, nmi: 0, ari: 0 })
  })
})

describe('the best assignment', () => {
  const permutations = (items: number[]): number[][] =>
    items.length <= 1
      ? [items]
      : items.flatMap((item, i) => permutations(items.filter((_, j) => j !== i)).map((rest) => [item, ...rest]))

  it('is as good as the best of all permutations', () => {
    const uniform = uniformFrom(3)
    for (let trial = 0; trial < 40; trial++) {
      const size = 2 + integerBelow(5, uniform)
      const gain = Array.from({ length: size }, () => Array.from({ length: size }, () => integerBelow(50, uniform)))
      const total = (columns: number[]): number => columns.reduce((sum, column, row) => sum + gain[row][column], 0)
      const best = Math.max(...permutations([...Array(size).keys()]).map(total))
      expect(total(bestAssignment(gain))).toBe(best)
    }
  })

  it('leaves clusters unassigned where there are fewer classes', () => {
    expect(bestAssignment([[1], [9], [3]])).toEqual([-1, 0, -1])
  })
})
