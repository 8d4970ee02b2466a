import type { Camera, Point, Size } from './camera.ts'

/** Placement of an image: map coordinates of the centre of its first pixel, and their change per column and row. */
export interface Placement {
  origin: Point
  column: Point
  row: Point
}

/** A grid line on screen, from its left or upper end to the other. */
export interface GridLine {
  axis: 'x' | 'y'
  text: string
  from: Point
  to: Point
}

/** Smallest distance between two lines in screen pixels. */
const LEAST = 110

/** Returns lines at round coordinates, 1, 2 or 5 times a power of ten apart, clipped to the screen. */
export function gridLines({ origin, column, row }: Placement, camera: Camera, screen: Size): GridLine[] {
  const determinant = column.x * row.y - row.x * column.y
  if (determinant === 0 || !Number.isFinite(determinant)) return []
  // Map coordinates map to the screen by an affine transform with the linear part [xx xy; yx yy].
  const { scale } = camera
  const [xx, xy, yx, yy] = [
    (scale * row.y) / determinant,
    (-scale * row.x) / determinant,
    (-scale * column.y) / determinant,
    (scale * column.x) / determinant
  ]
  const start = {
    x: camera.x + scale / 2 - xx * origin.x - xy * origin.y,
    y: camera.y + scale / 2 - yx * origin.x - yy * origin.y
  }
  const onMap = ({ x, y }: Point): Point => {
    const [px, py] = [(x - camera.x) / scale - 0.5, (y - camera.y) / scale - 0.5]
    return { x: origin.x + column.x * px + row.x * py, y: origin.y + column.y * px + row.y * py }
  }
  const corners = [
    onMap({ x: 0, y: 0 }),
    onMap({ x: screen.width, y: 0 }),
    onMap({ x: 0, y: screen.height }),
    onMap({ x: screen.width, y: screen.height })
  ]
  return (['x', 'y'] as const).flatMap((axis) => {
    // Screen pixels per map unit: along a line of this axis, and across to the next one.
    const [along, across] =
      axis === 'x'
        ? [
            { x: xy, y: yy },
            { x: xx, y: yx }
          ]
        : [
            { x: xx, y: yx },
            { x: xy, y: yy }
          ]
    const apart = Math.abs(across.x * along.y - across.y * along.x) / Math.hypot(along.x, along.y)
    const step = roundStep(LEAST / apart)
    const [low, high] = [
      Math.min(...corners.map((corner) => corner[axis])),
      Math.max(...corners.map((corner) => corner[axis]))
    ]
    const lines: GridLine[] = []
    for (let number = Math.ceil(low / step); number * step <= high; number++) {
      const value = number * step
      const base = { x: start.x + across.x * value, y: start.y + across.y * value }
      const ends = cutAtScreen(base, along, screen)
      if (ends) lines.push({ axis, text: textOf(value, step), ...ends })
    }
    return lines
  })
}

function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10)
}

const textOf = (value: number, step: number): string => value.toFixed(Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)))

/** Clips a line to the screen; its left or upper end comes first. */
function cutAtScreen(base: Point, along: Point, { width, height }: Size): { from: Point; to: Point } | undefined {
  let [first, last] = [-Infinity, Infinity]
  for (const [at, speed, end] of [
    [base.x, along.x, width],
    [base.y, along.y, height]
  ]) {
    if (Math.abs(speed) < 1e-9 * Math.hypot(along.x, along.y)) {
      if (at < 0 || at > end) return undefined
      continue
    }
    const [enters, leaves] = [(0 - at) / speed, (end - at) / speed].sort((a, b) => a - b)
    first = Math.max(first, enters)
    last = Math.min(last, leaves)
  }
  if (!(first < last)) return undefined
  const ends = [first, last].map((t) => ({ x: base.x + t * along.x, y: base.y + t * along.y }))
  const vertical = Math.abs(along.y) > Math.abs(along.x)
  const [from, to] = (vertical ? ends[0].y <= ends[1].y : ends[0].x <= ends[1].x) ? ends : [ends[1], ends[0]]
  return { from, to }
}
