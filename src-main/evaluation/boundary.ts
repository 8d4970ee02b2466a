/**
 * Marks pixels no more than `reach` rows and columns from a boundary between two classes. Pixels without a class form
 * no boundary.
 *
 * @param classes  row-major
 * @param none     value of pixels without a class
 * @returns        1 for marked pixels
 */
export function nearBoundary(classes: Uint8Array, width: number, reach: number, none: number): Uint8Array {
  const height = classes.length / width
  const edge = new Uint8Array(classes.length)
  const differ = (i: number, j: number): void => {
    if (classes[i] === classes[j] || classes[i] === none || classes[j] === none) return
    edge[i] = edge[j] = 1
  }
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (x + 1 < width) differ(i, i + 1)
      if (y + 1 < height) differ(i, i + width)
    }
  }
  // A pixel next to a boundary is 1 away from it.
  const along = (from: Uint8Array, length: number, step: number, lines: number, across: number): Uint8Array => {
    const near = new Uint8Array(from.length)
    for (let line = 0; line < lines; line++) {
      for (let at = 0, last = -Infinity, next = line * across; at < length; at++, next += step) {
        if (from[next]) last = at
        if (at - last < reach) near[next] = 1
      }
      for (
        let at = length - 1, last = Infinity, next = line * across + (length - 1) * step;
        at >= 0;
        at--, next -= step
      ) {
        if (from[next]) last = at
        if (last - at < reach) near[next] = 1
      }
    }
    return near
  }
  return along(along(edge, width, 1, height, width), height, width, width, 1)
}
