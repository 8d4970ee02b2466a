import { bestAssignment } from './assignment.ts'

/** Pixel counts, `confusion[cluster][class]`. */
export type Confusion = number[][]
export type Mapping = 'many-to-one' | 'hungarian'

export interface Scores {
  /** Share of scored pixels whose cluster is mapped to their class. */
  accuracy: number
  /** Share of the largest class: the accuracy of giving that class to every pixel. */
  majority: number
  /** Normalised mutual information: the mutual information over the mean of the two entropies. */
  nmi: number
  /** Adjusted Rand index (Hubert and Arabie 1985). */
  ari: number
  /** Mean intersection over union of the true classes, after mapping. */
  miou: number
  /** Class of each cluster; −1 for none. */
  mapping: number[]
  pixels: number
}

export function emptyConfusion(clusters: number, classes: number): Confusion {
  return Array.from({ length: clusters }, () => Array<number>(classes).fill(0))
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const columnsOf = (confusion: Confusion): number[] => confusion[0].map((_, k) => sum(confusion.map((row) => row[k])))

/** Scores a confusion matrix, with clusters mapped to classes as `how` says. */
export function score(confusion: Confusion, how: Mapping): Scores {
  const clusterSizes = confusion.map(sum)
  const classSizes = columnsOf(confusion)
  const pixels = sum(classSizes)
  const mapping =
    how === 'hungarian'
      ? bestAssignment(confusion)
      : confusion.map((row, c) => (clusterSizes[c] ? row.indexOf(Math.max(...row)) : -1))
  const hits = mapping.map((k, c) => (k < 0 ? 0 : confusion[c][k]))
  return {
    accuracy: sum(hits) / pixels,
    majority: Math.max(...classSizes) / pixels,
    nmi: normalisedInformation(confusion, clusterSizes, classSizes, pixels),
    ari: adjustedRand(confusion, clusterSizes, classSizes, pixels),
    miou: meanIntersectionOverUnion(confusion, mapping, clusterSizes, classSizes),
    mapping,
    pixels
  }
}

function normalisedInformation(
  confusion: Confusion,
  clusterSizes: number[],
  classSizes: number[],
  pixels: number
): number {
  const entropy = (sizes: number[]): number =>
    -sum(sizes.map((size) => (size ? (size / pixels) * Math.log(size / pixels) : 0)))
  const [ofClusters, ofClasses] = [entropy(clusterSizes), entropy(classSizes)]
  const joint = entropy(confusion.flat())
  const mean = (ofClusters + ofClasses) / 2
  return mean === 0 ? 1 : (ofClusters + ofClasses - joint) / mean
}

function adjustedRand(confusion: Confusion, clusterSizes: number[], classSizes: number[], pixels: number): number {
  const pairs = (n: number): number => (n * (n - 1)) / 2
  const together = sum(confusion.flat().map(pairs))
  const [inClusters, inClasses] = [sum(clusterSizes.map(pairs)), sum(classSizes.map(pairs))]
  const expected = (inClusters * inClasses) / pairs(pixels)
  const most = (inClusters + inClasses) / 2
  return most === expected ? 1 : (together - expected) / (most - expected)
}

function meanIntersectionOverUnion(
  confusion: Confusion,
  mapping: number[],
  clusterSizes: number[],
  classSizes: number[]
): number {
  const present = classSizes.flatMap((size, k) => (size ? [k] : []))
  const ratios = present.map((k) => {
    const members = mapping.flatMap((mapped, c) => (mapped === k ? [c] : []))
    const intersection = sum(members.map((c) => confusion[c][k]))
    return intersection / (classSizes[k] + sum(members.map((c) => clusterSizes[c])) - intersection)
  })
  return sum(ratios) / present.length
}
