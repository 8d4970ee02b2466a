import { type Geom, intersection, union, xor } from 'polyclip-ts'
import type { Size, Window } from '../grid.ts'
import type { Place } from './crs.ts'
import { type Transform, toPixel, toWorld } from './transform.ts'

export type Position = [longitude: number, latitude: number]
/** An outer ring, counter-clockwise, then holes, clockwise; closed. */
export type Rings = Position[][]

export interface ToGeographic {
  /** Polygons in longitude and latitude of rings in columns and rows, [x, y, x, y …], closed; none where a corner is off the earth. */
  polygons(rings: readonly (readonly number[])[]): Rings[]
  /** 1 for each pixel of a window that lies on the earth with all its corners; absent where all do. */
  onEarth?(window: Window): Uint8Array
}

/** Places along each axis at which a scene is looked at. */
const ALONG = 16
/** Degrees of longitude beyond which edges of a scene are bent noticeably, and may go the other way round. */
const WIDE = 60
/** Pieces into which an edge across such a scene is cut. */
const PIECES = 64

/**
 * Polygons as RFC 7946 has them: on WGS 84, longitudes within ±180°, cut at the antimeridian (§ 3.1.9), closed over a pole
 * that they enclose, rings by the right-hand rule.
 * @returns undefined where the scene's place is not known, or none of it is on the earth
 */
export function toGeographic({ transform, place }: { transform?: Transform; place: Place }, { width, height }: Size): ToGeographic | undefined {
  if (!transform || !place.known) return undefined
  const { crs } = place
  const grid: number[] = []
  for (let i = 0; i <= ALONG; i++) for (let k = 0; k <= ALONG; k++) grid.push((width * i) / ALONG, (height * k) / ALONG)
  const seen = located(grid)
  const longitudes = seen.filter((value, i) => i % 2 === 0 && Number.isFinite(value)).map((value) => value - 360 * Math.round((value - seen[0]) / 360))
  if (longitudes.length === 0) return undefined
  const wide = longitudes.length < seen.length / 2 || Math.max(...longitudes) - Math.min(...longitudes) > WIDE
  const longest = wide ? Math.max(width, height) / PIECES : Infinity
  const poles = ([90, -90] as const).map((latitude) => ({ latitude, at: pixelOf(0, latitude) }))

  /** Longitudes and latitudes of columns and rows. */
  function located(places: readonly number[]): Float64Array {
    const points = new Float64Array(places.length)
    for (let i = 0; i < places.length; i += 2) points.set(toWorld(transform!, places[i], places[i + 1]), i)
    const coordinates = crs.geographic ? points.slice() : undefined
    crs.toLonLat(points)
    // Coordinates that are longitudes themselves say which way round they go.
    const degrees = (crs.unit.size * 180) / Math.PI
    if (coordinates) for (let i = 0; i < points.length; i += 2) points[i] += 360 * Math.round((coordinates[i] * degrees - points[i]) / 360)
    return points
  }

  function pixelOf(longitude: number, latitude: number): [number, number] | undefined {
    const point = Float64Array.of(longitude, latitude)
    crs.toLonLat(point, true)
    return point.some(Number.isNaN) ? undefined : toPixel(transform!, point[0], point[1])
  }

  /** A ring that goes on beyond ±180° where the ground does; undefined where a corner is off the earth. */
  function unrolled(ring: readonly number[]): Position[] | undefined {
    const places = ring.length > 2 && longest < Infinity ? densified(ring, longest) : ring
    const points = located(places)
    if (points.some(Number.isNaN)) return undefined
    const found: Position[] = []
    for (let i = 0; i < points.length; i += 2) {
      const before = found.at(-1)?.[0]
      const turns = before === undefined || crs.geographic ? 0 : Math.round((before - points[i]) / 360)
      found.push([points[i] + 360 * turns, points[i + 1]])
    }
    const [first, last] = [found[0], found.at(-1)!]
    if (Math.abs(last[0] - first[0]) < 180) {
      found[found.length - 1] = [...first]
      return found
    }
    // It goes once round: one of the poles is inside.
    const pole = poles.find(({ at }) => at && encloses(ring, at))?.latitude ?? (first[1] > 0 ? 90 : -90)
    return [...found, [last[0], pole], [first[0], pole], [...first]]
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

/** A ring with corners no farther apart than `longest`. */
function densified(ring: readonly number[], longest: number): number[] {
  const dense = [ring[0], ring[1]]
  for (let i = 2; i < ring.length; i += 2) {
    const [x0, y0, x1, y1] = [ring[i - 2], ring[i - 1], ring[i], ring[i + 1]]
    const pieces = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) / longest))
    for (let k = 1; k <= pieces; k++) dense.push(x0 + ((x1 - x0) * k) / pieces, y0 + ((y1 - y0) * k) / pieces)
  }
  return dense
}

/** Whether a point lies inside a ring (even-odd). */
function encloses(ring: readonly number[], [x, y]: readonly [number, number]): boolean {
  let inside = false
  for (let i = 0; i + 3 < ring.length; i += 2) {
    const [x0, y0, x1, y1] = [ring[i], ring[i + 1], ring[i + 2], ring[i + 3]]
    if (y0 > y !== y1 > y && x < x0 + ((y - y0) * (x1 - x0)) / (y1 - y0)) inside = !inside
  }
  return inside
}

/** A ring's parts in each turn of longitudes, brought to ±180°. */
function strips(ring: readonly Position[]): [number, number][][][] {
  const longitudes = ring.map(([longitude]) => longitude)
  const turnOf = (longitude: number): number => Math.floor((longitude + 180) / 360)
  const [from, to] = [turnOf(longitudes.reduce((a, b) => Math.min(a, b))), turnOf(longitudes.reduce((a, b) => Math.max(a, b)))]
  const found: [number, number][][][] = []
  for (let turn = from; turn <= to; turn++) {
    const [west, east] = [-180 + 360 * turn, 180 + 360 * turn]
    const strip: Geom = [[[west, -90], [east, -90], [east, 90], [west, 90], [west, -90]]]
    for (const polygon of intersection([ring.map(([x, y]): [number, number] => [x, Math.min(90, Math.max(-90, y))])], strip)) {
      found.push(polygon.map((part) => part.map(([x, y]): [number, number] => [Math.min(180, Math.max(-180, x - 360 * turn)), y])))
    }
  }
  // A ring that begins anywhere on its way round has no border there.
  const [first, ...others] = found
  return others.length > 0 ? union(first, ...others) : found
}

/** Rings by the right-hand rule. */
function turned(rings: readonly Position[][]): Rings {
  return rings.map((ring, i) => {
    const area = ring.reduce((sum, [x, y], k) => (k + 1 < ring.length ? sum + x * ring[k + 1][1] - ring[k + 1][0] * y : sum), 0)
    return area > 0 === (i === 0) ? ring : [...ring].reverse()
  })
}
