import { LONGEST_NAME, digitsAt, distinctNames, folded, hashOf, portable, shortened } from '../project/fileNames.ts'
import { csvField } from './formats/csv.ts'

/** Endings that formats append to a stem. */
export const ENDINGS = [
  '.tif',
  '.tif.aux.xml',
  '.qml',
  '.confidence.tif',
  '.probabilities.tif',
  '.png',
  '.geojson',
  '.fgb',
  '.npy',
  '.txt'
]
const LONGEST_STEM = LONGEST_NAME - Math.max(...ENDINGS.map((ending) => ending.length))
/** Stems that look like the confidence or probabilities of another image. */
const BESIDE = /\.(confidence|probabilities)$/i
/** The table that says which image an exported file belongs to, for files whose names differ from their image's. */
export const NAMES_FILE = 'names.csv'
/** Files that belong to no single image. */
const SHARED = new Set([NAMES_FILE, 'classes.json'])

const withoutEnding = (path: string): string => path.replace(/\.[^./]+$/, '')

/** Line ends of all kinds and other control characters. */
const CONTROLS = /[\p{Cc}\u2028\u2029]/gu

/**
 * Adapts a path for a file list with one path per line, as Ultralytics reads it: Ultralytics replaces `./` by the
 * list's folder and looks for labels where the last folder named `images` becomes `labels`.
 */
function listed(path: string): string {
  const parts = path.replace(CONTROLS, '_').split('/')
  return parts
    .map((part, i) => (i + 1 < parts.length && (part === 'images' || part.endsWith('.')) ? `${part}_` : part))
    .join('/')
}

/**
 * Names exported files by image path, without extension: `a/b.jpg` becomes `a/b`. The extension stays if another image
 * would get the same name. If that isn't enough, or the name is too long, the name ends with a hash. Names differ in
 * all formats, even on file systems that ignore letter case or Unicode composition.
 * @param paths   all images of a set, so that a name doesn't depend on which of them are exported
 * @param inList  true for a format that lists paths, one per line
 */
export function stemsOf(paths: readonly string[], inList = false): Map<string, string> {
  const nameAt = (path: string, level: number): string => {
    const hash = hashOf(path, digitsAt(level))
    const wanted = level === 0 ? withoutEnding(path) : level === 1 ? path : `${withoutEnding(path)}-${hash}`
    const parts = (inList ? listed(wanted) : wanted).split('/').map(portable)
    if (SHARED.has(folded(parts[0]))) parts[0] += '_'
    return [...parts.slice(0, -1), shortened(parts.at(-1)!, LONGEST_STEM, hash)].join('/')
  }
  // A folder of images may have the name of another image's exported file: a.tif/b.jpg next to a.jpg.
  const folders = new Set<string>()
  for (const path of paths) {
    const parts = nameAt(path, 0).split('/')
    for (let depth = 1; depth < parts.length; depth++)
      if (ENDINGS.some((ending) => folded(parts[depth - 1]).endsWith(ending)))
        folders.add(folded(parts.slice(0, depth).join('/')))
  }
  return distinctNames(
    paths,
    nameAt,
    (stem, isNamed) =>
      (BESIDE.test(stem) && isNamed(stem.replace(BESIDE, ''))) ||
      (folders.size > 0 && ENDINGS.some((ending) => folders.has(folded(stem + ending))))
  )
}

/** Whether a stem differs from its image's path without extension. */
export const isRenamed = ({ path, stem }: { path: string; stem: string }): boolean => stem !== withoutEnding(path)

/** Returns a table of exported files whose names differ from their images' names. */
export function namesTable(files: readonly { file: string; image: string }[]): string {
  return `file,image\r\n${files.map(({ file, image }) => `${csvField(file)},${csvField(image)}\r\n`).join('')}`
}

/**
 * Names a GeoPackage's layers by image path, using only letters, digits and underscores.
 * @param stems  by path, for all images of a set
 */
export function layersOf(stems: ReadonlyMap<string, string>): Map<string, string> {
  const plain = (path: string): string => {
    const name = stems.get(path)!.replace(/[^\p{L}\p{N}_]+/gu, '_') || 'image'
    return /^(gpkg|sqlite)_/i.test(name) ? `image_${name}` : name
  }
  const [numbers, counts] = [new Map<string, number>(), new Map<string, number>()]
  for (const path of stems.keys()) {
    const number = (counts.get(folded(plain(path))) ?? 0) + 1
    counts.set(folded(plain(path)), number)
    numbers.set(path, number)
  }
  return distinctNames([...stems.keys()], (path, level) =>
    level === 0 ? plain(path) : `${plain(path)}_${level === 1 ? numbers.get(path)! : hashOf(path, digitsAt(level))}`
  )
}
