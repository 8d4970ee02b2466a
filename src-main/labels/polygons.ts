import { SmaltiError } from '../contract/errors.ts'
import { NO_LABEL } from '../contract/labels.ts'
import { type LabelSource, stripes } from './source.ts'

/** A patch of one label: its outer ring, then its holes; columns and rows of pixel corners, closed, [x, y, x, y …]. */
export interface PatchPolygon {
  label: number
  rings: number[][]
}

/** How far a simplified border may lie from the pixels' edges: borders a pixel apart can then not cross. */
export const TOLERANCE = 0.5
/** Corners of all borders that are held; beyond, labels are too noisy for polygons to be of use. */
const MOST_CORNERS = 60e6

/** No patch: outside of the image, and pixels without a label. */
const NOTHING = 256

/** One end of a border that is being followed. */
interface End {
  border: Border
  /** Whether it is the last of the border's corners, else the first. */
  last: boolean
}

/** A piece of border between two patches, from node to node, or a loop without any. */
interface Border {
  /** Corners towards the first end and towards the last, each from the middle outwards. */
  towardsFirst: number[]
  towardsLast: number[]
  first: End
  last: End
  /** Patches to the left and right of the way from the first to the last corner. */
  left: number
  right: number
  /** Nodes at both ends; −1 while, or where, there is none. */
  firstNode: number
  lastNode: number
}

/** Directions from a node, clockwise. */
const [UP, RIGHT, DOWN, LEFT] = [0, 1, 2, 3]

/**
 * Polygons of all patches (4-connected) of an image. Borders are followed once, from node to node, and simplified by
 * themselves (Douglas and Peucker 1973), so that neighbours share them exactly: no gaps, no slivers.
 *
 * @param tolerance  in pixels, at most `TOLERANCE`; 0 follows the pixels' edges
 * @throws TooManyPatches when the borders are longer than memory should hold; Cancelled
 */
export async function polygonsOf(labels: LabelSource, tolerance: number, signal: AbortSignal): Promise<PatchPolygon[]> {
  const { borders, nodes, patchLabels, rootOf } = await bordersOf(labels, signal)
  const pace = paceOf(signal)
  const corners: number[][] = []
  for (const border of borders) {
    const turn = pace()
    if (turn) await turn
    corners.push(simplified(cornersOf(border), tolerance))
  }
  const rings = await ringsOf(borders, nodes, rootOf, pace)
  const patches = new Map<number, { outer: number[][]; holes: number[][] }>()
  for (const { patch, steps } of rings) {
    const ring = joined(steps, corners)
    const found = patches.get(patch) ?? { outer: [], holes: [] }
    patches.set(patch, found)
    // Inside lies to the left, and rows run down: an outer ring has a negative area.
    if (doubledArea(ring) < 0) found.outer.push(ring)
    else found.holes.push(ring)
  }
  return [...patches]
    .sort(([a], [b]) => a - b)
    .map(([patch, { outer, holes }]) => ({ label: patchLabels[patch], rings: [...outer, ...holes] }))
}

/** Milliseconds after which others of this thread, such as who wants to cancel, have their turn. */
const TURN = 50

/** What long work calls again and again, so that it can be cancelled. @throws Cancelled */
function paceOf(signal: AbortSignal): () => Promise<void> | undefined {
  let next = performance.now() + TURN
  const others = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    if (signal.aborted) throw new SmaltiError('Cancelled')
    next = performance.now() + TURN
  }
  return () => (performance.now() < next ? undefined : others())
}

export function doubledArea(ring: readonly number[]): number {
  let sum = 0
  for (let i = 0; i + 3 < ring.length; i += 2) sum += ring[i] * ring[i + 3] - ring[i + 2] * ring[i + 1]
  return sum
}

interface Borders {
  borders: Border[]
  /** Of each node what leaves it upwards, to the right, downwards and to the left. */
  nodes: (End | undefined)[][]
  /** Label of each patch by its number. */
  patchLabels: number[]
  rootOf(patch: number): number
}

async function bordersOf(labels: LabelSource, signal: AbortSignal): Promise<Borders> {
  const { width, height } = labels
  const patches = createPatches(width)
  const borders: Border[] = []
  const nodes: Borders['nodes'] = []
  let corners = 0
  let above = emptyRow(width)
  const fromAbove: (End | undefined)[] = Array<End | undefined>(width + 1).fill(undefined)

  const begin = (x: number, y: number, left: number, right: number, node: number): Border => {
    const border = {
      towardsFirst: [],
      towardsLast: [x, y],
      left,
      right,
      firstNode: node,
      lastNode: -1
    } as unknown as Border
    border.first = { border, last: false }
    border.last = { border, last: true }
    corners++
    return border
  }
  const extend = ({ border, last }: End, x: number, y: number): void => {
    ;(last ? border.towardsLast : border.towardsFirst).push(x, y)
    corners++
  }
  const endAt = (end: End, node: number, x: number, y: number): void => {
    extend(end, x, y)
    if (end.last) end.border.lastNode = node
    else end.border.firstNode = node
    const { firstNode, lastNode } = end.border
    if (firstNode >= 0 && lastNode >= 0) borders.push(end.border)
  }
  const meet = (a: End, b: End, x: number, y: number): void => {
    extend(a, x, y)
    if (a.border === b.border) {
      borders.push(a.border)
      return
    }
    if (!a.last) reverse(a.border)
    if (b.last) reverse(b.border)
    const [one, other] = [a.border, b.border]
    for (let i = other.towardsFirst.length - 2; i >= 0; i -= 2)
      one.towardsLast.push(other.towardsFirst[i], other.towardsFirst[i + 1])
    for (const value of other.towardsLast) one.towardsLast.push(value)
    one.last = other.last
    one.last.border = one
    one.lastNode = other.lastNode
    if (one.firstNode >= 0 && one.lastNode >= 0) borders.push(one)
  }

  /** Goes along the corners between two rows of pixels. */
  const follow = (y: number, below: Row): void => {
    let fromLeft: End | undefined
    for (let x = 0; x <= width; x++) {
      // The pixel left of a corner has the index of its column, for rows begin with the outside.
      const [a, b, c, d] = [above.labels[x], above.labels[x + 1], below.labels[x], below.labels[x + 1]]
      const [top, bottom, left, right] = [a !== b, c !== d, a !== c, b !== d]
      const count = Number(top) + Number(bottom) + Number(left) + Number(right)
      if (count === 0 || (count === 2 && top === bottom)) continue
      const down = fromAbove[x]
      if (count > 2) {
        const node = nodes.push([undefined, undefined, undefined, undefined]) - 1
        if (top) {
          endAt(down!, node, x, y)
          nodes[node][UP] = down
        }
        if (left) {
          endAt(fromLeft!, node, x, y)
          nodes[node][LEFT] = fromLeft
        }
        fromLeft = fromAbove[x] = undefined
        if (right) {
          const border = begin(x, y, above.patches[x + 1], below.patches[x + 1], node)
          nodes[node][RIGHT] = border.first
          fromLeft = border.last
        }
        if (bottom) {
          const border = begin(x, y, below.patches[x + 1], below.patches[x], node)
          nodes[node][DOWN] = border.first
          fromAbove[x] = border.last
        }
      } else if (top && right) {
        extend(down!, x, y)
        fromLeft = down
        fromAbove[x] = undefined
      } else if (left && bottom) {
        extend(fromLeft!, x, y)
        fromAbove[x] = fromLeft
        fromLeft = undefined
      } else if (top && left) {
        meet(fromLeft!, down!, x, y)
        fromLeft = fromAbove[x] = undefined
      } else {
        const border = begin(x, y, above.patches[x], below.patches[x + 1], -1)
        fromAbove[x] = border.first
        fromLeft = border.last
      }
    }
  }

  for (const window of stripes(labels)) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const values = await labels.read(window, signal)
    for (let r = 0; r < window.height; r++) {
      const below = patches.nextRow(values.subarray(r * width, (r + 1) * width), above)
      follow(window.top + r, below)
      above = below
    }
    if (corners > MOST_CORNERS) throw new SmaltiError('TooManyPatches', { most: MOST_CORNERS })
  }
  follow(height, emptyRow(width))
  return { borders, nodes, patchLabels: patches.labels, rootOf: patches.root }
}

/** Turns a border round: what was first is last. */
function reverse(border: Border): void {
  ;[border.towardsFirst, border.towardsLast] = [border.towardsLast, border.towardsFirst]
  ;[border.left, border.right] = [border.right, border.left]
  ;[border.firstNode, border.lastNode] = [border.lastNode, border.firstNode]
  ;[border.first, border.last] = [border.last, border.first]
  border.first.last = false
  border.last.last = true
}

/** Labels and patches of a row of pixels, with one more at each end that lies outside. */
interface Row {
  labels: Int16Array
  patches: Int32Array
}

const emptyRow = (width: number): Row => ({
  labels: new Int16Array(width + 2).fill(NOTHING),
  patches: new Int32Array(width + 2).fill(-1)
})

/** Numbers 4-connected patches row by row, by union–find. */
function createPatches(width: number): {
  labels: number[]
  root(patch: number): number
  nextRow(values: Uint8Array, above: Row): Row
} {
  const labels: number[] = []
  const parents: number[] = []
  const root = (patch: number): number => {
    while (parents[patch] !== patch) patch = parents[patch] = parents[parents[patch]]
    return patch
  }
  return {
    labels,
    root: (patch) => (patch < 0 ? patch : root(patch)),
    nextRow(values, above) {
      const row = emptyRow(width)
      for (let x = 1; x <= width; x++) {
        const label = values[x - 1]
        if (label === NO_LABEL) continue
        row.labels[x] = label
        const [before, over] = [row.labels[x - 1] === label, above.labels[x] === label]
        if (before) row.patches[x] = row.patches[x - 1]
        if (over) {
          const upper = root(above.patches[x])
          if (before) {
            const mine = root(row.patches[x])
            if (mine !== upper) parents[Math.max(mine, upper)] = Math.min(mine, upper)
          } else {
            row.patches[x] = upper
          }
        }
        if (!before && !over) {
          row.patches[x] = labels.length
          parents.push(labels.length)
          labels.push(label)
        }
      }
      return row
    }
  }
}

/** Corners from the first to the last; those of a loop end where they begin. */
function cornersOf({ towardsFirst, towardsLast, firstNode }: Border): number[] {
  const corners: number[] = []
  for (let i = towardsFirst.length - 2; i >= 0; i -= 2) corners.push(towardsFirst[i], towardsFirst[i + 1])
  for (const value of towardsLast) corners.push(value)
  if (firstNode < 0) corners.push(corners[0], corners[1])
  return corners
}

/** Leaves out corners that lie within the tolerance of what then connects their neighbours; both ends stay. */
function simplified(corners: number[], tolerance: number): number[] {
  const count = corners.length / 2
  if (tolerance === 0 || count < 3) return corners
  const kept = new Uint8Array(count)
  kept[0] = kept[count - 1] = 1
  const spans: [number, number][] = []
  const loop = corners[0] === corners[2 * count - 2] && corners[1] === corners[2 * count - 1]
  if (loop) {
    let [farthest, most] = [0, -1]
    for (let i = 1; i < count - 1; i++) {
      const distance = (corners[2 * i] - corners[0]) ** 2 + (corners[2 * i + 1] - corners[1]) ** 2
      if (distance > most) [farthest, most] = [i, distance]
    }
    kept[farthest] = 1
    spans.push([0, farthest], [farthest, count - 1])
  } else {
    spans.push([0, count - 1])
  }
  while (spans.length > 0) {
    const [from, to] = spans.pop()!
    const [x, y] = [corners[2 * from], corners[2 * from + 1]]
    const [dx, dy] = [corners[2 * to] - x, corners[2 * to + 1] - y]
    const length = Math.hypot(dx, dy)
    let [farthest, most] = [-1, tolerance]
    for (let i = from + 1; i < to; i++) {
      const [px, py] = [corners[2 * i] - x, corners[2 * i + 1] - y]
      // Beyond the ends of a span it is the distance to the end that counts.
      const along = length > 0 ? (px * dx + py * dy) / length : 0
      const distance =
        along < 0 || along > length || length === 0
          ? Math.min(Math.hypot(px, py), Math.hypot(px - dx, py - dy))
          : Math.abs(px * dy - py * dx) / length
      if (distance > most) [farthest, most] = [i, distance]
    }
    if (farthest < 0) continue
    kept[farthest] = 1
    spans.push([from, farthest], [farthest, to])
  }
  const result: number[] = []
  for (let i = 0; i < count; i++) if (kept[i]) result.push(corners[2 * i], corners[2 * i + 1])
  return result
}

/** A border gone along from its first corner to its last, or back. */
interface Step {
  border: number
  forward: boolean
}

interface Ring {
  patch: number
  steps: Step[]
}

/** Rings of all patches, each with its patch to the left of its way, touching itself nowhere. */
async function ringsOf(
  borders: readonly Border[],
  nodes: Borders['nodes'],
  rootOf: (patch: number) => number,
  pace: () => Promise<void> | undefined
): Promise<Ring[]> {
  const numbers = new Map(borders.map((border, i) => [border, i]))
  const used = new Uint8Array(2 * borders.length)
  const rings: Ring[] = []
  const slotOf = (border: Border, atLast: boolean): { node: number; slot: number } => {
    const node = atLast ? border.lastNode : border.firstNode
    return { node, slot: nodes[node].indexOf(atLast ? border.last : border.first) }
  }
  for (const [number, border] of borders.entries()) {
    for (const forward of [true, false]) {
      const patch = forward ? border.left : border.right
      if (patch < 0 || used[2 * number + Number(forward)]) continue
      if (border.firstNode < 0) {
        used[2 * number + Number(forward)] = 1
        rings.push({ patch: rootOf(patch), steps: [{ border: number, forward }] })
        continue
      }
      const way: { step: Step; from: number }[] = []
      /** Where on the way each node is left. */
      const places = new Map<number, number>()
      let step: Step = { border: number, forward }
      while (!used[2 * step.border + Number(step.forward)]) {
        used[2 * step.border + Number(step.forward)] = 1
        const current = borders[step.border]
        const from = slotOf(current, !step.forward).node
        places.set(from, way.length)
        way.push({ step, from })
        const { node, slot } = slotOf(current, step.forward)
        // What touches itself in a node is divided there.
        const met = places.get(node)
        if (met !== undefined) {
          const ring = way.splice(met)
          for (const left of ring) places.delete(left.from)
          rings.push({ patch: rootOf(patch), steps: ring.map((entry) => entry.step) })
        }
        const turn = pace()
        if (turn) await turn
        const direction = (slot + 2) % 4
        const next = [3, 0, 1]
          .map((quarter) => nodes[node][(direction + quarter) % 4])
          .find((end) => end !== undefined)!
        step = { border: numbers.get(next.border)!, forward: !next.last }
      }
    }
  }
  return rings
}

function joined(steps: readonly Step[], corners: readonly number[][]): number[] {
  const ring: number[] = []
  for (const { border, forward } of steps) {
    const points = corners[border]
    const count = points.length / 2
    // The first corner of each border is the last of the one before.
    for (let i = ring.length === 0 ? 0 : 1; i < count; i++) {
      const at = 2 * (forward ? i : count - 1 - i)
      ring.push(points[at], points[at + 1])
    }
  }
  return ring
}
