import { SmaltiError } from '../contract/errors.ts'
import { NO_LABEL, type CleanUp, type PatchSize } from '../contract/labels.ts'
import type { GroundAreas } from '../imagery/crs/groundArea.ts'
import type { Size, Window } from '../imagery/raster.ts'
import type { LabelSource } from './source.ts'

/**
 * Labels after the majority filter and then the sieve, worked out for each window that is read: the same whatever
 * the windows.
 * @param ground  areas of the pixels, for sizes in square metres
 * @throws InvalidSetting when a size in square metres is asked of an image whose place is not known
 */
export function cleaned(source: LabelSource, { majority, sieve }: CleanUp, ground?: GroundAreas): LabelSource {
  const smoothed = majority === undefined ? source : filtered(source, majority)
  return sieve === undefined ? smoothed : sieved(smoothed, measureOf(sieve, ground))
}

/** What a patch must measure to stay, and what a pixel adds to it. */
interface PatchMeasure {
  least: number
  pixel?: GroundAreas['at']
}

function measureOf({ value, unit }: PatchSize, ground: GroundAreas | undefined): PatchMeasure {
  if (unit === 'px') return { least: Math.ceil(value) }
  if (!ground)
    throw new SmaltiError('InvalidSetting', {
      setting: 'sieve',
      reason: 'square metres need images whose place on the ground is known; give pixels (200px)'
    })
  // A patch of just so much ground stays, whatever its sum is rounded to.
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

/** Each pixel takes the most frequent label of the square about it; its own where that is as frequent. */
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

/** How far beyond a window is looked at first, and at most, in pixels. */
const FIRST_REACH = 64
const FARTHEST_REACH = 4096
/** Small patches among small ones join what those have joined, so many times over. */
const ROUNDS = 16

/**
 * Patches (8-connected) that measure less than `least` join the neighbour with which they share the longest border.
 * More and more is looked at around a window until nothing inside can depend on what is not seen.
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
  /** Number of each pixel's patch. */
  of: Int32Array
  sizes: number[]
  labels: number[]
  /** Whether a patch reaches what is not seen. */
  open: boolean[]
}

/** Joins the small patches of a window, in place. @returns whether the inner window is certain */
function sieveWindow(
  values: Uint8Array,
  wide: Window,
  inner: Window,
  { width, height }: Size,
  { least, pixel }: PatchMeasure
): boolean {
  const patches = patchesOf(values, wide, { width, height }, pixel)
  const { of, sizes, labels, open } = patches
  // What lies off the earth measures nothing, and is not small.
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

/** 8-connected patches of equal labels, by union–find (Hoshen and Kopelman 1976). */
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
