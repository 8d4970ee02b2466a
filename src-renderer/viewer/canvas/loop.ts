export interface Point {
  x: number
  y: number
}

/** Whether a loop contains a point, by the even-odd rule. */
export function holds(loop: readonly Point[], { x, y }: Point): boolean {
  let inside = false
  loop.forEach((a, i) => {
    const b = loop[(i + 1) % loop.length]
    if (a.y > y !== b.y > y && x < a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x)) inside = !inside
  })
  return inside
}
