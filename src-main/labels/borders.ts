import { SmaltiError } from '../contract/errors.ts'
import { NO_LABEL } from '../contract/labels.ts'
import { type LabelSource, stripes } from './source.ts'

/** Most border corners kept in memory. With more, labels are too fragmented for useful polygons. */
const MOST_CORNERS = 60e6

/** No patch: outside the image, or pixels without a label. */
const NOTHING = 256

/** One end of a border that is being traced. */
interface End {
  border: Border
  /** Whether this is the border's last corner rather than its first. */
  last: boolean
}

/** A border between two patches, from node to node, or a loop without nodes. */
export interface Border {
  /** Corners towards the first end and towards the last, each from the middle outwards. */
  towardsFirst: number[]
  towardsLast: number[]
  first: End
  last: End
  /** Patches to the left and right when walking from the first corner to the last. */
  left: number
  right: number
  /** Nodes at both ends; −1 if there is none, or none yet. */
  firstNode: number
  lastNode: number
}

/** Directions from a node, clockwise. */
const UP = 0

const RIGHT = 1

const DOWN = 2

const LEFT = 3

/** The borders between all patches of an image, and the nodes where they meet. */
export interface Borders {
  borders: Border[]
  /** For each node, the border ends that leave it upwards, to the right, downwards and to the left. */
  nodes: (End | undefined)[][]
  /** The label of each patch, by number. */
  patchLabels: number[]
  rootOf(patch: number): number
}

/** Traces the borders of an image, row by row. @throws TooManyPatches, Cancelled */
export async function bordersOf(labels: LabelSource, signal: AbortSignal): Promise<Borders> {
  const { width, height } = labels
  const patches = createPatches(width)
  const tracing = createTracing()
  const fromAbove: (End | undefined)[] = Array<End | undefined>(width + 1).fill(undefined)
  let above = emptyRow(width)
  for (const window of stripes(labels)) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const values = await labels.read(window, signal)
    for (let r = 0; r < window.height; r++) {
      const below = patches.nextRow(values.subarray(r * width, (r + 1) * width), above)
      followRow(tracing, window.top + r, above, below, fromAbove)
      above = below
    }
    if (tracing.corners() > MOST_CORNERS) throw new SmaltiError('TooManyPatches', { most: MOST_CORNERS })
  }
  followRow(tracing, height, above, emptyRow(width), fromAbove)
  return { borders: tracing.borders, nodes: tracing.nodes, patchLabels: patches.labels, rootOf: patches.root }
}

/** Borders that are being traced. */
interface Tracing {
  /** Borders that are complete. */
  borders: Border[]
  nodes: Borders['nodes']
  corners(): number
  /** Starts a border at a corner; the node is −1 if it starts between two nodes. */
  begin(x: number, y: number, left: number, right: number, node: number): Border
  extend(end: End, x: number, y: number): void
  /** Ends one side of a border at a node. */
  endAt(end: End, node: number, x: number, y: number): void
  /** Joins two ends at a corner. */
  meet(a: End, b: End, x: number, y: number): void
}

function createTracing(): Tracing {
  const borders: Border[] = []
  let corners = 0
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
  return { borders, nodes: [], corners: () => corners, begin, extend, endAt, meet }
}

/** Traces borders along the corners between two rows of pixels. */
function followRow(
  { begin, extend, endAt, meet, nodes }: Tracing,
  y: number,
  above: Row,
  below: Row,
  fromAbove: (End | undefined)[]
): void {
  let fromLeft: End | undefined
  for (let x = 0; x < fromAbove.length; x++) {
    // Rows begin with one pixel outside the image, so the pixel to the left of corner x has index x.
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

/** Reverses a border, so that its first end becomes its last. */
function reverse(border: Border): void {
  ;[border.towardsFirst, border.towardsLast] = [border.towardsLast, border.towardsFirst]
  ;[border.left, border.right] = [border.right, border.left]
  ;[border.firstNode, border.lastNode] = [border.lastNode, border.firstNode]
  ;[border.first, border.last] = [border.last, border.first]
  border.first.last = false
  border.last.last = true
}

/** Labels and patches of a row of pixels, with one extra pixel outside the image at each end. */
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

/** Returns the corners from first to last. A loop ends where it begins. */
export function cornersOf({ towardsFirst, towardsLast, firstNode }: Border): number[] {
  const corners: number[] = []
  for (let i = towardsFirst.length - 2; i >= 0; i -= 2) corners.push(towardsFirst[i], towardsFirst[i + 1])
  for (const value of towardsLast) corners.push(value)
  if (firstNode < 0) corners.push(corners[0], corners[1])
  return corners
}
