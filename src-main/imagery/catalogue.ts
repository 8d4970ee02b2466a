import { open, readdir, realpath, stat } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import sharp from 'sharp'
import type { Catalogue, CatalogueImage, SkippedFile } from '../contract/imagery.ts'
import { TesseraError } from '../contract/errors.ts'

const EXTENSIONS = new Set(['.png', '.jpg', '.jpeg', '.webp', '.tif', '.tiff'])
/** A file that marks a folder as Tessera's own, whose masks are no input. */
const PROJECT_FILE = 'project.json'
/** Headers read at a time. */
const PARALLEL = 8

type Entry = { image: CatalogueImage } | { skipped: SkippedFile }

/**
 * Every image below a folder, in a fixed order, from headers alone; files that cannot be used are listed with the
 * reason.
 *
 * @throws FolderNotFound, EmptyFolder, NoReadableImages, Cancelled
 */
export async function readCatalogue(
  folder: string,
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void = () => undefined
): Promise<Catalogue> {
  const files = await filesBelow(folder)
  if (files.length === 0) throw new TesseraError('EmptyFolder', { path: folder })
  const entries: Entry[] = []
  for (let from = 0; from < files.length; from += PARALLEL) {
    if (signal.aborted) throw new TesseraError('Cancelled')
    const paths = files.slice(from, from + PARALLEL)
    entries.push(...(await Promise.all(paths.map((path) => inspect(folder, path)))))
    onProgress(entries.length, files.length)
  }
  const images = entries.flatMap((entry) => ('image' in entry ? [entry.image] : []))
  const skipped = entries.flatMap((entry) => ('skipped' in entry ? [entry.skipped] : []))
  if (images.length === 0) {
    const reason = skipped.length === 1 ? `${skipped[0].path}: ${skipped[0].reason}.` : ''
    throw new TesseraError('NoReadableImages', { path: folder, files: files.length, reason })
  }
  return { folder, images, skipped }
}

/**
 * Files below a folder in the order of their names, links followed; a folder that links lead back to is visited once.
 * A link that leads nowhere is listed like a file.
 */
async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = []
  const visited = new Set<string>()
  const visit = async (path: string): Promise<void> => {
    const real = await realpath(path)
    if (visited.has(real)) return
    visited.add(real)
    const entries = await readdir(path, { withFileTypes: true })
    if (path !== folder && entries.some(({ name }) => name === PROJECT_FILE)) return
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue
      const inside = join(path, entry.name)
      const target = entry.isSymbolicLink() ? await stat(inside).catch(() => undefined) : entry
      if (target?.isDirectory()) await visit(inside)
      else if (!target || target.isFile()) found.push(relative(folder, inside).split(sep).join('/'))
    }
  }
  try {
    if (!(await stat(folder)).isDirectory()) throw new TesseraError('FolderNotFound', { path: folder })
    await visit(folder)
  } catch (fault) {
    if (fault instanceof TesseraError) throw fault
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') throw new TesseraError('FolderNotFound', { path: folder })
    throw fault
  }
  return found
}

async function inspect(folder: string, path: string): Promise<Entry> {
  const skip = (reason: string): Entry => ({ skipped: { path, reason } })
  if (!EXTENSIONS.has(extname(path).toLowerCase())) return skip('not an image format that Tessera reads')
  try {
    const file = join(folder, path)
    const found = await stat(file).catch(() => undefined)
    if (!found) return skip('the link leads nowhere')
    const { size } = found
    if (size === 0) return skip('the file is empty')
    const { width, height, channels, depth, orientation, format, pages } = await sharp(file, { limitInputPixels: false }).metadata()
    if (depth !== 'uchar') return skip(`${depth} samples are not supported, only 8-bit ones`)
    if (await isTruncated(file, size, format)) return skip('the file is truncated')
    if (format === 'webp' && (pages ?? 1) > 1) return skip('animations are not supported')
    const turned = (orientation ?? 1) >= 5
    return { image: { path, width: turned ? height : width, height: turned ? width : height, bands: channels < 3 ? 1 : 3 } }
  } catch (fault) {
    return skip(reasonOf(fault))
  }
}

/** The decoder's message without its internals. */
export function reasonOf(fault: unknown): string {
  const first = (fault as Error).message.split('\n')[0].replace(/^Input file /, '').replace(/^.*?: /, '')
  return first.replace(/[.\s]+$/, '') || 'the file cannot be decoded'
}

/** Whether the end of the file is missing, from the formats' own end marks. */
async function isTruncated(file: string, size: number, format: string): Promise<boolean> {
  if (format !== 'png' && format !== 'jpeg' && format !== 'webp') return false
  const handle = await open(file)
  try {
    const length = Math.min(size, 4096)
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, format === 'webp' ? 0 : size - length)
    if (format === 'png') return !buffer.includes('IEND')
    if (format === 'jpeg') return !buffer.includes(Buffer.of(0xff, 0xd9))
    return buffer.readUInt32LE(4) + 8 > size
  } finally {
    await handle.close()
  }
}
