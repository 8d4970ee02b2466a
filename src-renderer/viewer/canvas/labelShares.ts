import type { Point } from './camera.ts'
import type { Painter } from './painter.ts'

interface Size {
  width: number
  height: number
}

/**
 * Returns the share of each label within a loop on screen.
 *
 * @param loop   corners in screen pixels
 * @param ratio  device pixels of the canvas per screen pixel
 */
export function sharesWithin(painter: Painter, loop: readonly Point[], view: Size, ratio: number): Map<number, number> {
  const [xs, ys] = [loop.map(({ x }) => x), loop.map(({ y }) => y)]
  const [left, top] = [Math.max(0, Math.floor(Math.min(...xs))), Math.max(0, Math.floor(Math.min(...ys)))]
  const [right, bottom] = [
    Math.min(view.width, Math.ceil(Math.max(...xs))),
    Math.min(view.height, Math.ceil(Math.max(...ys)))
  ]
  const [width, height] = [Math.floor((right - left) * ratio), Math.floor((bottom - top) * ratio)]
  const shares = new Map<number, number>()
  if (width < 1 || height < 1) return shares
  const found = painter.labelsAt(Math.floor(left * ratio), Math.floor(top * ratio), width, height)
  const area = new Path2D()
  for (let i = 0; i < xs.length; i++) area.lineTo((xs[i] - left) * ratio, (ys[i] - top) * ratio)
  area.closePath()
  const mask = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!
  mask.fill(area)
  const { data } = mask.getImageData(0, 0, width, height)
  let inside = 0
  found.forEach((label, i) => {
    if (data[4 * i + 3] < 128 || label === 255) return
    inside++
    shares.set(label, (shares.get(label) ?? 0) + 1)
  })
  for (const [label, count] of shares) shares.set(label, count / inside)
  return shares
}
