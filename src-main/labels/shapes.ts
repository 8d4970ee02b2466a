import type { CorrectionShape } from '../contract/classes.ts'
import { SmaltiError } from '../contract/errors.ts'
import { NO_LABEL } from '../contract/labels.ts'
import { fillRings } from '../imagery/area/area.ts'
import type { Size, Window } from '../imagery/raster.ts'
import type { LabelSource } from './source.ts'

type Drawn = Exclude<CorrectionShape, { kind: 'fill' }>
type Pixel = readonly [number, number]

/** Returns the pixels that a shape may touch, clipped to the image, or undefined if there are none. */
export function boundsOf(shape: Drawn, { width, height }: Size): Window | undefined {
  const [points, reach] = shape.kind === 'brush' ? [shape.line, shape.radius] : [shape.ring, 0]
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)]
  const least = (values: number[]): number => Math.max(0, Math.floor(values.reduce((a, b) => Math.min(a, b)) - reach))
  const most = (values: number[], side: number): number =>
    Math.min(side, Math.ceil(values.reduce((a, b) => Math.max(a, b)) + reach))
  const [left, top, right, bottom] = [least(xs), least(ys), most(xs, width), most(ys, height)]
  return right > left && bottom > top ? { left, top, width: right - left, height: bottom - top } : undefined
}

/** Marks pixels of a window whose centres are inside a shape with 1, row-major. */
export function drawn(shape: Drawn, window: Window): Uint8Array {
  const mask = new Uint8Array(window.width * window.height)
  if (shape.kind === 'polygon') fillRings([[...shape.ring, shape.ring[0]]], window, { x: 1, y: 1 }, mask, 1)
  else shape.line.forEach((point, i) => stamp(mask, window, shape.line[Math.max(0, i - 1)], point, shape.radius))
  return mask
}

/** Marks everything within a radius of a line segment. */
function stamp(
  mask: Uint8Array,
  { left, top, width, height }: Window,
  [x0, y0]: Pixel,
  [x1, y1]: Pixel,
  radius: number
): void {
  const [dx, dy] = [x1 - x0, y1 - y0]
  const length = dx * dx + dy * dy
  const span = (a: number, b: number, from: number, side: number): [number, number] => [
    Math.max(0, Math.floor(Math.min(a, b) - radius - from)),
    Math.min(side, Math.ceil(Math.max(a, b) + radius - from))
  ]
  const [[firstX, lastX], [firstY, lastY]] = [span(x0, x1, left, width), span(y0, y1, top, height)]
  for (let y = firstY; y < lastY; y++) {
    for (let x = firstX; x < lastX; x++) {
      const [px, py] = [left + x + 0.5 - x0, top + y + 0.5 - y0]
      const along = length > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0
      if ((px - along * dx) ** 2 + (py - along * dy) ** 2 <= radius * radius) mask[y * width + x] = 1
    }
  }
}

/** Most tiles that a fill may cover, because their masks are in memory. */
const MOST_TILES = 256

/**
 * Finds the area that is connected to a pixel along edges and has its class. Returns masks of tiles by `column row`, or
 * none if the pixel has no class.
 * @param classOf  the class of each label
 * @throws InvalidSetting when the area is too large, Cancelled, UnreadableImage
 */
export async function connected(
  labels: LabelSource,
  [x, y]: Pixel,
  classOf: Uint8Array,
  side: number,
  signal: AbortSignal
): Promise<Map<string, Uint8Array>> {
  const [column, row] = [Math.floor(x), Math.floor(y)]
  const found = new Map<string, Uint8Array>()
  if (column < 0 || row < 0 || column >= labels.width || row >= labels.height) return found
  const wanted = classOf[(await labels.read({ left: column, top: row, width: 1, height: 1 }, signal))[0]]
  if (wanted === NO_LABEL) return found
  const waiting = new Map<string, number[]>([
    [`${Math.floor(column / side)} ${Math.floor(row / side)}`, [(row % side) * side + (column % side)]]
  ])
  for (const [key, seeds] of waiting) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    waiting.delete(key)
    const [tileColumn, tileRow] = key.split(' ').map(Number)
    const window = {
      left: tileColumn * side,
      top: tileRow * side,
      width: Math.min(side, labels.width - tileColumn * side),
      height: Math.min(side, labels.height - tileRow * side)
    }
    if (window.width <= 0 || window.height <= 0 || tileColumn < 0 || tileRow < 0) continue
    const mask = found.get(key) ?? new Uint8Array(side * side)
    const fresh = seeds.filter((at) => mask[at] === 0)
    if (fresh.length === 0) continue
    const values = await labels.read(window, signal)
    const spread = spreadIn(
      mask,
      fresh,
      window,
      side,
      (at) => classOf[values[Math.floor(at / side) * window.width + (at % side)]] === wanted
    )
    if (!mask.includes(1)) continue
    found.set(key, mask)
    if (found.size > MOST_TILES)
      throw new SmaltiError('InvalidSetting', {
        setting: 'fill',
        reason: `the area is larger than ${Math.round((MOST_TILES * side * side) / 1e6)} megapixels. Merge classes first, or draw around a part of it`
      })
    for (const [dx, dy, at] of spread) {
      const neighbour = `${tileColumn + dx} ${tileRow + dy}`
      const known = waiting.get(neighbour)
      if (known) known.push(at)
      else waiting.set(neighbour, [at])
    }
  }
  return found
}

/** Grows a mask within a tile. Returns where it continues: the step to the next tile and the position there. */
function spreadIn(
  mask: Uint8Array,
  seeds: readonly number[],
  { width, height }: Size,
  side: number,
  belongs: (at: number) => boolean
): [dx: number, dy: number, at: number][] {
  const beyond: [number, number, number][] = []
  const stack = [...seeds]
  while (stack.length > 0) {
    const at = stack.pop()!
    const [x, y] = [at % side, Math.floor(at / side)]
    if (mask[at] === 1 || x >= width || y >= height || !belongs(at)) continue
    mask[at] = 1
    if (x > 0) stack.push(at - 1)
    else beyond.push([-1, 0, at + side - 1])
    if (x + 1 < side) stack.push(at + 1)
    else beyond.push([1, 0, at - side + 1])
    if (y > 0) stack.push(at - side)
    else beyond.push([0, -1, at + side * (side - 1)])
    if (y + 1 < side) stack.push(at + side)
    else beyond.push([0, 1, at - side * (side - 1)])
  }
  return beyond
}
