import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { SmaltiError } from '../../contract/errors.ts'
import type { Area } from '../../contract/imagery.ts'
import { placeOfName } from './area.ts'

type Ring = [number, number][]

/** A position; heights and measures may follow x and y. */
const position = z.tuple([z.number(), z.number()], z.unknown())
const polygon = z.array(z.array(position))
const multiPolygon = z.array(polygon)
const crsMember = z.union([
  z.object({ type: z.literal('name').optional(), properties: z.object({ name: z.string() }) }),
  z.object({ type: z.literal('EPSG'), properties: z.object({ code: z.union([z.int(), z.string().regex(/^\d+$/)]) }) })
])

/** A geometry of any type. Its coordinates and parts are read once the type is known. */
const geometry = z.object({
  type: z.enum([
    'Polygon',
    'MultiPolygon',
    'GeometryCollection',
    'Point',
    'MultiPoint',
    'LineString',
    'MultiLineString'
  ]),
  coordinates: z.unknown().optional(),
  geometries: z.array(z.unknown()).optional(),
  crs: z.unknown().optional()
})
type Geometry = z.infer<typeof geometry>

const feature = z.object({
  type: z.literal('Feature'),
  geometry: geometry.nullish(),
  properties: z.record(z.string(), z.unknown()).nullish(),
  crs: z.unknown().optional()
})
const document = z.union([
  z.object({ type: z.literal('FeatureCollection'), features: z.array(feature), crs: z.unknown().optional() }),
  feature,
  geometry
])

/** Largest longitude accepted: shapes that cross 180° may continue beyond it. */
const MOST_LONGITUDE = 540
/** Deepest nesting accepted. No real file goes deeper, and deeper recursion would overflow the stack. */
const MOST_NESTED = 100

/**
 * Reads the polygons of a GeoJSON file (UTF-8, or UTF-16 with a byte order mark). Each polygon or multi-polygon becomes
 * a feature; points, lines and empty geometries are left out.
 * @param setting  the option or field that the path came from
 * @throws InvalidSetting naming `setting`, the file and the problem
 */
export async function readArea(path: string, setting: string): Promise<Area> {
  const refused = (reason: string): SmaltiError =>
    new SmaltiError('InvalidSetting', { setting, reason: `${path} ${reason}` })
  const content = await readJsonText(path, refused)
  const parsed = document.safeParse(content)
  if (!parsed.success) throw refused(notGeoJson(content, parsed.error))
  const found = parsed.data
  const features =
    found.type === 'FeatureCollection'
      ? found.features
      : [found.type === 'Feature' ? found : { geometry: found, properties: {}, crs: undefined }]
  const systems = new Set<string | undefined>()
  const polygons = features.flatMap(({ geometry: shape, properties, crs }, i): Area['features'] =>
    polygonsOf(shape, (reason) => refused(`can't be read: feature ${i + 1} ${reason}`)).map(
      ({ polygons: parts, crs: own }) => {
        systems.add(nameOf([own, crs, 'crs' in found ? found.crs : undefined], refused))
        return { polygons: parts, properties: properties ?? {} }
      }
    )
  )
  if (polygons.length === 0) throw refused('contains no polygon')
  if (systems.size > 1) throw refused('mixes coordinate systems; convert it to one')
  const [name] = systems
  if (!(await placeOfName(name)).known)
    throw refused(`is in the coordinate system ${name}, which Smalti doesn't know; convert it to EPSG:4326`)
  if (
    name === undefined &&
    polygons.some(({ polygons: parts }) =>
      parts.flat(2).some(([x, y]) => !(Math.abs(x) <= MOST_LONGITUDE && Math.abs(y) <= 90))
    )
  )
    throw refused(
      'has coordinates that are not longitude and latitude, and names no coordinate system; convert it to EPSG:4326, or add its crs'
    )
  return name === undefined ? { features: polygons } : { crs: name, features: polygons }
}

type Refused = (reason: string) => SmaltiError

async function readJsonText(path: string, refused: Refused): Promise<unknown> {
  let text: string
  try {
    text = decoded(await readFile(path))
  } catch (fault) {
    throw refused(
      (fault as NodeJS.ErrnoException).code === 'ENOENT'
        ? 'does not exist'
        : `can't be read: ${(fault as Error).message}`
    )
  }
  try {
    return JSON.parse(text)
  } catch (fault) {
    throw refused(`isn't valid JSON: ${(fault as Error).message}`)
  }
}

/** Decodes a file's text according to its byte order mark. */
function decoded(bytes: Uint8Array): string {
  const mark =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8'
  // The decoder drops the mark.
  return new TextDecoder(mark).decode(bytes)
}

/** Explains why a document is rejected, with a special reason for the formats most often mistaken for GeoJSON. */
function notGeoJson(content: unknown, error: z.ZodError): string {
  const { type, geometryType, features, annotations } = Object(content) as Partial<
    Record<'type' | 'geometryType' | 'features' | 'annotations', unknown>
  >
  const convert = 'convert it to GeoJSON, for example with ogr2ogr'
  if (type === 'Topology') return `is TopoJSON; ${convert}`
  if (geometryType !== undefined && features !== undefined) return `is Esri JSON; ${convert}`
  if (annotations !== undefined) return 'is a COCO file; convert it to masks or GeoJSON'
  if (type !== 'FeatureCollection') return "isn't GeoJSON with polygons"
  const place = error.issues
    .flatMap((issue) => (issue.code === 'invalid_union' ? issue.errors.flat() : [issue]))
    .find(({ path: [name] }) => name === 'features')
  return typeof place?.path[1] === 'number'
    ? `isn't valid GeoJSON: feature ${place.path[1] + 1} can't be read`
    : "isn't valid GeoJSON"
}

interface Part {
  polygons: Ring[][]
  crs: unknown
}

/**
 * Collects the polygons of a geometry. The parts of a collection stay separate: unlike the parts of a multi-polygon,
 * they may overlap.
 */
function polygonsOf(shape: Geometry | null | undefined, refused: Refused, depth = 0): Part[] {
  if (!shape) return []
  if (depth > MOST_NESTED) throw refused('nests its geometries too deeply')
  if (shape.type === 'GeometryCollection') {
    return (shape.geometries ?? []).flatMap((part) => {
      const known = geometry.safeParse(part)
      if (!known.success) throw refused('has a collection with an invalid geometry')
      return polygonsOf({ ...known.data, crs: known.data.crs ?? shape.crs }, refused, depth + 1)
    })
  }
  if (shape.type !== 'Polygon' && shape.type !== 'MultiPolygon') return []
  const read =
    shape.type === 'Polygon'
      ? polygon.transform((rings) => [rings]).safeParse(shape.coordinates)
      : multiPolygon.safeParse(shape.coordinates)
  if (!read.success) throw refused('has a polygon whose coordinates are invalid')
  const polygons = read.data
    .filter(([outer]) => coversGround(outer))
    .map((rings) => rings.filter(coversGround).map(closed))
  return polygons.length > 0 ? [{ polygons, crs: shape.crs }] : []
}

/** Whether a ring can enclose an area. Empty and degenerate rings can't. */
const coversGround = (ring: readonly unknown[] | undefined): boolean => ring !== undefined && ring.length >= 3

/** Closes a ring, as the standard requires and some programs forget. */
function closed(positions: readonly z.infer<typeof position>[]): Ring {
  const ring = positions.map(([x, y]): [number, number] => [x, y])
  const [first, last] = [ring[0], ring[ring.length - 1]]
  return first[0] === last[0] && first[1] === last[1] ? ring : [...ring, first]
}

/** Returns the name of the innermost coordinate system given; undefined stands for longitude and latitude. */
function nameOf(members: readonly unknown[], refused: Refused): string | undefined {
  const given = members.find((member) => member !== undefined && member !== null)
  if (given === undefined) return undefined
  const parsed = crsMember.safeParse(given)
  if (!parsed.success)
    throw refused("doesn't name its coordinate system in a way that Smalti reads; convert it to EPSG:4326")
  const { properties } = parsed.data
  return 'name' in properties ? properties.name : `EPSG:${properties.code}`
}
