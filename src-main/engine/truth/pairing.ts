import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, sep } from 'node:path'
import { SmaltiError } from '../../contract/errors.ts'
import { fileNameOf, locationOf } from '../../imagery/location.ts'
import type { LabelledImage } from '../../project/labelSets.ts'

const MASK = /\.(png|tiff?)$/i
const POLYGONS = /\.(geo)?json$/i

/** Whether a truth file contains polygons rather than a mask. */
export const isPolygons = (path: string): boolean => POLYGONS.test(path)

export interface Pair {
  image: LabelledImage
  /** Path of the file with the image's truth. */
  truth: string
}

/**
 * Pairs images with the files of a folder that have the same path apart from the extension; composed and decomposed
 * letters (NFC, NFD) are equal. One GeoJSON file serves all images; one mask serves the image of its name, or the only
 * image.
 * @throws TruthMissing, TruthAmbiguous, FolderNotFound
 */
export async function pairsOf(path: string, images: readonly LabelledImage[]): Promise<Pair[]> {
  const found = await stat(path).catch(() => undefined)
  if (!found) throw new SmaltiError('FolderNotFound', { path })
  const pairs = found.isDirectory() ? await inFolder(path, images) : ofFile(path, images)
  if (pairs.length === 0) throw new SmaltiError('TruthMissing', { path })
  return pairs
}

const keyOf = (path: string): string => path.slice(0, path.length - extname(path).length).normalize('NFC')

function ofFile(path: string, images: readonly LabelledImage[]): Pair[] {
  if (isPolygons(path) || images.length === 1) return images.map((image) => ({ image, truth: path }))
  const meant = images.filter((image) => keyOf(basename(image.path)) === keyOf(basename(path)))
  if (meant.length > 1) throw ambiguous(meant, [basename(path)])
  return meant.map((image) => ({ image, truth: path }))
}

async function inFolder(folder: string, images: readonly LabelledImage[]): Promise<Pair[]> {
  const names = (await readdir(folder, { recursive: true }))
    .map((name) => name.split(sep).join('/'))
    .filter((name) => MASK.test(name) || POLYGONS.test(name))
  const truthsOf = grouped(names, (name) => [keyOf(name)])
  const claims = grouped(images, (image) => new Set([keyOf(image.path), keyOf(nameInFolder(image))]))
  return images.flatMap((image): Pair[] => {
    const key = keyOf(image.path)
    const [truths, claimants] = [truthsOf.get(key) ?? [], claims.get(key) ?? []]
    if (truths.length === 0) return []
    if (truths.length === 1 && claimants.length === 1) return [{ image, truth: join(folder, truths[0]) }]
    // Files of one name are distinguished by extension and folder, if each image has its own.
    const exact =
      claimants.every(({ path }) => names.includes(path)) &&
      truths.every((name) => claimants.some(({ path }) => path === name))
    if (!exact || !truths.includes(image.path)) throw ambiguous(claimants, truths)
    return [{ image, truth: join(folder, image.path) }]
  })
}

/** Returns an image's path within its folder: the catalogue numbers files of the same path from different folders. */
function nameInFolder({ path, file }: LabelledImage): string {
  const [folder, name] = [dirname(path), fileNameOf(locationOf(file))]
  return folder === '.' ? name : `${folder}/${name}`
}

function grouped<T>(entries: readonly T[], keysOf: (entry: T) => Iterable<string>): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const entry of entries) for (const key of keysOf(entry)) groups.set(key, [...(groups.get(key) ?? []), entry])
  return groups
}

const SHOWN = 4
const listed = (names: readonly string[]): string =>
  names.slice(0, SHOWN).join(', ') + (names.length > SHOWN ? ' …' : '')

function ambiguous(images: readonly LabelledImage[], truths: readonly string[]): SmaltiError {
  return new SmaltiError('TruthAmbiguous', { images: listed(images.map(({ file }) => file)), truths: listed(truths) })
}
