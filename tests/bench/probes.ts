import { type Points, columnMoments, standardised } from '../../src-main/learning/kMeans.ts'

const FOLDS = 5
/** Weight of the penalty per point. */
const RIDGE = 1e-2
const NEIGHBOURS = 10

/** Accuracy of a classifier of frozen features: each fifth of the points is predicted from the other four. */
function crossValidated(
  { count }: Points,
  labels: readonly number[],
  tell: (train: number[], test: number[]) => number[]
): number {
  let right = 0
  for (let fold = 0; fold < FOLDS; fold++) {
    const [test, train] = [[], []] as [number[], number[]]
    for (let i = 0; i < count; i++) (i % FOLDS === fold ? test : train).push(i)
    tell(train, test).forEach((found, i) => (right += Number(found === labels[test[i]])))
  }
  return right / count
}

/** Fits one linear function per class, by ridge regression on ±1. */
export function linearProbe(features: Points, labels: readonly number[]): number {
  const points = standardised(features, columnMoments(features))
  const classes = Math.max(...labels) + 1
  const width = points.width + 1
  const row = (i: number, d: number): number => (d === points.width ? 1 : points.values[i * points.width + d])
  return crossValidated(points, labels, (train, test) => {
    const [gram, moments] = [new Float64Array(width * width), new Float64Array(width * classes)]
    for (const i of train) {
      const values = Float64Array.from({ length: width }, (_, d) => row(i, d))
      for (let a = 0; a < width; a++) {
        for (let b = 0; b < width; b++) gram[a * width + b] += values[a] * values[b]
        for (let k = 0; k < classes; k++) moments[a * classes + k] += values[a] * (labels[i] === k ? 1 : -1)
      }
    }
    for (let a = 0; a < width; a++) gram[a * width + a] += RIDGE * train.length
    const weights = solved(gram, moments, width, classes)
    return test.map((i) => {
      const scores = Array.from({ length: classes }, (_, k) =>
        weights.reduce(
          (sum, _w, at) => (at % classes === k ? sum + weights[at] * row(i, Math.floor(at / classes)) : sum),
          0
        )
      )
      return scores.indexOf(Math.max(...scores))
    })
  })
}

/** Solves by Cholesky decomposition; `gram` is symmetric and positive. */
function solved(gram: Float64Array, moments: Float64Array, width: number, classes: number): Float64Array {
  const lower = Float64Array.from(gram)
  for (let j = 0; j < width; j++) {
    for (let k = 0; k < j; k++)
      for (let i = j; i < width; i++) lower[i * width + j] -= lower[i * width + k] * lower[j * width + k]
    const root = Math.sqrt(lower[j * width + j])
    for (let i = j; i < width; i++) lower[i * width + j] /= root
  }
  const x = Float64Array.from(moments)
  for (let k = 0; k < classes; k++) {
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < i; j++) x[i * classes + k] -= lower[i * width + j] * x[j * classes + k]
      x[i * classes + k] /= lower[i * width + i]
    }
    for (let i = width - 1; i >= 0; i--) {
      for (let j = i + 1; j < width; j++) x[i * classes + k] -= lower[j * width + i] * x[j * classes + k]
      x[i * classes + k] /= lower[i * width + i]
    }
  }
  return x
}

/** Predicts the most frequent class of the nearest points by cosine. */
export function neighbourProbe(features: Points, labels: readonly number[]): number {
  const { values, width } = standardised(features, columnMoments(features))
  const lengths = Array.from(
    { length: features.count },
    (_, i) => Math.hypot(...values.subarray(i * width, (i + 1) * width)) || 1
  )
  const cosine = (a: number, b: number): number => {
    let sum = 0
    for (let d = 0; d < width; d++) sum += values[a * width + d] * values[b * width + d]
    return sum / (lengths[a] * lengths[b])
  }
  return crossValidated(features, labels, (train, test) =>
    test.map((i) => {
      const nearest = train
        .map((j) => ({ j, near: cosine(i, j) }))
        .sort((a, b) => b.near - a.near)
        .slice(0, NEIGHBOURS)
      const votes = new Map<number, number>()
      for (const { j } of nearest) votes.set(labels[j], (votes.get(labels[j]) ?? 0) + 1)
      return [...votes].sort((a, b) => b[1] - a[1])[0][0]
    })
  )
}
