import { type Geom, intersection, union, xor } from 'polyclip-ts'
import type { Size, Window } from '../grid.ts'
import { keepReturning, type Place } from './crs.ts'
import { type Transform, toPixel, toWorld } from './transform.ts'

export type Position = [longitude: number, latitude: number]
/** A closed outer ring, counter-clockwise, followed by holes, clockwise. */
export type Rings = Position[][]

/** Converts shapes on a scene's pixels to longitude and latitude. */
export interface ToGeographic {
  /**
   * Converts closed rings in columns and rows, [x, y, x, y …], to polygons in longitude and latitude. Returns none if a
   * corner is off the earth.
   */
  polygons(rings: readonly (readonly number[])[]): Rings[]
  /** Returns 1 for each pixel of a window whose corners are all on the earth. Absent when all pixels are. */
  onEarth?(window: Window): Uint8Array
}

/** Number of points along each axis at which a scene is sampled. */
const ALONG = 16
/** Degrees of longitude beyond which a map may show places twice, or not at all. */
const WIDE = 60
/** Largest distance, in pixels, between a straight edge in longitude and latitude and the edge on the map. */
const STRAIGHT = 0.1
const MOST_HALVINGS = 14
/** A corner within this many degrees of a pole is at the pole and has no longitude. */
const AT_POLE = 1e-9
/** A pole within this many pixels of an edge is on the edge. */
const ON_EDGE = 1e-6

/**
 * Converts rings to polygons that follow RFC 7946: on WGS 84, longitudes within ±180°, cut at the antimeridian (§
 * 3.1.9), closed over a pole that they contain, with rings by the right-hand rule. Edges get more corners where the
 * projection bends them.
 * @returns  undefined when the scene's place is unknown or no part of it is on the earth
 */
export function toGeographic(
  { transform, place }: { transform?: Transform; place: Place },
  { width, height }: Size
): ToGeographic | undefined {
  if (!transform || !place.known) return undefined
  const { crs } = place
  const degrees = (crs.unit.size * 180) / Math.PI
  const isPole = (latitude: number): boolean => !crs.geographic && Math.abs(latitude) >= 90 - AT_POLE
  const pixelHeight = Math.hypot(transform[4], transform[5]) * degrees
  const grid: number[] = []
  for (let i = 0; i <= ALONG; i++) for (let k = 0; k <= ALONG; k++) grid.push((width * i) / ALONG, (height * k) / ALONG)
  let [wide, offset] = [false, 0]
  if (crs.geographic) {
    const [x, y] = toWorld(transform, width / 2, height / 2)
    const middle = Float64Array.of(x, y)
    crs.toLonLat(middle)
    offset = Number.isNaN(middle[0]) ? 0 : middle[0] - x * degrees
  }
  const first = located(grid)
  const longitudes = [...first]
    .filter((value, i) => i % 2 === 0 && Number.isFinite(value))
    .map((value) => value - 360 * Math.round((value - first[0]) / 360))
  wide = !crs.geographic && (first.some(Number.isNaN) || Math.max(...longitudes) - Math.min(...longitudes) > WIDE)
  const seen = wide ? located(grid) : first
  if (seen.every(Number.isNaN)) return undefined
  const poles = crs.geographic
    ? []
    : ([90, -90] as const)
        .map((latitude) => ({ latitude, at: pixelsOf([0, latitude]) as [number, number] }))
        .filter(({ at }) => at.every(Number.isFinite))
  const bends =
    wide ||
    [
      [0, 0, width, 0],
      [0, height, width, height],
      [0, 0, 0, height],
      [width, 0, width, height],
      [0, 0, width, height],
      [0, height, width, 0]
    ].some((edge) => halved(edge).length > edge.length)

  /** Converts columns and rows to longitudes and latitudes; NaN off the earth. */
  function located(places: readonly number[]): Float64Array {
    const points = new Float64Array(places.length)
    for (let i = 0; i < places.length; i += 2) points.set(toWorld(transform!, places[i], places[i + 1]), i)
    if (crs.geographic) {
      // A grid whose outermost pixel centres are at the poles extends half a pixel beyond them.
      for (let i = 1; i < points.length; i += 2)
        if (Math.abs(points[i]) * degrees <= 90 + pixelHeight)
          points[i] = Math.min(90, Math.max(-90, points[i] * degrees)) / degrees
    }
    const began = points.slice()
    crs.toLonLat(points)
    // If coordinates are already longitudes, they determine the turn.
    if (crs.geographic)
      for (let i = 0; i < points.length; i += 2)
        points[i] += 360 * Math.round((began[i] * degrees + offset - points[i]) / 360)
    if (wide) keepReturning(points, began, crs.toLonLat, crs.unit.size)
    return points
  }

  /** Converts longitudes and latitudes to columns and rows. */
  function pixelsOf(places: readonly number[]): number[] {
    const points = Float64Array.from(places)
    crs.toLonLat(points, true)
    return Array.from({ length: points.length / 2 }, (_, i) =>
      toPixel(transform!, points[2 * i], points[2 * i + 1])
    ).flat()
  }

  /** Adds a corner at each pole that an edge of the path crosses. */
  function throughPoles(way: readonly number[]): readonly number[] {
    const found = [way[0], way[1]]
    for (let i = 2; i < way.length; i += 2) {
      const [x0, y0, x1, y1] = [way[i - 2], way[i - 1], way[i], way[i + 1]]
      const length = Math.hypot(x1 - x0, y1 - y0)
      for (const {
        at: [x, y]
      } of poles) {
        const along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length
        if (
          along > ON_EDGE &&
          along < length - ON_EDGE &&
          Math.abs((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / length < ON_EDGE
        )
          found.push(x, y)
      }
      found.push(x1, y1)
    }
    return found
  }

  /** Adds corners to a path where a straight edge in longitude and latitude would leave its course on the map. */
  function halved(way: readonly number[]): readonly number[] {
    let edges = Array.from({ length: way.length / 2 - 1 }, (_, i) => ({
      from: [way[2 * i], way[2 * i + 1]],
      to: [way[2 * i + 2], way[2 * i + 3]],
      done: false
    }))
    for (let round = 0; round < MOST_HALVINGS; round++) {
      const open = edges.filter(({ done }) => !done)
      if (open.length === 0) break
      const ends = located(open.flatMap(({ from, to }) => [...from, ...to]))
      const middles = open.flatMap((_, i) => {
        const [a, b] = [ends.subarray(4 * i, 4 * i + 2), ends.subarray(4 * i + 2, 4 * i + 4)]
        const [poleA, poleB] = [isPole(a[1]), isPole(b[1])]
        const longitude = poleA
          ? b[0]
          : poleB
            ? a[0]
            : b[0] + (crs.geographic ? 0 : 360 * Math.round((a[0] - b[0]) / 360))
        return [((poleA ? longitude : a[0]) + longitude) / 2, (a[1] + b[1]) / 2]
      })
      const places = pixelsOf(middles)
      open.forEach((edge, i) => {
        const off = Math.hypot(
          places[2 * i] - (edge.from[0] + edge.to[0]) / 2,
          places[2 * i + 1] - (edge.from[1] + edge.to[1]) / 2
        )
        edge.done = !(off > STRAIGHT)
      })
      edges = edges.flatMap((edge) => {
        if (edge.done) return [edge]
        const middle = [(edge.from[0] + edge.to[0]) / 2, (edge.from[1] + edge.to[1]) / 2]
        return [
          { from: edge.from, to: middle, done: false },
          { from: middle, to: edge.to, done: false }
        ]
      })
    }
    return [way[0], way[1], ...edges.flatMap(({ to }) => to)]
  }

  /**
   * Converts a ring to one that continues beyond ±180° where the ground does; undefined if a corner is off the earth.
   */
  function unrolled(ring: readonly number[]): Position[] | undefined {
    const points = located(bends ? halved(throughPoles(ring)) : ring)
    if (points.some(Number.isNaN)) return undefined
    const corners = Array.from({ length: points.length / 2 - 1 }, (_, i): Position => [
      points[2 * i],
      points[2 * i + 1]
    ])
    const start = corners.findIndex(([, latitude]) => !isPole(latitude))
    if (start < 0) return []
    const found: Position[] = []
    let pole: number | undefined
    for (const [longitude, latitude] of [...corners.slice(start), ...corners.slice(0, start), corners[start]]) {
      if (isPole(latitude)) {
        pole = Math.sign(latitude) * 90
        continue
      }
      const before = found.at(-1)?.[0]
      const here =
        longitude + (before === undefined || crs.geographic ? 0 : 360 * Math.round((before - longitude) / 360))
      // A pole has every longitude: add the one before it and the one after it.
      if (pole !== undefined) found.push([before!, pole], [here, pole])
      pole = undefined
      found.push([here, latitude])
    }
    const [begin, end] = [found[0], found.at(-1)!]
    if (Math.abs(end[0] - begin[0]) < 180) {
      found[found.length - 1] = [...begin]
      return found
    }
    // The ring goes once around the earth, so one of the poles is inside.
    const inside = poles.find(({ at }) => encloses(ring, at))?.latitude ?? (begin[1] > 0 ? 90 : -90)
    return [...found, [end[0], inside], [begin[0], inside], [...begin]]
  }

  function onEarth({ left, top, width: columns, height: rows }: Window): Uint8Array {
    const corners: number[] = []
    for (let r = 0; r <= rows; r++) for (let c = 0; c <= columns; c++) corners.push(left + c, top + r)
    const found = located(corners)
    const isThere = (c: number, r: number): boolean => !Number.isNaN(found[2 * (r * (columns + 1) + c)])
    return Uint8Array.from({ length: columns * rows }, (_, i) => {
      const [c, r] = [i % columns, Math.floor(i / columns)]
      return Number(isThere(c, r) && isThere(c + 1, r) && isThere(c, r + 1) && isThere(c + 1, r + 1))
    })
  }

  function polygons(rings: readonly (readonly number[])[]): Rings[] {
    const parts = rings.map(unrolled)
    if (parts.some((part) => part === undefined)) return []
    const whole = parts as Position[][]
    if (whole.every((ring) => ring.every(([longitude]) => Math.abs(longitude) <= 180))) return [turned(whole)]
    const cut = whole.map(strips).filter((part) => part.length > 0)
    if (cut.length === 0) return []
    const [one, ...others] = cut
    return (others.length > 0 ? xor(one, ...others) : one).map((polygon) => turned(polygon as Rings))
  }

  return seen.some(Number.isNaN) ? { polygons, onEarth } : { polygons }
}

/** Whether a point is inside a ring (even-odd rule). */
function encloses(ring: readonly number[], [x, y]: readonly [number, number]): boolean {
  let inside = false
  for (let i = 0; i + 3 < ring.length; i += 2) {
    const [x0, y0, x1, y1] = [ring[i], ring[i + 1], ring[i + 2], ring[i + 3]]
    if (y0 > y !== y1 > y && x < x0 + ((y - y0) * (x1 - x0)) / (y1 - y0)) inside = !inside
  }
  return inside
}

/** Rounds to much less than a millimetre, so that points that meet after a turn are equal. */
const snapped = (degrees: number): number => Math.round(degrees * 1e10) / 1e10

/** Splits a ring at each turn of longitude and moves the parts to ±180°. */
function strips(ring: readonly Position[]): [number, number][][][] {
  const longitudes = ring.map(([longitude]) => longitude)
  const turnOf = (longitude: number): number => Math.floor((longitude + 180) / 360)
  const [from, to] = [
    turnOf(longitudes.reduce((a, b) => Math.min(a, b))),
    turnOf(longitudes.reduce((a, b) => Math.max(a, b)))
  ]
  const found: [number, number][][][] = []
  for (let turn = from; turn <= to; turn++) {
    const [west, east] = [-180 + 360 * turn, 180 + 360 * turn]
    const strip: Geom = [
      [
        [west, -90],
        [east, -90],
        [east, 90],
        [west, 90],
        [west, -90]
      ]
    ]
    for (const polygon of intersection(
      [ring.map(([x, y]): [number, number] => [x, Math.min(90, Math.max(-90, y))])],
      strip
    )) {
      found.push(
        polygon.map((part) =>
          part.map(([x, y]): [number, number] => [snapped(Math.min(180, Math.max(-180, x - 360 * turn))), snapped(y)])
        )
      )
    }
  }
  // A ring that starts in mid-turn must have no border at its start.
  const [first, ...others] = found
  return others.length > 0 ? union(first, ...others) : found
}

/** Orients rings by the right-hand rule. */
function turned(rings: readonly Position[][]): Rings {
  return rings.map((ring, i) => {
    const area = ring.reduce(
      (sum, [x, y], k) => (k + 1 < ring.length ? sum + x * ring[k + 1][1] - ring[k + 1][0] * y : sum),
      0
    )
    return area > 0 === (i === 0) ? ring : [...ring].reverse()
  })
}
