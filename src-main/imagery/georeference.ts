import type { Crs, Place } from './crs/crs.ts'
import { type GeoKeys, KEY, MODEL, USER_DEFINED, geoKeysOf } from './crs/geoKeyParts.ts'
import { placeOfKeys } from './crs/geoKeys.ts'
import { type Sidecar, auxiliaryOf, projectionFileOf, worldFileOf } from './crs/sidecars.ts'
import type { Transform } from './crs/transform.ts'
import { type Directory, TAG } from './formats/tiff/directory.ts'
import type { Size } from './grid.ts'

/** A TIFF tag, ready to be written to another file. */
export interface GeoTag {
  tag: number
  type: number
  values: number[] | string
}

/** Where an image is on the ground, from its own tags and its sidecar files. */
export interface Georeference {
  /** Absent when ground control points or a camera model (RPC) give the position. */
  transform?: Transform
  /** Tags that place another raster on the image's grid: the file's own tags, or equivalents made from its sidecars. */
  tags: readonly GeoTag[]
  /** Where the coordinates are on the earth. */
  place: Place
  /** Sidecar files that were used, and sidecar files that were ignored because another source took precedence. */
  sidecars: { read: string[]; ignored: string[] }
  /** A warning for the user: control points and camera models are kept, but not used in computations. */
  warning?: string
}

const GEO_TAGS = [TAG.pixelScale, TAG.tiePoints, TAG.transformation, TAG.geoKeys, TAG.geoDoubles, TAG.geoTexts, TAG.rpc]
const SYSTEM_TAGS: readonly number[] = [TAG.geoKeys, TAG.geoDoubles, TAG.geoTexts]
const ASCII = 2
const PIXEL_IS_AREA = 1
const PIXEL_IS_POINT = 2
const UNNAMED: Place = { known: false, reason: 'its coordinate system is not given' }

/**
 * Reads an image's position from a TIFF's tags and the files next to it, or returns undefined when there is none. The
 * order is GDAL's: `.aux.xml` before the tags, the tags before a world file; a `.prj` counts only when nothing else
 * names a coordinate system.
 *
 * @param path  path of the file, if it is on this computer
 */
export async function georeferenceOf(directory: Directory, path?: string): Promise<Georeference | undefined> {
  const tags: GeoTag[] = []
  for (const tag of GEO_TAGS) {
    const field = directory.field(tag)
    if (!field) continue
    const values = field.type === ASCII ? await directory.text(tag) : await directory.numbers(tag)
    if (values !== undefined && values.length > 0) tags.push({ tag, type: field.type, values })
  }
  const numbers = (tag: number): number[] | undefined =>
    tags.find((entry) => entry.tag === tag)?.values as number[] | undefined
  const directoryOfKeys = numbers(TAG.geoKeys)
  const texts = tags.find(({ tag }) => tag === TAG.geoTexts)?.values
  const keys =
    directoryOfKeys && geoKeysOf(directoryOfKeys, numbers(TAG.geoDoubles), typeof texts === 'string' ? texts : '')
  const point = keys?.get(KEY.rasterType) === PIXEL_IS_POINT
  const own = shifted(transformOf(numbers(TAG.transformation), numbers(TAG.pixelScale), numbers(TAG.tiePoints)), point)
  const places = { transform: own, place: keys && namesSystem(keys) ? await placeOfKeys(keys) : undefined, tags }
  const found = await withSidecars(path, places, ['notes', 'own', 'world'])
  if (!found || found.transform) return found
  const warning = numbers(TAG.rpc)
    ? 'its location is given by a camera model (RPC), so its scale and areas are unknown'
    : numbers(TAG.tiePoints)
      ? 'its location is given by ground control points, so its scale and areas are unknown'
      : undefined
  return { ...found, warning }
}

/** Whether a file's keys contain more than the meaning of its pixels. */
const namesSystem = (keys: GeoKeys): boolean => [...keys.keys()].some((key) => key !== KEY.rasterType)

/**
 * Reads an image's position from the files next to it, or returns undefined when there is none. For PNG, GDAL reads a
 * world file first.
 */
export function sidecarGeoreferenceOf(path: string): Promise<Georeference | undefined> {
  return withSidecars(path, { tags: [] }, /\.png$/i.test(path) ? ['world', 'notes'] : ['notes', 'world'])
}

type Origin = 'notes' | 'own' | 'world'

interface Own {
  transform?: Transform
  place?: Place
  tags: readonly GeoTag[]
}

/** @param order  the sources of the transform; the first that has one is used */
async function withSidecars(
  path: string | undefined,
  own: Own,
  order: readonly Origin[]
): Promise<Georeference | undefined> {
  const [notes, world, projection] =
    path === undefined ? [] : await Promise.all([auxiliaryOf(path), worldFileOf(path), projectionFileOf(path)])
  const transforms: Record<Origin, Transform | undefined> = {
    notes: notes?.transform,
    own: own.transform,
    world: world?.transform
  }
  const origin = order.find((name) => transforms[name])
  const transform = origin && transforms[origin]
  const place = notes?.place ?? own.place ?? projection?.place
  if (!transform && !place && own.tags.length === 0 && !notes?.controlPoints) return undefined
  const isRead = (sidecar: Sidecar): boolean =>
    (sidecar.transform !== undefined && sidecar.transform === transform) ||
    (sidecar.place !== undefined && sidecar.place === place)
  const beside = [notes, world, projection].filter((sidecar) => sidecar !== undefined)
  const files = (read: boolean): string[] =>
    beside.filter((sidecar) => isRead(sidecar) === read).map(({ file }) => file)
  return {
    transform,
    place: place ?? UNNAMED,
    tags: await tagsOf(own, transform, place),
    sidecars: { read: files(true), ignored: files(false) },
    warning:
      !transform && notes?.controlPoints
        ? 'its location is given by ground control points, so its scale and areas are unknown'
        : undefined
  }
}

/** Returns a file's tags unchanged if they are complete, or else tags that say as much of the sidecars as tags can. */
async function tagsOf(
  own: Own,
  transform: Transform | undefined,
  place: Place | undefined
): Promise<readonly GeoTag[]> {
  if (transform === own.transform && place === own.place) return own.tags
  if (!transform) return own.tags
  const system =
    place === own.place
      ? own.tags.filter(({ tag }) => SYSTEM_TAGS.includes(tag))
      : place?.known
        ? keyTags(place.crs)
        : []
  return [...transformTags(transform), ...asCorners(system)]
}

function transformOf(
  matrix?: readonly number[],
  scale?: readonly number[],
  ties?: readonly number[]
): Transform | undefined {
  if (matrix && matrix.length === 16)
    return matrix[0] * matrix[5] === matrix[1] * matrix[4]
      ? undefined
      : [matrix[3], matrix[0], matrix[1], matrix[7], matrix[4], matrix[5]]
  if (!scale || scale.length < 2 || !ties || ties.length < 6 || scale[0] === 0 || scale[1] === 0) return undefined
  const [column, row, , x, y] = ties
  // As in GDAL, north is up whatever the sign.
  const down = Math.abs(scale[1])
  return [x - column * scale[0], scale[0], 0, y + row * down, 0, -down]
}

/** Moves the origin from a pixel's centre to its corner, half a pixel back, when coordinates name centres. */
function shifted(transform: Transform | undefined, point: boolean): Transform | undefined {
  if (!transform || !point) return transform
  const [x, xc, xr, y, yc, yr] = transform
  return [x - (xc + xr) / 2, xc, xr, y - (yc + yr) / 2, yc, yr]
}

const DOUBLE = 12
const SHORT = 3
/** GeoKeys store codes in 16 bits. */
const LARGEST_CODE = 65535

/** Returns GeoKeys that name a CRS: its EPSG code, or ESRI's WKT, as GDAL writes a CRS that keys can't express. */
function keyTags(crs: Crs): GeoTag[] {
  const code = Number(/^EPSG:(\d+)$/.exec(crs.code ?? '')?.[1])
  if (code <= LARGEST_CODE)
    return [
      keyDirectory([
        [KEY.model, crs.geographic ? MODEL.geographic : MODEL.projected],
        [KEY.rasterType, PIXEL_IS_AREA],
        [crs.geographic ? KEY.geographic : KEY.projected, code]
      ])
    ]
  const esri = crs.geographic ? undefined : crs.wkt('WKT1:ESRI')
  if (esri === undefined || !/^[\x20-\x7e]*$/.test(esri)) return []
  const citation = `ESRI PE String = ${esri}|`
  return [
    keyDirectory(
      [
        [KEY.model, USER_DEFINED],
        [KEY.rasterType, PIXEL_IS_AREA]
      ],
      { key: KEY.projectedCitation, length: citation.length }
    ),
    { tag: TAG.geoTexts, type: ASCII, values: citation }
  ]
}

function keyDirectory(
  shorts: readonly (readonly [key: number, value: number])[],
  text?: { key: number; length: number }
): GeoTag {
  const entries = [
    ...shorts.map(([key, value]) => [key, 0, 1, value]),
    ...(text ? [[text.key, TAG.geoTexts, text.length, 0]] : [])
  ].sort(([a], [b]) => a - b)
  return { tag: TAG.geoKeys, type: SHORT, values: [1, 1, 0, entries.length, ...entries.flat()] }
}

/** Returns the keys for a raster whose transform names pixel corners. */
function asCorners(system: readonly GeoTag[]): GeoTag[] {
  return system.map((entry) =>
    entry.tag === TAG.geoKeys
      ? {
          ...entry,
          values: (entry.values as number[]).map((value, i, keys) =>
            i % 4 === 3 && i > 3 && keys[i - 3] === KEY.rasterType ? PIXEL_IS_AREA : value
          )
        }
      : entry
  )
}

/** Returns the tags that express a transform. */
export function transformTags([x, xc, xr, y, yc, yr]: Transform): GeoTag[] {
  if (xr !== 0 || yc !== 0 || xc <= 0 || yr >= 0)
    return [{ tag: TAG.transformation, type: DOUBLE, values: [xc, xr, 0, x, yc, yr, 0, y, 0, 0, 0, 0, 0, 0, 0, 1] }]
  return [
    { tag: TAG.pixelScale, type: DOUBLE, values: [xc, -yr, 0] },
    { tag: TAG.tiePoints, type: DOUBLE, values: [0, 0, 0, x, y, 0] }
  ]
}

/** Returns the tags of a raster on the same origin, each of whose pixels covers a `cell` of this image's pixels. */
export function tagsOfCells({ transform, tags }: Georeference, cell: Size): GeoTag[] {
  // Control points and camera models refer to pixels of the image itself.
  if (!transform) return []
  const [x, xc, xr, y, yc, yr] = transform
  const system = tags.filter(({ tag }) => SYSTEM_TAGS.includes(tag))
  return [
    ...transformTags([x, xc * cell.width, xr * cell.height, y, yc * cell.width, yr * cell.height]),
    ...asCorners(system)
  ]
}
