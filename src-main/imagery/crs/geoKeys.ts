import { type Crs, type Place, ellipsoidOf, placeFrom } from './crs.ts'
import { type Proj, loadProj } from './proj.ts'
import { sharedWork } from '../reading/sharedWork.ts'
import { ORIGIN_LATITUDES, methodOf } from './projectionMethods.ts'
import {
  type GeoKeys,
  KEY,
  MODEL,
  USER_DEFINED,
  angularUnitOf,
  code,
  geographicText,
  linearUnitOf,
  number,
  words
} from './geoKeyParts.ts'

const unknown = (reason: string): Place => ({ known: false, reason })

/** Places by GeoKeys. All tiles of a scene share the same keys. */
const places = sharedWork<Place>({ most: 512 })

/** Finds the place for a file's GeoKeys. Keys take precedence as in GDAL (`GTIFGetOGISDefn`); heights are ignored. */
export const placeOfKeys = (keys: GeoKeys): Promise<Place> =>
  places.get(JSON.stringify([...keys]), { make: () => placeBy(keys) })

async function placeBy(keys: GeoKeys): Promise<Place> {
  const model = number(keys, KEY.model)
  if (model === MODEL.geocentric) return unknown("its coordinates are geocentric (x, y, z), which don't suit an image")
  const projected =
    model === MODEL.projected ||
    (model !== MODEL.geographic &&
      (code(keys, KEY.projected) ?? code(keys, KEY.method) ?? code(keys, KEY.conversion)) !== undefined)
  const proj = await loadProj()
  if (!projected && model === MODEL.geographic) return placeOfGeographic(proj, keys)
  const named = code(keys, KEY.projected)
  if (named !== undefined) return placeOfCode(proj, named, keys)
  const esri = esriTextOf(keys)
  if (esri !== undefined) return placeOfText(proj, esri, keys)
  if (projected) return placeOfProjection(proj, keys)
  return model === undefined
    ? placeOfGeographic(proj, keys)
    : unknown('its coordinate system is user-defined and not described')
}

/** Finds a projected system by its EPSG or ESRI code. Keys for another unit, datum or projection take precedence. */
async function placeOfCode(proj: Proj, named: number, keys: GeoKeys): Promise<Place> {
  const found = ['EPSG', 'ESRI']
    .map((authority) => ({ definition: `${authority}:${named}`, object: proj.create(`${authority}:${named}`) }))
    .find(({ object }) => object !== undefined)
  if (!found) return unknown(`its coordinate system, EPSG:${named}, is unknown`)
  const place = await placeFrom(found.definition)
  const json = proj.json(found.object!)
  if (!place.known || json?.type !== 'ProjectedCRS') return place
  const system: Record<string, unknown> = { ...json, id: undefined }
  if (number(keys, KEY.method) !== undefined) {
    const described = await placeOfProjection(proj, keys)
    if (described.known && !coincide(place.crs, described.crs)) return described
  }
  const unit = number(keys, KEY.linearUnit) ? linearUnitOf(proj, keys) : undefined
  const otherUnit = unit && Math.abs(unit.conversion_factor / place.crs.unit.size - 1) > 1e-7
  const base = code(keys, KEY.geographic)
  const otherBase =
    base !== undefined && Number((system.base_crs as { id?: { code: unknown } } | undefined)?.id?.code) !== base
      ? baseOf(proj, keys)
      : undefined
  if (otherBase && 'reason' in otherBase) return unknown(otherBase.reason)
  if (!otherUnit && !otherBase) return place
  const axes = (system.coordinate_system as { axis: object[] }).axis
  return placeFrom(
    JSON.stringify({
      ...system,
      name: `${String(system.name)}, modified`,
      ...(otherBase && { base_crs: otherBase.crs }),
      ...(otherUnit && { coordinate_system: { subtype: 'Cartesian', axis: axes.map((axis) => ({ ...axis, unit })) } })
    })
  )
}

/** Offsets from the origin, in degrees, at which two systems are compared, and metres by which they may differ. */
const COMPARED = [1, 1, -1, -1, 2, -1]

const SAME = 0.5

/** Whether two systems give the same coordinates around the first one's origin. */
function coincide(first: Crs, second: Crs): boolean {
  const origin = Float64Array.of(0, 0)
  first.toLonLat(origin)
  if (origin.some(Number.isNaN)) origin.fill(0)
  const places = Float64Array.from(COMPARED, (by, i) => origin[i % 2] + by)
  const [one, other] = [first, second].map((crs) => {
    const points = places.slice()
    crs.toLonLat(points, true)
    return points.map((value) => value * crs.unit.size)
  })
  return one.every((value, i) => (Number.isNaN(value) && Number.isNaN(other[i])) || Math.abs(value - other[i]) < SAME)
}

/** Finds a projected system that keys define in full. */
function placeOfProjection(proj: Proj, keys: GeoKeys): Promise<Place> {
  const refused = (reason: string): Promise<Place> => Promise.resolve(unknown(reason))
  const base = baseOf(proj, keys)
  if ('reason' in base) return refused(base.reason)
  const conversion = conversionOf(proj, keys)
  if (typeof conversion.reason === 'string') return refused(conversion.reason)
  const unit = linearUnitOf(proj, keys)
  if (!unit) return refused('the unit of its coordinates is unknown')
  const axis = (name: string, abbreviation: string, direction: string): object => ({
    name,
    abbreviation,
    direction,
    unit
  })
  const system = {
    type: 'ProjectedCRS',
    name: nameOf(words(keys, KEY.projectedCitation) ?? words(keys, KEY.citation)),
    base_crs: base.crs,
    conversion,
    coordinate_system: { subtype: 'Cartesian', axis: [axis('Easting', 'E', 'east'), axis('Northing', 'N', 'north')] }
  }
  return placeFrom(JSON.stringify(base.bound ? { ...base.bound, source_crs: system } : system))
}

function placeOfGeographic(proj: Proj, keys: GeoKeys): Promise<Place> {
  const named = code(keys, KEY.geographic)
  if (named !== undefined) return placeFrom(`EPSG:${named}`)
  const text = esriTextOf(keys) ?? geographicText(proj, keys)
  return text === undefined
    ? Promise.resolve(unknown("its GeoTIFF keys don't name a coordinate system"))
    : placeFrom(text)
}

const ESRI_TEXT = /ESRI PE String = ([\s\S]*)$/i

/** Finds ESRI's WKT in a citation. ArcGIS writes it there, and so does GDAL when keys can't express the system. */
function esriTextOf(keys: GeoKeys): string | undefined {
  for (const key of [KEY.projectedCitation, KEY.citation, KEY.geographicCitation]) {
    const found = ESRI_TEXT.exec(words(keys, key) ?? '')?.[1].trim()
    if (found) return found
  }
  return undefined
}

/** Finds a system from ESRI's WKT, on the datum that a key names by code; the text contains only the datum's name. */
function placeOfText(proj: Proj, text: string, keys: GeoKeys): Promise<Place> {
  const found = code(keys, KEY.geographic) === undefined ? undefined : proj.create(text)
  const json = found && proj.json(found)
  const other = json?.type === 'ProjectedCRS' && json.id === undefined ? baseOf(proj, keys) : undefined
  // The old Web Mercator is on a sphere, although a key says WGS 84.
  const base = other && 'crs' in other && sameShape(other.crs, json?.base_crs) ? other : undefined
  // A PROJ string in the remarks would take precedence over everything else.
  return placeFrom(base ? JSON.stringify({ ...json, base_crs: base.crs, remarks: undefined }) : text)
}

/** Whether two geographic systems, given in PROJJSON, have ellipsoids that differ by less than a metre. */
function sameShape(one: unknown, other: unknown): boolean {
  const [first, second] = [one, other].map((system) => ellipsoidOf(system))
  return (
    first !== undefined &&
    second !== undefined &&
    Math.abs(first.semiMajor - second.semiMajor) < 1 &&
    Math.abs(first.flattening - second.flattening) * first.semiMajor < 1
  )
}

interface Base {
  crs: unknown
  /** The system bound to the shift to WGS 84 that the file gives. */
  bound?: Record<string, unknown>
}

/** Finds the geographic system that the file's projected system is based on. */
function baseOf(proj: Proj, keys: GeoKeys): Base | { reason: string } {
  const named = code(keys, KEY.geographic)
  const definition = named === undefined ? geographicText(proj, keys) : `EPSG:${named}`
  const found = definition === undefined ? undefined : proj.create(definition)
  const json = found && proj.json(found)
  if (!json)
    return {
      reason: named === undefined ? "its GeoTIFF keys don't name a datum" : `its datum, EPSG:${named}, is unknown`
    }
  return json.type === 'BoundCRS' ? { crs: json.source_crs, bound: json } : { crs: json }
}

/** Returns a projection with its parameters, from its EPSG code or from keys, or the `reason` why there is none. */
function conversionOf(proj: Proj, keys: GeoKeys): Record<string, unknown> {
  const named = code(keys, KEY.conversion)
  if (named !== undefined) {
    const found = proj.fromDatabase('EPSG', String(named), 'operation')
    const json = found && proj.json(found)
    return json?.type === 'Conversion' ? json : { reason: `its projection, EPSG:${named}, is unknown` }
  }
  const method = number(keys, KEY.method)
  if (method === undefined || method === USER_DEFINED)
    return { reason: 'its projection is user-defined and not described' }
  const unit = { angle: angularUnitOf(proj, keys), length: linearUnitOf(proj, keys), scale: 'unity' }
  if (!unit.length) return { reason: 'the unit of its coordinates is unknown' }
  const first = (candidates: readonly number[]): number | undefined =>
    candidates.map((key) => number(keys, key)).find((value) => value !== undefined)
  const projection = methodOf(
    method,
    (key) => number(keys, key) !== undefined,
    ((first(ORIGIN_LATITUDES) ?? 0) * unit.angle.conversion_factor * 180) / Math.PI
  )
  if (!projection) return { reason: `its projection (method ${method}) isn't supported` }
  return {
    type: 'Conversion',
    name: 'unnamed',
    method: {
      name: projection.name,
      ...(projection.code !== undefined && { id: { authority: 'EPSG', code: projection.code } })
    },
    parameters: projection.parameters.map(({ name, code: id, keys: candidates, kind }) => ({
      name,
      value: first(candidates) ?? (kind === 'scale' ? 1 : 0),
      unit: unit[kind],
      id: { authority: 'EPSG', code: id }
    }))
  }
}

/** Returns the first words of a citation, without the markers that programs put before them. */
const nameOf = (citation = ''): string => /^(?:PCS Name = )?([^|]*)/.exec(citation)![1].trim() || 'unnamed'
