import { LONGEST_NAME, digitsAt, distinctNames, folded, hashOf, portable, shortened } from '../project/fileNames.ts'
import { csvField } from './formats/csv.ts'

/** What formats put behind a stem. */
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
/** Stems that would pass for what is written beside another's labels. */
const BESIDE = /\.(confidence|probabilities)$/i
/** Where a name of an exported file differs from its image's, this table tells whose it is. */
export const NAMES_FILE = 'names.csv'
/** Files beside those of images. */
const SHARED = new Set([NAMES_FILE, 'classes.json'])

const withoutEnding = (path: string): string => path.replace(/\.[^./]+$/, '')

/** Line ends of any kind, and other controls. */
const CONTROLS = /[\p{Cc}\u2028\u2029]/gu

/**
 * Makes a path fit for a list of one path a line that Ultralytics reads: it puts the list's folder in the place of any
 * `./`, and looks for labels where the last folder called `images` becomes `labels`.
 */
function listed(path: string): string {
  const parts = path.replace(CONTROLS, '_').split('/')
  return parts
    .map((part, i) => (i + 1 < parts.length && (part === 'images' || part.endsWith('.')) ? `${part}_` : part))
    .join('/')
}

/**
 * Names of exported files without their endings, by the path of the image: `a/b.jpg` becomes `a/b`; where another
 * image would take the same name, endings stay; where that is not enough, or a name is too long, it ends in a hash.
 * No two meet in any format, nor on file systems that ignore letter case or how letters are composed.
 * @param paths  of all images of a set, so that a name does not depend on which of them are exported
 * @param inList  for a format that lists paths, one a line
 */
export function stemsOf(paths: readonly string[], inList = false): Map<string, string> {
  const nameAt = (path: string, level: number): string => {
    const hash = hashOf(path, digitsAt(level))
    const wanted = level === 0 ? withoutEnding(path) : level === 1 ? path : `${withoutEnding(path)}-${hash}`
    const parts = (inList ? listed(wanted) : wanted).split('/').map(portable)
    if (SHARED.has(folded(parts[0]))) parts[0] += '_'
    return [...parts.slice(0, -1), shortened(parts.at(-1)!, LONGEST_STEM, hash)].join('/')
  }
  // A folder of images may be called as a file of another's labels: a.tif/b.jpg beside a.jpg.
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

/** Whether a stem is more than its image's path without ending. */
export const isRenamed = ({ path, stem }: { path: string; stem: string }): boolean => stem !== withoutEnding(path)

/** A table of exported files whose names are not those of their images. */
export function namesTable(files: readonly { file: string; image: string }[]): string {
  return `file,image\r\n${files.map(({ file, image }) => `${csvField(file)},${csvField(image)}\r\n`).join('')}`
}

/**
 * Names of a GeoPackage's layers by the path of the image: letters, digits and lines only.
 * @param stems  by path, of all images of a set
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
