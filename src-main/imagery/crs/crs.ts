import { z } from 'zod'
import { sharedWork } from '../reading/sharedWork.ts'
import { type Handle, type Move, type Proj, type WktKind, loadProj } from './proj.ts'

/** The shape of the earth that a coordinate system assumes. */
export interface Ellipsoid {
  /** In metres. */
  semiMajor: number
  /** (a − b) / a; 0 for a sphere. */
  flattening: number
}

/** A coordinate reference system that PROJ understands and can convert to longitude and latitude. */
export interface Crs {
  name: string
  /** A code such as `EPSG:27700`, if an authority names the system. */
  code?: string
  /** Whether coordinates are longitude and latitude. */
  geographic: boolean
  /** The unit of coordinates. Its size is in metres, or in radians if coordinates are angles. */
  unit: { name: string; size: number }
  ellipsoid: Ellipsoid
  /** Converts to or from longitude and latitude on WGS 84, in degrees. Points off the earth become NaN. */
  toLonLat: Move
  /** Converts to longitude and latitude on the system's own datum, in radians. There is no inverse. */
  toGeodetic(points: Float64Array): void
  /** Returns the accuracy in metres at a place; undefined when the datums are merely assumed to be equal. */
  accuracyAt(longitude: number, latitude: number): number | undefined
  /** Returns the definition as text, or undefined if that kind of text can't express it. */
  wkt(kind: WktKind): string | undefined
}

/** Where a scene's coordinates are on the earth: checked by PROJ, or unknown. */
export type Place = { known: true; crs: Crs } | { known: false; reason: string; wkt?: string }

/** Places by definition. A folder of tiles needs only a few. */
const places = sharedWork<Place>({ most: 512 })

/** Finds the place for a definition: an authority's code, WKT 1 or 2, ESRI's WKT, PROJJSON or a PROJ string. */
export const placeFrom = (definition: string): Promise<Place> =>
  places.get(definition, { make: async () => placeBy(await loadProj(), definition) })

const unitOf = z.union([z.string(), z.object({ name: z.string(), conversion_factor: z.number() })])
const measure = z.union([z.number(), z.object({ value: z.number(), unit: unitOf })])
const ellipsoid = z.object({
  radius: measure.optional(),
  semi_major_axis: measure.optional(),
  semi_minor_axis: measure.optional(),
  inverse_flattening: measure.optional()
})
const datum = z.object({ ellipsoid: ellipsoid.optional() })
/** The part of PROJJSON's description of a CRS that is needed here. */
const described = z.object({
  type: z.string(),
  name: z.string().optional(),
  id: z.object({ authority: z.string(), code: z.union([z.string(), z.number()]) }).optional(),
  datum: datum.optional(),
  datum_ensemble: datum.optional(),
  coordinate_system: z
    .object({ subtype: z.string(), axis: z.array(z.object({ unit: unitOf.optional() })).min(1) })
    .optional(),
  conversion: z.object({ method: z.object({ name: z.string() }).optional() }).optional(),
  base_crs: z.unknown().optional(),
  source_crs: z.unknown().optional(),
  components: z.array(z.unknown()).optional()
})
type Described = z.infer<typeof described>

const UNIT_SIZES: Record<string, number> = { metre: 1, degree: Math.PI / 180, unity: 1 }
const sizeOf = (unit: z.infer<typeof unitOf> = 'metre'): number =>
  typeof unit === 'string' ? (UNIT_SIZES[unit] ?? NaN) : unit.conversion_factor
const metresOf = (value: z.infer<typeof measure>): number =>
  typeof value === 'number' ? value : value.value * sizeOf(value.unit)

const REFUSED: Record<string, string> = {
  EngineeringCRS: 'its coordinate system is a local one, with no position on the Earth',
  VerticalCRS: 'its coordinate system has only heights',
  TemporalCRS: 'its coordinate system has only times',
  ParametricCRS: 'its coordinate system has no positions'
}

/** Whether this is ArcGIS' first Web Mercator, which every later program takes for the current one. */
const isWebMercator = ({ conversion, name }: Flat['own']): boolean =>
  /^(?:Popular Visualisation Pseudo )?Mercator/.test(conversion?.method?.name ?? '') &&
  /Web.?Mercator|Popular Visualisation/i.test(name ?? '')

/**
 * Says what programs disagree about, if they do.
 *
 * @param spherical  whether latitudes on its sphere are converted: PROJ before 9.5 converted those on spheres that EPSG
 *                   names, and no version converts them on a sphere that the file itself defines
 */
function disputeAbout({ conversion }: Flat['own'], { flattening }: Ellipsoid, spherical: boolean): string | undefined {
  if (flattening > 0 && DISPUTED.test(conversion?.method?.name ?? ''))
    return 'it uses a projection for spheres on an ellipsoid, where programs disagree by up to 25 km'
  return spherical ? 'programs disagree by up to 31 km about latitudes on its sphere' : undefined
}

function placeBy(proj: Proj, definition: string): Place {
  const found = created(proj, definition)
  if (found === undefined) return { known: false, reason: "PROJ doesn't know its coordinate system" }
  const flat = horizontal(proj, found)
  if ('reason' in flat) return { known: false, reason: flat.reason, wkt: proj.wkt(found, 'WKT2:2019') }
  const { object, own, json } = identified(proj, flat)
  const wkt = proj.wkt(object, 'WKT2:2019')
  const geographic = own.type.includes('Geographic') || own.type === 'GeodeticCRS'
  const size = sizeOf(own.coordinate_system?.axis[0].unit)
  const base = geographic ? { own, json } : baseOf(own)
  const shape = base && ellipsoidOf(base.json)
  if (!base || !shape || !(size > 0))
    return { known: false, reason: 'its coordinate system has no ellipsoid or unit', wkt }
  const wgs84 = proj.create('EPSG:4326')
  const baseObject = proj.create(JSON.stringify(base.json))
  if (wgs84 === undefined || baseObject === undefined)
    return { known: false, reason: "PROJ doesn't support its datum", wkt }
  const isNamed = base.own.id !== undefined
  const spherical = shape.flattening === 0 && (isNamed || changesLatitudes(proj.mover(baseObject, wgs84)))
  if (spherical && isWebMercator(own)) return placeBy(proj, 'EPSG:3857')
  const dispute = disputeAbout(own, shape, spherical)
  if (dispute !== undefined) return { known: false, reason: dispute, wkt }
  const toLonLat = proj.mover(object, wgs84)
  const toBase = geographic ? undefined : proj.mover(proj.create(JSON.stringify(json)) ?? object, baseObject)
  if (!toLonLat || (!geographic && !toBase))
    return { known: false, reason: "PROJ can't convert its coordinate system to longitude and latitude", wkt }
  const angle = sizeOf(base.own.coordinate_system?.axis[0].unit ?? 'degree')
  const unit = own.coordinate_system?.axis[0].unit ?? 'metre'
  const accuracies = new Map<string, number | undefined>()
  const crs: Crs = {
    name: own.name ?? 'unnamed',
    code: own.id && `${own.id.authority}:${own.id.code}`,
    geographic,
    unit: { name: typeof unit === 'string' ? unit : unit.name, size },
    ellipsoid: shape,
    toLonLat(points, inverse) {
      toLonLat(points, inverse)
      if (!inverse) onEarth(points, 90)
    },
    toGeodetic(points) {
      if (toBase) withinDomain(points, toBase, size)
      for (let i = 0; i < points.length; i++) points[i] *= geographic ? size : angle
      onEarth(points, Math.PI / 2)
    },
    accuracyAt(longitude, latitude) {
      const key = `${longitude.toFixed(2)} ${latitude.toFixed(2)}`
      if (!accuracies.has(key)) accuracies.set(key, proj.accuracy(object, wgs84, { longitude, latitude }))
      return accuracies.get(key)
    },
    wkt: (kind) => proj.wkt(object, kind)
  }
  return { known: true, crs }
}

/** Sets points beyond a pole to NaN; values that aren't latitudes produce such points. */
function onEarth(points: Float64Array, pole: number): void {
  for (let i = 0; i < points.length; i += 2)
    if (!(Math.abs(points[i + 1]) <= pole * (1 + 1e-9))) points[i] = points[i + 1] = NaN
}

/** Codes with letters, such as IGN's. This build of PROJ can't describe a system that has one. */
const LETTERED_CODES = /,\s*(?:AUTHORITY|ID)\[\s*"[^"]*"\s*,\s*"?[^"\],]*[A-Za-z_][^"\],]*"?[^\]]*\]/g

function created(proj: Proj, definition: string): Handle | undefined {
  const found = proj.create(definition)
  if (found === undefined) return undefined
  // As in GDAL: EPSG deprecates definitions that were wrong, and files mean the corrected ones.
  if (/^EPSG:\d+$/.test(definition)) return proj.successor(found) ?? found
  if (proj.json(found) !== undefined || !definition.includes('[')) return found
  return proj.create(definition.replace(LETTERED_CODES, ''))
}

/**
 * Projections that PROJ and EPSG versions compute on the ellipsoid or on a sphere; files come from old and new ones.
 */
const DISPUTED = /^Equidistant Cylindrical|^Gnomonic$|\(Spherical\)$/

/** Degrees by which a latitude may change between a sphere and WGS 84. */
const SAME_LATITUDE = 1e-4

/** Whether PROJ changes latitudes when it converts from a sphere to the ellipsoid. */
function changesLatitudes(toWgs84: Move | undefined): boolean {
  const point = Float64Array.of(10, 45)
  toWgs84?.(point)
  return !(Math.abs(point[1] - 45) < SAME_LATITUDE)
}

/** Metres on the map by which a round trip may miss its starting point. */
const SAME_PLACE = 1

/**
 * Converts points of a map to longitude and latitude. Points that show no place on the earth, such as those outside a
 * sinusoidal map's lobes, become NaN.
 */
function withinDomain(points: Float64Array, toBase: Move, size: number): void {
  const began = points.slice()
  toBase(points)
  keepReturning(points, began, toBase, size)
}

/**
 * Sets converted points to NaN if the inverse doesn't lead back to where they began.
 * @param size  metres per unit of the map
 */
export function keepReturning(points: Float64Array, began: Float64Array, move: Move, size: number): void {
  const back = points.slice()
  move(back, true)
  for (let i = 0; i < points.length; i += 2)
    if (!(Math.hypot(back[i] - began[i], back[i + 1] - began[i + 1]) * size <= SAME_PLACE))
      points[i] = points[i + 1] = NaN
}

interface Flat {
  /** The object to transform, including its bound datum shift if it has one. */
  object: Handle
  /** The horizontal system itself, and its complete PROJJSON. */
  own: Described
  json: unknown
}

/** Extracts the horizontal part of a CRS, whether or not it is bound to a datum shift. */
function horizontal(proj: Proj, object: Handle): Flat | { reason: string } {
  const json = proj.json(object)
  const parsed = described.safeParse(json)
  if (!parsed.success) return { reason: "PROJ doesn't support its coordinate system" }
  const { data } = parsed
  const within = (part: unknown): Flat | { reason: string } => {
    const made = proj.create(JSON.stringify(part))
    return made === undefined
      ? { reason: 'the horizontal part of its coordinate system is unknown' }
      : horizontal(proj, made)
  }
  if (data.type === 'CompoundCRS') return within(data.components?.[0])
  if (data.type === 'BoundCRS') {
    const inner = within(data.source_crs)
    return 'reason' in inner ? inner : { ...inner, object }
  }
  if (data.coordinate_system?.subtype === 'Cartesian' && data.type === 'GeodeticCRS')
    return { reason: "its coordinates are geocentric (x, y, z), which don't suit an image" }
  if (/^(Derived)?(Projected|Geographic)CRS$|^GeodeticCRS$/.test(data.type)) return { object, own: data, json }
  return { reason: REFUSED[data.type] ?? `its type of coordinate system isn't supported (${data.type})` }
}

/** Replaces a definition without a code by the authority's identical system, if there is one. */
function identified(proj: Proj, flat: Flat): Flat {
  if (flat.own.id) return flat
  const same = proj.identify(flat.object)
  const found = same === undefined ? undefined : horizontal(proj, same)
  return found && !('reason' in found) ? found : flat
}

/** Returns the geographic system that a projected one is based on. */
function baseOf({ base_crs: json }: Described): Pick<Flat, 'own' | 'json'> | undefined {
  const { success, data } = described.safeParse(json)
  if (!success) return undefined
  return /^(Derived)?GeographicCRS$|^GeodeticCRS$/.test(data.type) ? { own: data, json } : baseOf(data)
}

/** Returns the ellipsoid of a system described in PROJJSON. */
export function ellipsoidOf(json: unknown): Ellipsoid | undefined {
  const parsed = described.safeParse(json)
  if (!parsed.success) return undefined
  const { datum: single, datum_ensemble: ensemble, base_crs: base } = parsed.data
  const found = (single ?? ensemble)?.ellipsoid
  if (!found) return base === undefined ? undefined : ellipsoidOf(base)
  const semiMajor = found.radius ?? found.semi_major_axis
  if (semiMajor === undefined) return undefined
  const a = metresOf(semiMajor)
  if (found.semi_minor_axis !== undefined) return { semiMajor: a, flattening: 1 - metresOf(found.semi_minor_axis) / a }
  if (found.inverse_flattening === undefined) return { semiMajor: a, flattening: 0 }
  const inverse =
    typeof found.inverse_flattening === 'number' ? found.inverse_flattening : found.inverse_flattening.value
  return { semiMajor: a, flattening: inverse === 0 ? 0 : 1 / inverse }
}
