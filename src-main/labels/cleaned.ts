import { SmaltiError } from '../contract/errors.ts'
import { NO_LABEL, type CleanUp, type PatchSize } from '../contract/labels.ts'
import type { GroundAreas } from '../imagery/crs/groundArea.ts'
import type { Size, Window } from '../imagery/raster.ts'
import type { LabelSource } from './source.ts'

/**
 * Applies the majority filter and then the sieve to labels. Each window is computed when it is read; the result doesn't
 * depend on how the image is divided into windows.
 * @param ground  areas of the pixels, for sizes in square metres
 * @throws InvalidSetting when a size is given in square metres but the image's place is unknown
 */
export function cleaned(source: LabelSource, { majority, sieve }: CleanUp, ground?: GroundAreas): LabelSource {
  const smoothed = majority === undefined ? source : filtered(source, majority)
  return sieve === undefined ? smoothed : sieved(smoothed, measureOf(sieve, ground))
}

/** The least size of a patch that stays, and the amount that a pixel adds to it. */
interface PatchMeasure {
  least: number
  pixel?: GroundAreas['at']
}

function measureOf({ value, unit }: PatchSize, ground: GroundAreas | undefined): PatchMeasure {
  if (unit === 'px') return { least: Math.ceil(value) }
  if (!ground)
    throw new SmaltiError('InvalidSetting', {
      setting: 'sieve',
      reason: 'square metres need georeferenced images. Give a size in pixels, such as 200px'
    })
  // A patch of exactly this size stays, however its sum is rounded.
  return { least: value * (1 - 1e-9), pixel: (column, row) => ground.at(column, row) }
}

function grown(window: Window, by: number, { width, height }: Size): Window {
  const [left, top] = [Math.max(0, window.left - by), Math.max(0, window.top - by)]
  return {
    left,
    top,
    width: Math.min(width, window.left + window.width + by) - left,
    height: Math.min(height, window.top + window.height + by) - top
  }
}

function cut(values: Uint8Array, from: Window, window: Window): Uint8Array {
  const part = new Uint8Array(window.width * window.height)
  for (let r = 0; r < window.height; r++) {
    const start = (window.top - from.top + r) * from.width + window.left - from.left
    part.set(values.subarray(start, start + window.width), r * window.width)
  }
  return part
}

/** Gives each pixel the most frequent label in the square around it, and keeps its own label in a tie. */
function filtered(source: LabelSource, radius: number): LabelSource {
  return {
    ...source,
    async read(window, signal) {
      const wide = grown(window, radius, source)
      return majorityOf(await source.read(wide, signal), wide, window, radius)
    }
  }
}

function majorityOf(values: Uint8Array, wide: Window, window: Window, radius: number): Uint8Array {
  const present = [...new Set(values)].filter((value) => value !== NO_LABEL).sort((a, b) => a - b)
  const result = new Uint8Array(window.width * window.height)
  const counts = new Int32Array(256)
  for (let r = 0; r < window.height; r++) {
    const y = window.top + r - wide.top
    const [top, bottom] = [Math.max(0, y - radius), Math.min(wide.height - 1, y + radius)]
    const addColumn = (x: number, by: number): void => {
      if (x < 0 || x >= wide.width) return
      for (let i = top * wide.width + x; i <= bottom * wide.width + x; i += wide.width) counts[values[i]] += by
    }
    counts.fill(0)
    const start = window.left - wide.left
    for (let x = start - radius; x < start + radius; x++) addColumn(x, 1)
    for (let c = 0; c < window.width; c++) {
      addColumn(start + c + radius, 1)
      const own = values[y * wide.width + start + c]
      let best = own
      if (own !== NO_LABEL) for (const label of present) if (counts[label] > counts[best]) best = label
      result[r * window.width + c] = best
      addColumn(start + c - radius, -1)
    }
  }
  return result
}

/** Distance beyond a window that is examined first, and the largest, in pixels. */
const FIRST_REACH = 64
const FARTHEST_REACH = 4096
/** Most rounds in which small patches join neighbours that have themselves been joined. */
const ROUNDS = 16

/**
 * Joins patches (8-connected) smaller than `least` to the neighbour with the longest shared border. The examined area
 * around a window grows until nothing unseen can change the result inside.
 */
function sieved(source: LabelSource, measure: PatchMeasure): LabelSource {
  return {
    ...source,
    async read(window, signal) {
      for (let reach = FIRST_REACH; ; reach *= 2) {
        const wide = grown(window, reach, source)
        const values = await source.read(wide, signal)
        const whole = wide.width === source.width && wide.height === source.height
        if (sieveWindow(values, wide, window, source, measure) || whole || reach >= FARTHEST_REACH)
          return cut(values, wide, window)
      }
    }
  }
}

interface Patches {
  /** The patch number of each pixel. */
  of: Int32Array
  sizes: number[]
  labels: number[]
  /** Whether a patch touches the edge of the examined area. */
  open: boolean[]
}

/** Joins the small patches of a window, in place. @returns whether the result in the inner window is certain */
function sieveWindow(
  values: Uint8Array,
  wide: Window,
  inner: Window,
  { width, height }: Size,
  { least, pixel }: PatchMeasure
): boolean {
  const patches = patchesOf(values, wide, { width, height }, pixel)
  const { of, sizes, labels, open } = patches
  // A patch off the earth has no area and doesn't count as small.
  const isSmall = (patch: number): boolean => sizes[patch] > 0 && sizes[patch] < least && labels[patch] !== NO_LABEL
  const borders = new Map<number, Map<number, number>>()
  const meet = (a: number, b: number): void => {
    if (a === b || !isSmall(a) || labels[b] === NO_LABEL) return
    const lengths = borders.get(a) ?? new Map<number, number>()
    borders.set(a, lengths)
    lengths.set(b, (lengths.get(b) ?? 0) + 1)
  }
  for (let r = 0; r < wide.height; r++) {
    for (let c = 0, i = r * wide.width; c < wide.width; c++, i++) {
      if (c + 1 < wide.width && of[i] !== of[i + 1]) {
        meet(of[i], of[i + 1])
        meet(of[i + 1], of[i])
      }
      if (r + 1 < wide.height && of[i] !== of[i + wide.width]) {
        meet(of[i], of[i + wide.width])
        meet(of[i + wide.width], of[i])
      }
    }
  }
  const small = sizes.flatMap((_, patch) => (isSmall(patch) ? [patch] : []))
  const joined = new Map<number, number>()
  let waiting = small
  for (let round = 0; round < ROUNDS && waiting.length > 0; round++) {
    const news = waiting.flatMap((patch) => {
      const lengths = new Map<number, number>()
      for (const [other, length] of borders.get(patch) ?? []) {
        const label = isSmall(other) ? joined.get(other) : labels[other]
        if (label !== undefined) lengths.set(label, (lengths.get(label) ?? 0) + length)
      }
      const [best] = [...lengths].sort(([a, m], [b, n]) => n - m || a - b)
      return best ? [[patch, best[0]] as const] : []
    })
    if (news.length === 0) break
    for (const [patch, label] of news) joined.set(patch, label)
    waiting = waiting.filter((patch) => !joined.has(patch))
  }
  const unsure = new Set(small.filter((patch) => open[patch]))
  for (let spread = [...unsure]; spread.length > 0;) {
    const next: number[] = []
    for (const patch of spread) {
      for (const other of borders.get(patch)?.keys() ?? []) {
        if (!isSmall(other) || unsure.has(other)) continue
        unsure.add(other)
        next.push(other)
      }
    }
    spread = next
  }
  let certain = true
  const [left, top] = [inner.left - wide.left, inner.top - wide.top]
  for (let r = 0; r < wide.height; r++) {
    for (let c = 0, i = r * wide.width; c < wide.width; c++, i++) {
      const patch = of[i]
      if (unsure.has(patch) && r >= top && r < top + inner.height && c >= left && c < left + inner.width)
        certain = false
      const label = joined.get(patch)
      if (label !== undefined) values[i] = label
    }
  }
  return certain
}

/** Finds 8-connected patches of equal labels by union–find (Hoshen and Kopelman 1976). */
function patchesOf(values: Uint8Array, window: Window, image: Size, pixel: PatchMeasure['pixel']): Patches {
  const { width, height } = window
  const parents = new Int32Array(width * height)
  const root = (i: number): number => {
    while (parents[i] !== i) i = parents[i] = parents[parents[i]]
    return i
  }
  const unite = (a: number, b: number): void => {
    const [x, y] = [root(a), root(b)]
    if (x < y) parents[y] = x
    else parents[x] = y
  }
  for (let r = 0, i = 0; r < height; r++) {
    for (let c = 0; c < width; c++, i++) {
      parents[i] = i
      if (c > 0 && values[i - 1] === values[i]) unite(i - 1, i)
      if (r === 0) continue
      const above = i - width
      if (values[above] === values[i]) unite(above, i)
      if (c > 0 && values[above - 1] === values[i]) unite(above - 1, i)
      if (c + 1 < width && values[above + 1] === values[i]) unite(above + 1, i)
    }
  }
  const of = new Int32Array(width * height)
  const sizes: number[] = []
  const labels: number[] = []
  const open: boolean[] = []
  const edges = {
    left: window.left > 0,
    top: window.top > 0,
    right: window.left + width < image.width,
    bottom: window.top + height < image.height
  }
  for (let r = 0, i = 0; r < height; r++) {
    for (let c = 0; c < width; c++, i++) {
      const at = root(i)
      if (at === i) {
        of[i] = sizes.length
        sizes.push(0)
        labels.push(values[i])
        open.push(false)
      } else {
        of[i] = of[at]
      }
      sizes[of[i]] += pixel ? pixel(window.left + c, window.top + r) : 1
      if (
        (c === 0 && edges.left) ||
        (r === 0 && edges.top) ||
        (c === width - 1 && edges.right) ||
        (r === height - 1 && edges.bottom)
      )
        open[of[i]] = true
    }
  }
  return { of, sizes, labels, open }
}
