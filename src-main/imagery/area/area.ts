import { SmaltiError } from '../../contract/errors.ts'
import type { Area } from '../../contract/imagery.ts'
import { type Place, placeFrom } from '../crs/crs.ts'
import { type Transform, toPixel, toWorld } from '../crs/transform.ts'
import type { Georeference } from '../georeference.ts'
import type { Size, Window } from '../grid.ts'

/** The coordinate system of a GeoJSON file that doesn't name one (RFC 7946 §4). */
const LONGITUDE_LATITUDE = 'EPSG:4326'

/**
 * Finds the coordinate system that a file names: `EPSG:32618`, `urn:ogc:def:crs:EPSG::32618` or CRS84. Without a name
 * it is longitude and latitude.
 */
export function placeOfName(name: string | undefined): Promise<Place> {
  if (name === undefined || /CRS:?84$|EPSG:{1,2}(?:[\d.]*:)?4326$/i.test(name)) return placeFrom(LONGITUDE_LATITUDE)
  const [, authority, code] = /([A-Za-z]+\w*):{1,2}(?:[\d.]*:)?(\w+)$/.exec(name) ?? []
  return placeFrom(code === undefined ? name : `${authority.toUpperCase()}:${code}`)
}

/**
 * Converts an area to longitude and latitude on WGS 84.
 *
 * @throws InvalidSetting when its coordinate system is unknown
 */
export async function inLongitudeLatitude({ crs: name, features }: Area): Promise<Area> {
  const place = await placeOfName(name)
  if (!place.known)
    throw new SmaltiError('InvalidSetting', { setting: 'area', reason: `its coordinate system, ${name}, is unknown` })
  const moved = (ring: readonly Position[]): Position[] => {
    const points = Float64Array.from(ring.flat())
    place.crs.toLonLat(points)
    if (points.some(Number.isNaN))
      throw new SmaltiError('InvalidSetting', {
        setting: 'area',
        reason: `one of its corners is outside its coordinate system, ${name}`
      })
    return pairsOf(points)
  }
  return {
    features: features.map(({ polygons, properties }) => ({
      properties,
      polygons: polygons.map((parts) => parts.map(moved))
    }))
  }
}

type Position = [x: number, y: number]
/** Rings of one feature, in columns and rows of a scene. */
export type PixelRings = [column: number, row: number][][]

export const pairsOf = (points: Float64Array): Position[] =>
  Array.from({ length: points.length / 2 }, (_, i) => [points[2 * i], points[2 * i + 1]])

/**
 * Converts an area's features to columns and rows of a scene, clipped to roughly the scene's extent. The rings of a
 * feature stay together (even-odd rule). Edges are straight in the area's coordinates, so they may be curved in the
 * scene's.
 * @throws AreaUnreachable when the scene's place or either coordinate system is unknown, or when a corner has no
 *   position on the earth in the scene's projection
 */
export async function inPixels(
  area: Area,
  scene: Size & { georeference?: Georeference },
  path: string
): Promise<PixelRings[]> {
  const { transform, place } = scene.georeference ?? {}
  if (!transform || !place) throw new SmaltiError('AreaUnreachable', { path, reason: 'its location is unknown' })
  const given = await placeOfName(area.crs)
  if (!given.known)
    throw new SmaltiError('AreaUnreachable', { path, reason: `the area's coordinate system, ${area.crs}, is unknown` })
  if (!place.known) throw new SmaltiError('AreaUnreachable', { path, reason: place.reason })
  const same = given.crs.code !== undefined && given.crs.code === place.crs.code
  const convert = (points: Float64Array, inverse = false): void => {
    if (same) return
    const [from, to] = inverse ? [place.crs, given.crs] : [given.crs, place.crs]
    const before = from.geographic && to.geographic ? points.slice() : undefined
    from.toLonLat(points)
    to.toLonLat(points, true)
    // Keep longitudes on the same turn, because scenes may run from 0° to 360°.
    const turn = (2 * Math.PI) / to.unit.size
    if (before)
      for (let i = 0; i < points.length; i += 2)
        points[i] += turn * Math.round(((before[i] * from.unit.size) / to.unit.size - points[i]) / turn)
  }
  const toPixels = (points: Float64Array): Position[] => {
    convert(points)
    return pairsOf(points).map(([x, y]) => toPixel(transform, x, y))
  }
  const period = given.crs.geographic ? (2 * Math.PI) / given.crs.unit.size : undefined
  const box = boxOf(scene, transform, (points) => convert(points, true), place.crs.geographic ? undefined : period)
  return area.features.map(({ polygons }) =>
    polygons.flat().flatMap((ring) =>
      repeats(ring, box, period).flatMap((copy) => {
        const part = clipped(copy, box)
        if (part.length < 4) return []
        const corners = curved(part, toPixels)
        if (!corners.flat().every(Number.isFinite))
          throw new SmaltiError('AreaUnreachable', {
            path,
            reason: 'a corner of the area is where the scene shows no ground. Draw it within the part that does'
          })
        return [corners]
      })
    )
  )
}

interface Box {
  low: Position
  high: Position
}

/** Number of points along each side of a scene that determine its box, and the share by which the box is grown. */
const ALONG = 16
const MARGIN = 0.25

/**
 * Returns the box that a scene covers in other coordinates, with a margin.
 * @param period  the span after which longitudes repeat, when the other coordinates are geographic; keeps the points
 *                together
 */
function boxOf(
  { width, height }: Size,
  transform: Transform,
  convert: (points: Float64Array) => void,
  period?: number
): Box {
  const points = new Float64Array(2 * (ALONG + 1) ** 2)
  for (let i = 0; i <= ALONG; i++)
    for (let k = 0; k <= ALONG; k++)
      points.set(toWorld(transform, (width * i) / ALONG, (height * k) / ALONG), 2 * (i * (ALONG + 1) + k))
  convert(points)
  const found = pairsOf(points).filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y))
  if (found.length === 0) return { low: [-Infinity, -Infinity], high: [Infinity, Infinity] }
  const [first] = found
  const near =
    period === undefined
      ? found
      : found.map(([x, y]): Position => [x - period * Math.round((x - first[0]) / period), y])
  const [xs, ys] = [near.map(([x]) => x), near.map(([, y]) => y)]
  const low: Position = [Math.min(...xs), Math.min(...ys)]
  const high: Position = [Math.max(...xs), Math.max(...ys)]
  // A scene that contains a pole touches every longitude.
  if (period !== undefined && high[0] - low[0] > period / 3)
    return { low: [-Infinity, low[1] - period], high: [Infinity, high[1] + period] }
  const [dx, dy] = [(high[0] - low[0]) * MARGIN, (high[1] - low[1]) * MARGIN]
  return { low: [low[0] - dx, low[1] - dy], high: [high[0] + dx, high[1] + dy] }
}

/**
 * Returns a ring and, where longitudes repeat, its copies a turn farther east or west, as long as they meet the box.
 */
function repeats(
  ring: readonly Position[],
  { low, high }: Box,
  period: number | undefined
): readonly (readonly Position[])[] {
  if (period === undefined || !Number.isFinite(low[0])) return [ring]
  const xs = ring.map(([x]) => x)
  const [west, east] = [xs.reduce((a, b) => Math.min(a, b)), xs.reduce((a, b) => Math.max(a, b))]
  return [-2, -1, 0, 1, 2]
    .filter((turn) => west + turn * period < high[0] && east + turn * period > low[0])
    .map((turn) => ring.map(([x, y]): Position => [x + turn * period, y]))
}

/** Clips a ring to a box (Sutherland and Hodgman 1974). Edges along the box may overlap; even-odd fills ignore it. */
function clipped(ring: readonly Position[], { low, high }: Box): Position[] {
  let part = ring.slice(0, -1)
  for (const axis of [0, 1] as const) {
    for (const [limit, sign] of [
      [low[axis], 1],
      [high[axis], -1]
    ] as const) {
      if (!Number.isFinite(limit)) continue
      const inside = (point: Position): boolean => sign * (point[axis] - limit) >= 0
      part = part.flatMap((point, i) => {
        const before = part[(i + part.length - 1) % part.length]
        if (inside(point) === inside(before)) return inside(point) ? [point] : []
        const share = (limit - before[axis]) / (point[axis] - before[axis])
        const crossing: Position = [
          before[0] + share * (point[0] - before[0]),
          before[1] + share * (point[1] - before[1])
        ]
        crossing[axis] = limit
        return inside(point) ? [crossing, point] : [crossing]
      })
    }
  }
  return part.length === 0 ? [] : [...part, part[0]]
}

/**
 * Largest distance in pixels between an edge and its true course, and the most times an edge is halved to get there.
 */
const STRAIGHT = 0.1
const MOST_HALVINGS = 12

/** Returns a ring's corners in pixels, with extra corners where a straight edge would miss its true course. */
function curved(ring: readonly Position[], toPixels: (points: Float64Array) => Position[]): Position[] {
  const middleOf = ([a, b]: Position, [c, d]: Position): Position => [(a + c) / 2, (b + d) / 2]
  let edges = ring.slice(1).map((to, i) => ({ from: ring[i], to }))
  let corners = toPixels(Float64Array.from(ring.flat()))
  for (let round = 0; round < MOST_HALVINGS; round++) {
    const middles = toPixels(Float64Array.from(edges.flatMap(({ from, to }) => middleOf(from, to))))
    const bent = middles.map(
      ([x, y], i) =>
        Math.hypot(x - (corners[i][0] + corners[i + 1][0]) / 2, y - (corners[i][1] + corners[i + 1][1]) / 2) > STRAIGHT
    )
    if (!bent.includes(true)) break
    const before = edges
    edges = before.flatMap(({ from, to }, i) =>
      bent[i]
        ? [
            { from, to: middleOf(from, to) },
            { from: middleOf(from, to), to }
          ]
        : [{ from, to }]
    )
    corners = [corners[0], ...before.flatMap((_, i) => (bent[i] ? [middles[i], corners[i + 1]] : [corners[i + 1]]))]
  }
  return corners
}

/**
 * Sets the pixels of a window whose centres are inside rings (even-odd rule) to `value`.
 * @param into    row-major, the size of the window
 * @param ratios  pixels of the window's grid per pixel of the rings' grid
 */
export function fillRings(
  rings: PixelRings,
  window: Window,
  ratios: { x: number; y: number },
  into: Uint8Array,
  value: number
): void {
  const { left, top, width, height } = window
  const crossings: number[][] = Array.from({ length: height }, () => [])
  for (const ring of rings) {
    for (let i = 0; i + 1 < ring.length; i++) {
      const [[x0, y0], [x1, y1]] = [ring[i], ring[i + 1]].map(([c, r]) => [c * ratios.x - left, r * ratios.y - top])
      if (y0 === y1) continue
      const first = Math.max(0, Math.ceil(Math.min(y0, y1) - 0.5))
      const last = Math.min(height - 1, Math.ceil(Math.max(y0, y1) - 0.5) - 1)
      for (let r = first; r <= last; r++) crossings[r].push(x0 + ((r + 0.5 - y0) * (x1 - x0)) / (y1 - y0))
    }
  }
  crossings.forEach((places, r) => {
    places.sort((a, b) => a - b)
    for (let i = 0; i + 1 < places.length; i += 2) {
      const from = Math.max(0, Math.ceil(places[i] - 0.5))
      const to = Math.min(width, Math.ceil(places[i + 1] - 0.5))
      if (to > from) into.fill(value, r * width + from, r * width + to)
    }
  })
}
