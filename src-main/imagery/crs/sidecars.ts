import { readFile, stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { unescapedXml } from '../xml.ts'
import { type Place, placeFrom } from './crs.ts'
import type { Transform } from './transform.ts'

/** The position that a file next to an image gives. */
export interface Sidecar {
  /** Path of the sidecar file. */
  file: string
  transform?: Transform
  place?: Place
  /** Whether the file uses ground control points, which aren't used in computations. */
  controlPoints?: boolean
}

/** Reads `scene.tif.aux.xml`, in which GDAL and ArcGIS keep metadata; undefined if it gives no position. */
export async function auxiliaryOf(path: string): Promise<Sidecar | undefined> {
  const found = await firstOf([`${path}.aux.xml`, `${path}.AUX.XML`])
  if (!found) return undefined
  const { file, text } = found
  const definition =
    elementOf(text, 'SRS') || elementOf(elementOf(text, 'SpatialReference', false) ?? '', 'WKT') || undefined
  const numbers = elementOf(text, 'GeoTransform')?.split(',').map(Number)
  const transform =
    numbers?.length === 6 && numbers.every(Number.isFinite) && numbers[1] * numbers[5] - numbers[2] * numbers[4] !== 0
      ? (numbers as unknown as Transform)
      : undefined
  const controlPoints = /<GCPList\b/.test(text)
  // Most of these files contain only statistics or nodata values.
  if (text !== '' && definition === undefined && !transform && !controlPoints) return undefined
  return { file, transform, place: definition === undefined ? undefined : await placeFrom(definition), controlPoints }
}

const WORLD_FILES: Record<string, string[]> = {
  tif: ['tfw', 'tifw', 'wld'],
  tiff: ['tfw', 'tifw', 'tiffw', 'wld'],
  jpg: ['jgw', 'jpgw', 'wld'],
  jpeg: ['jgw', 'jpegw', 'wld'],
  png: ['pgw', 'pngw', 'wld'],
  webp: ['wpw', 'webpw', 'wld']
}

/** Reads the six lines of a world file next to an image. */
export async function worldFileOf(path: string): Promise<Sidecar | undefined> {
  const extension = extname(path)
  const stem = path.slice(0, path.length - extension.length)
  const found = await firstOf(
    (WORLD_FILES[extension.slice(1).toLowerCase()] ?? []).flatMap((name) => [
      `${stem}.${name}`,
      `${stem}.${name.toUpperCase()}`
    ])
  )
  if (!found) return undefined
  const [a, d, b, e, x, y] = found.text
    .trim()
    .split(/\s+/)
    .map((line) => Number(line.replace(',', '.')))
  if (![a, d, b, e, x, y].every(Number.isFinite) || a * e - b * d === 0) return { file: found.file }
  // The file names the centre of the upper left pixel.
  return { file: found.file, transform: [x - (a + b) / 2, a, b, y - (d + e) / 2, d, e] }
}

/** Reads the coordinate system in a `.prj` file next to an image. */
export async function projectionFileOf(path: string): Promise<Sidecar | undefined> {
  const stem = path.slice(0, path.length - extname(path).length)
  const found = await firstOf([`${stem}.prj`, `${stem}.PRJ`])
  if (!found) return undefined
  const definition = found.text.trim()
  return { file: found.file, place: definition === '' ? undefined : await placeFrom(definition) }
}

/** Returns the text of an XML element. Entities are resolved unless `resolved` is false. */
function elementOf(text: string, name: string, resolved = true): string | undefined {
  const inside = new RegExp(`<${name}\\b[^>]*>([\\s\\S]*?)</${name}>`).exec(text)?.[1].trim()
  if (inside === undefined || !resolved) return inside
  return unescapedXml(inside.replace(/^<!\[CDATA\[([\s\S]*)\]\]>$/, '$1'))
}

/** A longer file isn't a sidecar. */
const LONGEST = 16 * 2 ** 20

/** Reads the first file that exists; the text is empty if it can't be read. */
async function firstOf(paths: readonly string[]): Promise<{ file: string; text: string } | undefined> {
  for (const file of paths) {
    const status = await stat(file).catch(() => undefined)
    if (!status?.isFile()) continue
    const text = status.size > LONGEST ? '' : await readFile(file, 'utf8').catch(() => '')
    return { file, text: text.replace(/^\uFEFF/, '') }
  }
  return undefined
}
