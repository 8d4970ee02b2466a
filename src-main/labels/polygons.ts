import { SmaltiError } from '../contract/errors.ts'
import type { LabelSource } from './source.ts'
import { type Border, type Borders, bordersOf, cornersOf } from './borders.ts'

/**
 * A patch of one label: its outer ring, then its holes, in columns and rows of pixel corners, closed, [x, y, x, y …].
 */
export interface PatchPolygon {
  label: number
  rings: number[][]
}

/** Largest distance between a simplified border and the pixels' edges. Borders one pixel apart can't cross. */
export const TOLERANCE = 0.5

/**
 * Vectorises all patches (4-connected) of an image. Each border is traced once, from node to node, and simplified on
 * its own (Douglas and Peucker 1973), so that neighbours share it exactly, without gaps or slivers.
 *
 * @param tolerance  in pixels, at most `TOLERANCE`; 0 follows the pixels' edges
 * @throws TooManyPatches when the borders need too much memory; Cancelled
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
    // The inside is on the left and rows run downwards, so an outer ring has a negative area.
    if (doubledArea(ring) < 0) found.outer.push(ring)
    else found.holes.push(ring)
  }
  return [...patches]
    .sort(([a], [b]) => a - b)
    .map(([patch, { outer, holes }]) => ({ label: patchLabels[patch], rings: [...outer, ...holes] }))
}

/** Milliseconds before other work of this thread, such as a cancellation, gets a turn. */
const TURN = 50

/** Returns a function that long work calls repeatedly, so that it can be cancelled. @throws Cancelled */
function paceOf(signal: AbortSignal): () => Promise<void> | undefined {
  let next = performance.now() + TURN
  const others = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    if (signal.aborted) throw new SmaltiError('Cancelled')
    next = performance.now() + TURN
  }
  return () => (performance.now() < next ? undefined : others())
}

/** Returns twice the signed area of a ring. */
export function doubledArea(ring: readonly number[]): number {
  let sum = 0
  for (let i = 0; i + 3 < ring.length; i += 2) sum += ring[i] * ring[i + 3] - ring[i + 2] * ring[i + 1]
  return sum
}

/** Removes corners that are within the tolerance of the line between their remaining neighbours. Both ends stay. */
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
      // Beyond the ends of a segment, the distance to the end counts.
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

/** A border walked from its first corner to its last, or back. */
interface Step {
  border: number
  forward: boolean
}

interface Ring {
  patch: number
  steps: Step[]
}

/** Joins borders into the rings of all patches. Each ring has its patch on the left and never touches itself. */
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
      /** Where on the path each node is left. */
      const places = new Map<number, number>()
      let step: Step = { border: number, forward }
      while (!used[2 * step.border + Number(step.forward)]) {
        used[2 * step.border + Number(step.forward)] = 1
        const current = borders[step.border]
        const from = slotOf(current, !step.forward).node
        places.set(from, way.length)
        way.push({ step, from })
        const { node, slot } = slotOf(current, step.forward)
        // Split a path where it touches itself at a node.
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
