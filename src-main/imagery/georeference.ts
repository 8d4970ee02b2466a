import { readFile } from 'node:fs/promises'
import { globals } from 'geotiff'
import geokeysToProj4 from 'geotiff-geokeys-to-proj4'
import proj4 from 'proj4'
import { type Directory, TAG } from './formats/tiff/directory.ts'
import type { Size } from './grid.ts'

/** `x = t₀ + t₁·column + t₂·row`, `y = t₃ + t₄·column + t₅·row`; whole numbers are pixel corners, as in GDAL. */
export type Transform = readonly [number, number, number, number, number, number]

/** A tag of a TIFF file as it is written again. */
export interface GeoTag {
  tag: number
  type: number
  values: number[] | string
}

export interface Georeference {
  /** Absent where ground control points or a camera model (RPC) say where the image lies. */
  transform?: Transform
  /** The file's own tags, verbatim. */
  tags: readonly GeoTag[]
  /** The coordinate system for `proj4`; absent where it is not known or cannot be expressed. */
  crs?: string
  /** Its well-known text where the file gives that and no keys (`.prj`). */
  wkt?: string
  /** EPSG code, if the file names one. */
  epsg?: number
  /** Coordinates are longitude and latitude in degrees. */
  geographic: boolean
  /** What a user should know: control points and camera models are kept, but nothing is computed with them. */
  warning?: string
}

const GEO_TAGS = [TAG.pixelScale, TAG.tiePoints, TAG.transformation, TAG.geoKeys, TAG.geoDoubles, TAG.geoTexts, TAG.rpc]
const ASCII = 2
const KEY = { rasterType: 1025, geographic: 2048, projected: 3072, model: 1024 }
const USER_DEFINED = 32767
const PIXEL_IS_AREA = 1
const PIXEL_IS_POINT = 2

/** What a TIFF's own tags say of its place, or undefined where they say nothing. */
export async function georeferenceOf(directory: Directory): Promise<Georeference | undefined> {
  const tags: GeoTag[] = []
  for (const tag of GEO_TAGS) {
    const field = directory.field(tag)
    if (!field) continue
    const values = field.type === ASCII ? await directory.text(tag) : await directory.numbers(tag)
    if (values !== undefined && values.length > 0) tags.push({ tag, type: field.type, values })
  }
  if (tags.length === 0) return undefined
  const numbers = (tag: number): number[] | undefined => tags.find((entry) => entry.tag === tag)?.values as number[] | undefined
  const keys = keysOf(numbers(TAG.geoKeys))
  const point = keys.get(KEY.rasterType) === PIXEL_IS_POINT
  const transform = shifted(transformOf(numbers(TAG.transformation), numbers(TAG.pixelScale), numbers(TAG.tiePoints)), point)
  const code = keys.get(KEY.projected) ?? keys.get(KEY.geographic)
  const warning = transform
    ? undefined
    : numbers(TAG.rpc)
      ? 'its place is given by a camera model (RPC), which is kept; areas and scales on the ground are not known'
      : numbers(TAG.tiePoints)
        ? 'its place is given by ground control points, which are kept; areas and scales on the ground are not known'
        : undefined
  return {
    transform,
    tags,
    crs: crsOf(tags),
    epsg: code !== undefined && code > 0 && code !== USER_DEFINED ? code : undefined,
    geographic: keys.get(KEY.model) === 2 || (!keys.has(KEY.projected) && keys.has(KEY.geographic)),
    warning
  }
}

/** Keys whose values stand in the directory itself. */
function keysOf(directory: readonly number[] = []): Map<number, number> {
  const keys = new Map<number, number>()
  for (let i = 4; i + 3 < directory.length; i += 4) if (directory[i + 1] === 0) keys.set(directory[i], directory[i + 3])
  return keys
}

function transformOf(matrix?: readonly number[], scale?: readonly number[], ties?: readonly number[]): Transform | undefined {
  if (matrix && matrix.length === 16) return [matrix[3], matrix[0], matrix[1], matrix[7], matrix[4], matrix[5]]
  if (!scale || scale.length < 2 || !ties || ties.length < 6) return undefined
  const [column, row, , x, y] = ties
  return [x - column * scale[0], scale[0], 0, y + row * scale[1], 0, -scale[1]]
}

/** Where coordinates name pixel centres, the corner lies half a pixel before. */
function shifted(transform: Transform | undefined, point: boolean): Transform | undefined {
  if (!transform || !point) return transform
  const [x, xc, xr, y, yc, yr] = transform
  return [x - (xc + xr) / 2, xc, xr, y - (yc + yr) / 2, yc, yr]
}

/** The GeoKeys as `proj4` understands them. */
function crsOf(tags: readonly GeoTag[]): string | undefined {
  const at = (tag: number): number[] | string | undefined => tags.find((entry) => entry.tag === tag)?.values
  const directory = at(TAG.geoKeys) as number[] | undefined
  if (!directory) return undefined
  const [doubles, texts] = [(at(TAG.geoDoubles) ?? []) as number[], String(at(TAG.geoTexts) ?? '')]
  const named: Record<string, unknown> = {}
  for (let i = 4; i + 3 < directory.length; i += 4) {
    const [key, where, count, value] = directory.slice(i, i + 4)
    const name = (globals.geoKeyNames as Record<number, string>)[key]
    if (!name) continue
    if (where === 0) named[name] = value
    else if (where === TAG.geoDoubles) named[name] = count === 1 ? doubles[value] : doubles.slice(value, value + count)
    else if (where === TAG.geoTexts) named[name] = texts.slice(value, value + count - 1)
  }
  try {
    const { proj4: definition } = geokeysToProj4.toProj4(named as never)
    proj4(definition)
    return definition
  } catch {
    // A coordinate system of a kind that proj4 does not know: the tags are kept all the same.
    return undefined
  }
}

const WORLD_FILES: Record<string, string[]> = {
  tif: ['tfw', 'tifw', 'wld'],
  tiff: ['tfw', 'tifw', 'tiffw', 'wld'],
  jpg: ['jgw', 'jpgw', 'wld'],
  jpeg: ['jgw', 'jpegw', 'wld'],
  png: ['pgw', 'pngw', 'wld'],
  webp: ['wpw', 'webpw', 'wld']
}

/** What a world file and a `.prj` beside an image say, for images that do not say it themselves. */
export async function worldFileOf(path: string): Promise<Georeference | undefined> {
  const dot = path.lastIndexOf('.')
  const [stem, extension] = [path.slice(0, dot), path.slice(dot + 1).toLowerCase()]
  const lines = await firstOf((WORLD_FILES[extension] ?? []).flatMap((name) => [`${stem}.${name}`, `${stem}.${name.toUpperCase()}`]))
  if (lines === undefined) return undefined
  const [a, d, b, e, x, y] = lines.trim().split(/\s+/).map(Number)
  if (![a, d, b, e, x, y].every(Number.isFinite) || a * e - b * d === 0) return undefined
  // A world file names the centre of the upper left pixel.
  const transform: Transform = [x - (a + b) / 2, a, b, y - (d + e) / 2, d, e]
  const wkt = await firstOf([`${stem}.prj`, `${stem}.PRJ`])
  let crs: string | undefined
  try {
    if (wkt !== undefined) {
      proj4(wkt)
      crs = wkt
    }
  } catch {
    // The place is known, if not on which globe.
  }
  return { transform, tags: transformTags(transform), crs, wkt: wkt?.trim(), epsg: epsgOf(wkt), geographic: /^\s*GEOG(CS|CRS)/i.test(wkt ?? '') }
}

function epsgOf(wkt = ''): number | undefined {
  const code = /(?:AUTHORITY\["EPSG","(\d+)"\]|ID\["EPSG",(\d+)\])\s*\]\s*$/i.exec(wkt)
  return code ? Number(code[1] ?? code[2]) : undefined
}

async function firstOf(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text !== undefined) return text
  }
  return undefined
}

const DOUBLE = 12

/** The tags that say a transform. */
export function transformTags([x, xc, xr, y, yc, yr]: Transform): GeoTag[] {
  if (xr !== 0 || yc !== 0 || xc <= 0 || yr >= 0) return [{ tag: TAG.transformation, type: DOUBLE, values: [xc, xr, 0, x, yc, yr, 0, y, 0, 0, 0, 0, 0, 0, 0, 1] }]
  return [
    { tag: TAG.pixelScale, type: DOUBLE, values: [xc, -yr, 0] },
    { tag: TAG.tiePoints, type: DOUBLE, values: [0, 0, 0, x, y, 0] }
  ]
}

/** The tags of a raster whose pixels cover `cell` of these each, as measured from the upper left corner. */
export function tagsOfCells({ transform, tags }: Georeference, cell: Size): GeoTag[] {
  // Control points and camera models name pixels of the image itself.
  if (!transform) return []
  const [x, xc, xr, y, yc, yr] = transform
  const system = tags.filter(({ tag }) => tag === TAG.geoKeys || tag === TAG.geoDoubles || tag === TAG.geoTexts)
  const corners = system.map((entry) => (entry.tag === TAG.geoKeys ? { ...entry, values: (entry.values as number[]).map((value, i, keys) => (i % 4 === 3 && keys[i - 3] === KEY.rasterType ? PIXEL_IS_AREA : value)) } : entry))
  return [...transformTags([x, xc * cell.width, xr * cell.height, y, yc * cell.width, yr * cell.height]), ...corners]
}

const METRES_PER_DEGREE = 111_320

/** Ground sampling distance: side of a pixel on the ground in metres, as far as it is known. */
export function groundSamplingDistance(georeference: Georeference | undefined, { width, height }: Size): number | undefined {
  if (!georeference?.transform) return undefined
  const { transform: [, xc, xr, y, yc, yr], geographic, crs } = georeference
  const side = Math.sqrt(Math.abs(xc * yr - xr * yc))
  if (geographic) return side * METRES_PER_DEGREE * Math.sqrt(Math.max(Math.cos(((y + (yc * width) / 2 + (yr * height) / 2) * Math.PI) / 180), 0))
  if (crs === undefined) return undefined
  const { to_meter: metres = 1 } = new (proj4.Proj as unknown as new (name: string) => { to_meter?: number })(crs)
  return side * metres
}

/** Square metres of one pixel, as far as they are known. */
export function pixelArea(georeference: Georeference | undefined, size: Size): number | undefined {
  const side = groundSamplingDistance(georeference, size)
  return side === undefined ? undefined : side * side
}

/** Coordinates of a point given in columns and rows. */
export function toWorld([x, xc, xr, y, yc, yr]: Transform, column: number, row: number): [number, number] {
  return [x + xc * column + xr * row, y + yc * column + yr * row]
}

export function toPixel([x, xc, xr, y, yc, yr]: Transform, worldX: number, worldY: number): [column: number, row: number] {
  const determinant = xc * yr - xr * yc
  const [dx, dy] = [worldX - x, worldY - y]
  return [(yr * dx - xr * dy) / determinant, (xc * dy - yc * dx) / determinant]
}
