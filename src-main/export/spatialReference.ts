import type { Place } from '../imagery/crs/crs.ts'

/** A coordinate system, as vector formats describe it. */
export interface SpatialReference {
  name: string
  /** An authority; `NONE` if only the WKT defines the system. */
  organisation: string
  code?: number
  /** WKT 1 if it can express the system, because older programs read it too; otherwise WKT 2. */
  wkt: string
}

/** Describes the coordinate system of a place, or returns undefined if there is no WKT for it. */
export function systemOf(place: Place): SpatialReference | undefined {
  if (!place.known)
    return place.wkt === undefined ? undefined : { name: 'unnamed', organisation: 'NONE', wkt: place.wkt }
  const { crs } = place
  const wkt = crs.wkt('WKT1:GDAL') ?? crs.wkt('WKT2:2019')
  if (wkt === undefined) return undefined
  const [, organisation, code] = /^(\w+):(\d+)$/.exec(crs.code ?? '') ?? []
  return code === undefined
    ? { name: crs.name, organisation: 'NONE', wkt }
    : { name: crs.name, organisation, code: Number(code), wkt }
}
