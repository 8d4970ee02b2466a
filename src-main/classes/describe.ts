import type { HeadDescription, Scheme, SchemeClass } from '../contract/classes.ts'
import type { Moved } from './corrections.ts'
import { clustersOf } from './scheme.ts'

type Cluster = HeadDescription['clusters'][number]

/** A class with a description of all its clusters. */
export interface DescribedClass extends SchemeClass {
  clusters: number[]
  pixels: number
  /** Area on the ground, where it is known for all clusters. */
  squareMetres?: number
  /** Mean probability of its pixels' clusters, 0…1. */
  confidence?: number
  /** Mean band values. */
  bands: number[]
  /** Places of high confidence, taken from each cluster in turn. */
  patches: Cluster['patches']
  /** Bordering classes with their share of its border, longest first. */
  beside: { id: number; share: number }[]
}

/**
 * Describes the classes of a scheme. Without a description of the head, counts are 0.
 * @param moved  pixels that corrections add to or take from clusters
 */
export function describedClasses(
  scheme: Scheme,
  description: HeadDescription | undefined,
  moved: readonly Moved[] = []
): DescribedClass[] {
  const borders = description && bordersOf(scheme, description)
  const corrected = description && withMoved(description.clusters, scheme.of.length, moved)
  return scheme.classes.map((entry, place) => {
    const clusters = clustersOf(scheme, entry.id)
    const of = corrected ? clusters.map((cluster) => corrected[cluster]) : []
    const found = description ? clusters.flatMap((cluster) => description.clusters.slice(cluster, cluster + 1)) : []
    const foundPixels = found.reduce((sum, cluster) => sum + cluster.pixels, 0)
    const pixels = of.reduce((sum, cluster) => sum + cluster.pixels, 0)
    const mean = (value: (cluster: Cluster) => number | undefined): number =>
      found.reduce((sum, cluster) => sum + cluster.pixels * (value(cluster) ?? 0), 0) / foundPixels
    const border = borders?.[place] ?? []
    const length = border.reduce((sum, part) => sum + part, 0)
    return {
      ...entry,
      clusters,
      pixels,
      squareMetres:
        of.length > 0 && of.every(({ squareMetres }) => squareMetres !== undefined)
          ? of.reduce((sum, { squareMetres }) => sum + squareMetres!, 0)
          : undefined,
      confidence: foundPixels > 0 ? mean(({ confidence }) => confidence) : undefined,
      bands: foundPixels > 0 ? found[0].bands.map((_, b) => mean(({ bands }) => bands[b])) : [],
      patches: inTurn(found.map(({ patches }) => patches)),
      beside: border
        .map((part, other) => ({ id: scheme.classes[other].id, share: length > 0 ? part / length : 0 }))
        .filter(({ share }) => share > 0)
        .sort((a, b) => b.share - a.share)
    }
  })
}

/** Returns the sizes of clusters after corrections, including clusters that were added by hand. */
function withMoved(
  clusters: readonly Cluster[],
  count: number,
  moved: readonly Moved[]
): Pick<Cluster, 'pixels' | 'squareMetres'>[] {
  const placed = clusters.every(({ squareMetres }) => squareMetres !== undefined)
  const total = clusters.reduce((sum, { pixels }) => sum + pixels, 0)
  const meanArea =
    placed && total > 0 ? clusters.reduce((sum, { squareMetres }) => sum + squareMetres!, 0) / total : undefined
  const corrected = Array.from({ length: count }, (_, cluster) => ({
    pixels: clusters[cluster]?.pixels ?? 0,
    squareMetres: placed ? (clusters[cluster]?.squareMetres ?? 0) : undefined
  }))
  for (const { cluster, pixels, squareMetres = meanArea === undefined ? undefined : pixels * meanArea } of moved) {
    const entry = corrected[cluster]
    if (!entry) continue
    entry.pixels += pixels
    if (entry.squareMetres !== undefined) entry.squareMetres += squareMetres ?? 0
  }
  return corrected
}

/** Lengths of the borders between classes, by position in the scheme. */
function bordersOf({ classes, of }: Scheme, { clusters: { length: count }, neighbours }: HeadDescription): number[][] {
  const place = new Map(classes.map(({ id }, i) => [id, i]))
  const lengths = classes.map(() => Array<number>(classes.length).fill(0))
  of.forEach((first, a) =>
    of.forEach(
      (second, b) =>
        void (
          first !== second &&
          a < count &&
          b < count &&
          (lengths[place.get(first)!][place.get(second)!] += neighbours[a * count + b])
        )
    )
  )
  return lengths
}

/** Interleaves lists: the first of each, then the second of each. */
function inTurn<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1))).flat()
}
