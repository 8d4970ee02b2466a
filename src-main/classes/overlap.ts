/** Counts how often each pair of labels of two rasters occurs at the same pixel, [256 × 256]. */
export function countPairs(mine: Uint8Array, theirs: Uint8Array, into = new Float64Array(256 * 256)): Float64Array {
  mine.forEach((label, i) => into[256 * label + theirs[i]]++)
  return into
}

/**
 * Matches the classes of two runs by overlap: pairs with most pixels in common first, each class once.
 *
 * @param counts  counts of label pairs, see `countPairs`
 * @param here    class of each of my labels, 255 for none
 * @param there   class of each of their labels, 255 for none
 */
export function matchedClasses(
  counts: Float64Array,
  here: Uint8Array,
  there: Uint8Array
): { mine: number; theirs: number; pixels: number }[] {
  const common = new Float64Array(256 * 256)
  counts.forEach((count, pair) => (common[256 * here[pair >> 8] + there[pair & 255]] += count))
  const pairs = [...common.keys()]
    .filter((pair) => common[pair] > 0 && pair >> 8 !== 255 && (pair & 255) !== 255)
    .sort((a, b) => common[b] - common[a] || a - b)
  const [usedMine, usedTheirs] = [new Set<number>(), new Set<number>()]
  return pairs.flatMap((pair) => {
    const [mine, theirs] = [pair >> 8, pair & 255]
    if (usedMine.has(mine) || usedTheirs.has(theirs)) return []
    usedMine.add(mine)
    usedTheirs.add(theirs)
    return [{ mine, theirs, pixels: common[pair] }]
  })
}

/**
 * Returns for each of my clusters the class with which it shares most pixels; undefined where it shares none.
 * @param there  class of each of their labels, 255 for none
 */
export function classesByOverlap(counts: Float64Array, clusters: number, there: Uint8Array): (number | undefined)[] {
  return Array.from({ length: clusters }, (_, cluster) => {
    const shared = new Float64Array(256)
    for (let label = 0; label < 256; label++)
      if (there[label] !== 255) shared[there[label]] += counts[256 * cluster + label]
    const most = shared.indexOf(Math.max(...shared))
    return shared[most] > 0 ? most : undefined
  })
}
