import type { Place } from '../imagery/crs/crs.ts'

/** A coordinate system as vector formats name it. */
export interface SpatialReference {
  name: string
  /** Of an authority; `NONE` where the text alone says it. */
  organisation: string
  code?: number
  /** WKT 1 where it can say it, which older programs read too, else WKT 2. */
  wkt: string
}

/** The coordinate system of a place, or undefined where there is no text of it. */
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
