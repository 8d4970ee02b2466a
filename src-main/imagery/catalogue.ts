import { readFile, readdir, realpath, stat } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import type { Catalogue, CatalogueImage, SkippedFile } from '../contract/imagery.ts'
import { SmaltiError } from '../contract/errors.ts'
import { isAddress } from '../contract/sources.ts'
import { visibleRoles } from './bandView.ts'
import type { ImageHeader } from './formats/format.ts'
import { formatOf, isImageName } from './formats/formats.ts'
import { groundSamplingDistance } from './crs/groundArea.ts'
import type { Georeference } from './georeference.ts'
import { type Location, fileNameOf, locationOf, nameOf } from './location.ts'
import { refusedName } from './reading/openRaster.ts'
import { named } from './pictures.ts'

/** The file that marks a folder as a Smalti project, whose label rasters are not input. */
const PROJECT_FILE = 'project.json'
/** Milliseconds between progress reports. */
const TOLD_EVERY = 100
/** Number of headers read at a time. */
const PARALLEL = 8
/** Companion files of images, which are not listed as skipped. */
const COMPANIONS = /\.(tfw|tifw|tiffw|jgw|jpgw|pgw|pngw|wld|prj|ovr|xml|qml|msk)$/i

/** Collects the warnings of usable images. */
export function warningsOf(images: readonly CatalogueImage[]): SkippedFile[] {
  return images.flatMap(({ path, warning }) => (warning === undefined ? [] : [{ path, reason: warning }]))
}

type Entry = { image: CatalogueImage } | { skipped: SkippedFile }

interface Found {
  /** The image's name in the catalogue. */
  path: string
  file: string
  /** Why the file can't be inspected at all. */
  reason?: string
  /** True when no companion file could say where the image is on the ground. */
  alone?: boolean
}

/**
 * Lists the images of folders, files and addresses in a fixed order, reading headers only. Files that can't be used are
 * listed with the reason.
 *
 * @param page  the page of multi-page TIFFs that the user chose, counted from 1
 * @throws FolderNotFound, FolderUnreadable, EmptyFolder, NoReadableImages, InvalidSetting, Cancelled
 */
export async function readCatalogue(
  sources: readonly string[],
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void = () => undefined,
  page?: number
): Promise<Catalogue> {
  const files = await filesOf(sources)
  const where = sources.join(', ')
  if (files.length === 0) throw new SmaltiError('EmptyFolder', { path: where })
  const entries: Entry[] = []
  let told = 0
  for (let from = 0; from < files.length; from += PARALLEL) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    entries.push(...(await Promise.all(files.slice(from, from + PARALLEL).map((file) => inspect(file, signal, page)))))
    if (performance.now() - told < TOLD_EVERY && entries.length < files.length) continue
    told = performance.now()
    onProgress(entries.length, files.length)
  }
  const images = entries.flatMap((entry) => ('image' in entry ? [entry.image] : []))
  const skipped = entries.flatMap((entry) => ('skipped' in entry ? [entry.skipped] : []))
  if (images.length === 0) {
    const reason = skipped.length === 1 ? `${skipped[0].path}: ${skipped[0].reason}.` : ''
    throw new SmaltiError('NoReadableImages', { path: where, files: files.length, reason })
  }
  return { sources: [...sources], images, skipped }
}

/**
 * Lists the files that look like images by their names. Opens none of them, so it is fast whatever their number.
 *
 * @throws the same as `readCatalogue`
 */
export async function listImages(sources: readonly string[]): Promise<Pick<CatalogueImage, 'path' | 'file'>[]> {
  return (await filesOf(sources))
    .filter(({ file, reason }) => reason === undefined && (isAddress(file) || isImageName(file)))
    .map(({ path, file }) => ({ path, file }))
}

/** Lists the files of all sources, each once. With several sources, paths begin with the source's name. */
async function filesOf(sources: readonly string[]): Promise<Found[]> {
  const found: Found[] = []
  const known = new Set<string>()
  const names = new Set<string>()
  const add = (path: string, file: string, more: Pick<Found, 'reason' | 'alone'> = {}): void => {
    if (known.has(file)) return
    known.add(file)
    let name = path
    for (let copy = 2; names.has(name); copy++) name = path.replace(/(\.[^./]*)?$/, ` (${copy})$1`)
    names.add(name)
    found.push({ path: name, file, ...more })
  }
  for (const source of sources) {
    if (isAddress(source)) {
      add(fileNameOf(locationOf(source)), source)
      continue
    }
    const status = await stat(source).catch((fault: NodeJS.ErrnoException) => {
      if (fault.code === 'ENOENT' || fault.code === 'ENOTDIR') throw new SmaltiError('FolderNotFound', { path: source })
      throw new SmaltiError('FolderUnreadable', { path: source, reason: 'permission denied' })
    })
    if (!status.isDirectory()) {
      add(basename(source), source)
      continue
    }
    if (await isProject(source))
      throw new SmaltiError('InvalidSetting', {
        setting: 'images',
        reason: `${source} is a Smalti project, not a folder of images`
      })
    const prefix = sources.length > 1 ? `${basename(source)}/` : ''
    for (const { path, ...more } of await filesBelow(source)) add(prefix + path, join(source, path), more)
  }
  return found
}

/** Whether a folder is itself a project, whose label rasters would be mistaken for images. */
async function isProject(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, PROJECT_FILE), 'utf8').catch(() => undefined)
  if (text === undefined) return false
  try {
    const { format, run } = JSON.parse(text) as { format?: unknown; run?: unknown }
    return typeof format === 'number' && typeof run === 'string'
  } catch {
    return false // Another program's file of the same name.
  }
}

/**
 * Lists the files below a folder by name and follows links; a folder that links lead back to is visited once. Broken
 * links and unreadable folders are listed like files, with a reason.
 */
async function filesBelow(folder: string): Promise<Omit<Found, 'file'>[]> {
  const found: Omit<Found, 'file'>[] = []
  const visited = new Set<string>()
  const visit = async (path: string): Promise<void> => {
    const entries = await (async () => {
      const real = await realpath(path)
      if (visited.has(real)) return []
      visited.add(real)
      return readdir(path, { withFileTypes: true })
    })().catch((fault: NodeJS.ErrnoException) => {
      const reason =
        fault.code === 'EACCES' || fault.code === 'EPERM'
          ? 'permission denied'
          : `the folder can't be read (${fault.code ?? fault.message})`
      if (path === folder) throw new SmaltiError('FolderUnreadable', { path, reason })
      found.push({ path: relative(folder, path).split(sep).join('/'), reason })
      return []
    })
    if (path !== folder && entries.some(({ name }) => name === PROJECT_FILE)) return
    const stem = (name: string): string => name.replace(/\.[^.]*$/, '')
    // A companion either appends its extension to the image's name or replaces the image's extension.
    const accompanied = new Set(
      entries
        .filter(({ name }) => COMPANIONS.test(name))
        .flatMap(({ name }) => [...name.matchAll(/\./g)].map(({ index }) => name.slice(0, index)))
    )
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue
      const inside = join(path, entry.name)
      const target = entry.isSymbolicLink() ? await stat(inside).catch(() => undefined) : entry
      if (target?.isDirectory()) await visit(inside)
      else if ((!target || target.isFile()) && !COMPANIONS.test(entry.name))
        found.push({
          path: relative(folder, inside).split(sep).join('/'),
          reason: target ? undefined : 'the link is broken',
          alone: !accompanied.has(stem(entry.name))
        })
    }
  }
  await visit(folder)
  return found
}

async function inspect({ path, file, reason, alone }: Found, signal: AbortSignal, page?: number): Promise<Entry> {
  const skip = (why: string): Entry => ({ skipped: { path, reason: why } })
  if (reason !== undefined) return skip(reason)
  const location = locationOf(file)
  if (location.kind === 'file' && !isImageName(file)) return skip(refusedName(file))
  try {
    const status = location.kind === 'address' ? undefined : await stat(file)
    if (status?.size === 0) return skip('the file is empty')
    const seen = await formatOf(location).header(location, { page, signal, alone }, (header) =>
      seenOf(header, location)
    )
    return { image: { path, file, page, ...seen, size: status?.size, modified: status && Math.round(status.mtimeMs) } }
  } catch (fault) {
    if (fault instanceof SmaltiError && fault.name === 'Cancelled') throw fault
    return skip(String((named(fault, path) as SmaltiError).details.reason))
  }
}

type Seen = Pick<CatalogueImage, 'width' | 'height' | 'bands' | 'type' | 'gaps' | 'gsd' | 'placed' | 'warning'>

async function seenOf(header: ImageHeader, location: Location): Promise<Seen> {
  const { width, height, bands, gaps, notice, palette } = header
  const roles = visibleRoles(header)
  if (roles.length === 0)
    throw new SmaltiError('UnreadableImage', { path: nameOf(location), reason: 'it has only an alpha band' })
  return {
    width,
    height,
    bands: roles,
    type: palette || roles.length > bands.length ? 'uint8' : bands[0].type,
    gaps: gaps || undefined,
    ...withNotice(placeOf(await header.georeference(), header), notice)
  }
}

/** Adds the reader's notice to an image's warning. */
function withNotice<T extends Pick<CatalogueImage, 'warning'>>(seen: T, notice: string | undefined): T {
  return notice === undefined
    ? seen
    : { ...seen, warning: seen.warning === undefined ? notice : `${notice}; ${seen.warning}` }
}

function placeOf(
  georeference: Georeference | undefined,
  size: { width: number; height: number }
): Pick<CatalogueImage, 'gsd' | 'placed' | 'warning'> {
  const gsd = groundSamplingDistance(georeference, size)
  return {
    gsd: gsd !== undefined && gsd > 0 && Number.isFinite(gsd) ? gsd : undefined,
    placed: georeference?.transform ? true : undefined,
    warning: georeference && warningOf(georeference)
  }
}

function warningOf({ transform, place, warning }: Georeference): string | undefined {
  return (
    warning ??
    (transform && !place.known
      ? `location unknown: ${place.reason}. Areas can't be measured, and GeoJSON can't be exported`
      : undefined)
  )
}
