import geokeysToProj4 from 'geotiff-geokeys-to-proj4'
import proj4 from 'proj4'
import { SmaltiError } from '../contract/errors.ts'
import type { Area } from '../contract/imagery.ts'
import { type Georeference, toPixel } from './georeference.ts'
import type { Window } from './raster.ts'

const LONGITUDE_LATITUDE = '+proj=longlat +datum=WGS84 +no_defs'

/** A coordinate system's definition from `EPSG:32618`, `urn:ogc:def:crs:EPSG::32618` or CRS84. */
export function definitionOf(name: string | undefined): string | undefined {
  if (name === undefined || /CRS84|EPSG:{1,2}4326$/i.test(name)) return LONGITUDE_LATITUDE
  const code = Number(/EPSG:{1,2}(?:[\d.]*:)?(\d+)$/i.exec(name)?.[1])
  return code > 0 ? epsgDefinition(code) : undefined
}

/** The definition of an EPSG code for `proj4`, or undefined where it is not known. */
export function epsgDefinition(code: number): string | undefined {
  for (const keys of [{ ProjectedCSTypeGeoKey: code }, { GeographicTypeGeoKey: code }]) {
    try {
      const { proj4: definition, errors } = geokeysToProj4.toProj4(keys as never)
      if (Object.keys(errors ?? {}).length > 0) continue
      proj4(definition)
      return definition
    } catch {
      // Not of this kind; the other may know it.
    }
  }
  return undefined
}

/** A way from one coordinate system to another, or undefined where there is none. */
export function converter(from: string | undefined, to: string | undefined): ((x: number, y: number) => [number, number]) | undefined {
  if (from === undefined || to === undefined) return undefined
  const convert = proj4(from, to)
  return (x, y) => convert.forward([x, y]) as [number, number]
}

/** From a scene's coordinates to longitude and latitude on WGS 84. */
export function toLongitudeLatitude({ crs }: Pick<Georeference, 'crs'>): ((x: number, y: number) => [number, number]) | undefined {
  return converter(crs, LONGITUDE_LATITUDE)
}

/** An area in longitude and latitude on WGS 84. @throws InvalidSetting where its coordinate system is not known */
export function inLongitudeLatitude({ crs: name, features }: Area): Area {
  const convert = converter(definitionOf(name), LONGITUDE_LATITUDE)
  if (!convert) throw new SmaltiError('InvalidSetting', { setting: 'area', reason: `its coordinate system ${name} is not known` })
  return { features: features.map(({ polygons, properties }) => ({ properties, polygons: polygons.map((parts) => parts.map((ring) => ring.map(([x, y]) => convert(x, y)))) })) }
}

/** Rings of one feature in columns and rows of a scene. */
export type PixelRings = [column: number, row: number][][]

/**
 * An area's features in columns and rows of a scene, all rings of one together (even-odd).
 * @throws AreaUnreachable when the scene's place or coordinate system is not known
 */
export function inPixels(area: Area, georeference: Georeference | undefined, path: string): PixelRings[] {
  const { transform, crs, epsg } = georeference ?? {}
  if (!transform) throw new SmaltiError('AreaUnreachable', { path, reason: 'its place on the ground is not known' })
  const same = epsg !== undefined && area.crs !== undefined && Number(/(\d+)$/.exec(area.crs)?.[1]) === epsg
  const convert = same ? (x: number, y: number): [number, number] => [x, y] : converter(definitionOf(area.crs), crs)
  if (!convert) throw new SmaltiError('AreaUnreachable', { path, reason: 'its coordinate system is not known' })
  return area.features.map(({ polygons }) => polygons.flat().map((ring) => ring.map(([x, y]) => toPixel(transform, ...convert(x, y)))))
}

/**
 * Pixels of a window whose centres lie inside rings (even-odd rule), set to `value`.
 * @param into    row-major, of the window's size
 * @param ratios  pixels of the window's grid to a pixel of the rings'
 */
export function fillRings(rings: PixelRings, window: Window, ratios: { x: number; y: number }, into: Uint8Array, value: number): void {
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
