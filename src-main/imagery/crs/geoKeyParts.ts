import type { Handle, Proj } from './proj.ts'

/** GeoKeys by number, as stored in three TIFF tags (GeoTIFF 1.1, annex B). */
export type GeoKeys = ReadonlyMap<number, number | readonly number[] | string>

/** Numbers of the GeoKeys used here. */
export const KEY = {
  model: 1024,
  rasterType: 1025,
  citation: 1026,
  geographic: 2048,
  geographicCitation: 2049,
  datum: 2050,
  primeMeridian: 2051,
  angularUnit: 2054,
  angularUnitSize: 2055,
  ellipsoid: 2056,
  semiMajor: 2057,
  semiMinor: 2058,
  inverseFlattening: 2059,
  primeMeridianLongitude: 2061,
  toWgs84: 2062,
  projected: 3072,
  projectedCitation: 3073,
  conversion: 3074,
  method: 3075,
  linearUnit: 3076,
  linearUnitSize: 3077
} as const

export const USER_DEFINED = 32767

export const MODEL = { projected: 1, geographic: 2, geocentric: 3 } as const

const DIRECTORY_START = 4

const DOUBLES = 34736

const TEXTS = 34737

/** Parses GeoKeys. @param directory  the GeoKeyDirectoryTag, 4 numbers per key */
export function geoKeysOf(directory: readonly number[], doubles: readonly number[] = [], texts = ''): GeoKeys {
  const keys = new Map<number, number | readonly number[] | string>()
  for (let i = DIRECTORY_START; i + 3 < directory.length; i += 4) {
    const [key, where, count, value] = directory.slice(i, i + 4)
    if (where === 0) keys.set(key, value)
    else if (where === DOUBLES && value + count <= doubles.length)
      keys.set(key, count === 1 ? doubles[value] : doubles.slice(value, value + count))
    else if (where === TEXTS) keys.set(key, texts.slice(value, value + count).replace(/[|\0\s]+$/, ''))
  }
  return keys
}

export const number = (keys: GeoKeys, key: number): number | undefined => {
  const value = keys.get(key)
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

export const words = (keys: GeoKeys, key: number): string | undefined => {
  const value = keys.get(key)
  return typeof value === 'string' ? value : undefined
}

/** Reads a code that names something. 0 means undefined, and 32767 means that other keys describe it. */
export const code = (keys: GeoKeys, key: number): number | undefined => {
  const value = number(keys, key)
  return value === undefined || value <= 0 || value === USER_DEFINED ? undefined : value
}

/** Returns the semi-major axis and the inverse flattening of an ellipsoid; the keys count more than its name. */
function axesOf(keys: GeoKeys, own: Part | undefined): { semiMajor: number; inverse: unknown } | undefined {
  const semiMajor = number(keys, KEY.semiMajor) ?? own?.semi_major_axis ?? own?.radius
  if (typeof semiMajor !== 'number' || !(semiMajor > 0)) return undefined
  const semiMinor = number(keys, KEY.semiMinor) ?? own?.semi_minor_axis
  const inverse =
    number(keys, KEY.inverseFlattening) ??
    own?.inverse_flattening ??
    (typeof semiMinor === 'number' && semiMinor < semiMajor ? semiMajor / (semiMajor - semiMinor) : 0)
  return { semiMajor, inverse }
}

/** Describes a datum or ellipsoid given by keys as WKT 1, where PROJ also recognises datums by name. */
export function geographicText(proj: Proj, keys: GeoKeys): string | undefined {
  const parts = Object.fromEntries(
    (words(keys, KEY.geographicCitation) ?? '')
      .split('|')
      .map((part) => part.split(/\s*=\s*/, 2))
      .filter(({ length }) => length === 2)
  ) as Record<string, string | undefined>
  const datum = partOf(proj, keys, KEY.datum, 'datum')
  const own = partOf(proj, keys, KEY.ellipsoid, 'ellipsoid') ?? (datum?.ellipsoid as Part | undefined)
  const axes = axesOf(keys, own)
  if (!axes) return undefined
  const meridian =
    number(keys, KEY.primeMeridianLongitude) ??
    Number(partOf(proj, keys, KEY.primeMeridian, 'prime meridian')?.longitude ?? 0)
  const unit = angularUnitOf(proj, keys)
  const shift = keys.get(KEY.toWgs84)
  const quoted = (name: string): string => `"${name.replaceAll('"', '')}"`
  const toWgs84 =
    Array.isArray(shift) && (shift.length === 3 || shift.length === 7)
      ? `,TOWGS84[${[...(shift as number[]), 0, 0, 0, 0].slice(0, 7).join(',')}]`
      : ''
  return `GEOGCS[${quoted(parts['GCS Name'] ?? words(keys, KEY.geographicCitation)?.split('|')[0] ?? 'unknown')},DATUM[${quoted(String(datum?.name ?? parts.Datum ?? 'unknown'))},SPHEROID[${quoted(String(own?.name ?? parts.Ellipsoid ?? 'unknown'))},${axes.semiMajor},${String(axes.inverse)}]${toWgs84}],PRIMEM[${quoted(meridian === 0 ? 'Greenwich' : (parts.Primem ?? 'unknown'))},${meridian}],UNIT[${quoted(unit.name)},${unit.conversion_factor}]]`
}

interface Part {
  name?: unknown
  ellipsoid?: unknown
  semi_major_axis?: unknown
  semi_minor_axis?: unknown
  inverse_flattening?: unknown
  radius?: unknown
  longitude?: unknown
}

/** Looks up a datum, ellipsoid or prime meridian that a key names by its EPSG code. */
function partOf(
  proj: Proj,
  keys: GeoKeys,
  key: number,
  category: 'datum' | 'ellipsoid' | 'prime meridian'
): Part | undefined {
  const named = code(keys, key)
  const found: Handle | undefined = named === undefined ? undefined : proj.fromDatabase('EPSG', String(named), category)
  return found && proj.json(found)
}

interface LinearUnit {
  type: 'LinearUnit'
  name: string
  conversion_factor: number
}

/** Returns the unit of eastings and northings; metres by default. */
export function linearUnitOf(proj: Proj, keys: GeoKeys): LinearUnit | undefined {
  const named = number(keys, KEY.linearUnit)
  const size = number(keys, KEY.linearUnitSize)
  if (named === undefined || named === 0) return { type: 'LinearUnit', name: 'metre', conversion_factor: 1 }
  if (named === USER_DEFINED)
    return size !== undefined && size > 0 ? { type: 'LinearUnit', name: 'unknown', conversion_factor: size } : undefined
  const found = proj.unit(named)
  return found && { type: 'LinearUnit', name: found.name, conversion_factor: found.size }
}

/** Returns the unit of longitudes, latitudes and projection angles; degrees by default. */
export function angularUnitOf(
  proj: Proj,
  keys: GeoKeys
): { type: 'AngularUnit'; name: string; conversion_factor: number } {
  const named = number(keys, KEY.angularUnit)
  const size = number(keys, KEY.angularUnitSize)
  if (named === USER_DEFINED && size !== undefined && size > 0)
    return { type: 'AngularUnit', name: 'unknown', conversion_factor: size }
  const found = named === undefined || named === 0 ? undefined : proj.unit(named)
  return { type: 'AngularUnit', name: found?.name ?? 'degree', conversion_factor: found?.size ?? Math.PI / 180 }
}
