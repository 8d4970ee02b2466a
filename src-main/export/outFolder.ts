import type { Stats } from 'node:fs'
import { type FileHandle, readFile, realpath, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { z } from 'zod'
import { SmaltiError } from '../contract/errors.ts'
import { folded } from '../project/fileNames.ts'
import { fillFileSafely, makeFolder, removeUnfinishedOf, writeFileSafely, writeJsonSafely } from '../project/files.ts'
import { type Lock, takeLock } from '../project/lock.ts'

/** Lists the files that exports wrote to a folder, which later exports may overwrite. All other files are protected. */
const MANIFEST = '.smalti-export.json'
const LOCK = '.smalti-export'
const manifest = z.object({
  format: z.literal(1),
  files: z.record(z.string(), z.object({ size: z.number(), modified: z.number() }).nullable())
})
type Written = z.infer<typeof manifest>['files']

/**
 * A folder that an export writes to. The export writes only the files that it announced, and has the folder to itself
 * until it disposes of it.
 */
export interface OutFolder extends AsyncDisposable {
  readonly folder: string
  /** Files that earlier exports wrote here. */
  readonly earlier: readonly string[]
  /** Writes a complete file. @throws DiskFull, FolderNotWritable */
  write(name: string, content: Uint8Array | string): Promise<void>
  /**
   * Lets `fill` write a file piece by piece under a temporary name, then renames it.
   * @throws DiskFull, FolderNotWritable and whatever `fill` throws
   */
  stream(name: string, fill: (handle: FileHandle, path: string) => Promise<void>): Promise<void>
  /** Removes `outdated` files that are unchanged since an earlier export, and records the written ones. */
  finish(outdated?: readonly string[]): Promise<void>
}

/** The user's images, which exports must stay away from. */
export interface Territory {
  /** Folders and files of the project's images. */
  sources: readonly string[]
  /** The images themselves. */
  images: readonly string[]
  /** The project's own folder, which may be inside the image folders. */
  project?: string
}

/**
 * Checks every place that an export will write to. An existing file must come from an earlier export, unless
 * overwriting is allowed, and no file may go into the image folders. Writes nothing.
 * @throws WouldOverwrite, AmongImages, FolderNotWritable
 */
export async function checkOutFolder(
  out: string,
  names: readonly string[],
  { sources, images, project }: Territory,
  overwrite: boolean
): Promise<{ folder: string; written: Map<string, Written[string]> }> {
  const folder = await real(out)
  const inside = (path: string, other: string): boolean =>
    path === other || path.startsWith(other.endsWith(sep) ? other : other + sep)
  const own = project === undefined ? undefined : await real(project)
  const folders = [folder, ...new Set(names.map((name) => dirname(join(folder, name))))]
  for (const source of sources) {
    const place = await real(source)
    const isFolder = (await stat(place).catch(() => undefined))?.isDirectory()
    const among = isFolder
      ? folders.find((path) => inside(path, place) && !(own !== undefined && own !== place && inside(path, own)))
      : undefined
    if (among !== undefined) throw new SmaltiError('AmongImages', { path: among === folder ? out : among })
  }
  const known = new Set<string>()
  for (const name of names) {
    if (known.has(folded(name)))
      throw new SmaltiError('InvalidSetting', { setting: 'out', reason: `two files would have the name ${name}` })
    known.add(folded(name))
  }
  if ((await stat(folder).catch(() => undefined))?.isDirectory() === false)
    throw new SmaltiError('FolderNotWritable', { path: out, reason: 'a file with that name exists' })
  const originals = new Set(await Promise.all(images.map(real)))
  const written = new Map(Object.entries(await readManifest(folder)))
  for (const name of names) {
    const path = join(folder, name)
    if (relative(folder, path).startsWith('..'))
      throw new SmaltiError('InvalidSetting', { setting: 'out', reason: `${name} points outside the folder` })
    const target = await real(path)
    if (originals.has(target)) throw new SmaltiError('AmongImages', { path })
    const found = await stat(path).catch(() => undefined)
    if (!found || overwrite) continue
    if (!isOurs(written, name, found)) throw new SmaltiError('WouldOverwrite', { path, option: '--overwrite' })
  }
  return { folder, written }
}

/**
 * Opens a folder for an export that will write files with these names. All of them are checked before the first is
 * written.
 * @throws FolderInUse, WouldOverwrite, AmongImages, DiskFull, FolderNotWritable
 */
export async function openOutFolder(
  out: string,
  names: readonly string[],
  territory: Territory,
  overwrite: boolean
): Promise<OutFolder> {
  const { folder } = await checkOutFolder(out, names, territory, overwrite)
  await makeFolder(folder)
  const lock = await takeOutFolder(folder)
  try {
    return await lockedOutFolder(lock, out, names, territory, overwrite)
  } catch (fault) {
    await lock[Symbol.asyncDispose]()
    throw fault
  }
}

/** Locks the folder. @throws FolderInUse, FolderNotWritable, DiskFull */
async function takeOutFolder(folder: string): Promise<Lock> {
  try {
    return await takeLock(folder, { name: LOCK, sweeps: false })
  } catch (fault) {
    throw fault instanceof SmaltiError && fault.name === 'ProjectLocked'
      ? new SmaltiError('FolderInUse', fault.details)
      : fault
  }
}

async function lockedOutFolder(
  lock: Lock,
  out: string,
  names: readonly string[],
  territory: Territory,
  overwrite: boolean
): Promise<OutFolder> {
  // Another export may have written here before the lock was taken.
  const { folder, written } = await checkOutFolder(out, names, territory, overwrite)
  const earlier = [...written.keys()]
  const note = async (): Promise<void> =>
    writeJsonSafely(join(folder, MANIFEST), { format: 1, files: Object.fromEntries(written) })
  // Announce the files first, so that after a crash the next export recognises them as ours.
  for (const name of names) written.set(name, null)
  await note()
  await removeUnfinishedOf([MANIFEST, ...names].map((name) => join(folder, name)))
  const placeOf = async (name: string): Promise<string> => {
    lock.lost.throwIfAborted()
    const path = join(folder, name)
    await makeFolder(dirname(path))
    return path
  }
  const settle = async (name: string): Promise<void> => {
    const { size, mtimeMs } = await stat(join(folder, name))
    written.set(name, { size, modified: mtimeMs })
  }
  return {
    folder,
    earlier,
    async write(name, content) {
      await writeFileSafely(await placeOf(name), content)
      await settle(name)
    },
    async stream(name, fill) {
      await fillFileSafely(await placeOf(name), fill)
      await settle(name)
    },
    async finish(outdated = []) {
      lock.lost.throwIfAborted()
      for (const name of outdated) {
        const found = await stat(join(folder, name)).catch(() => undefined)
        if (!found || !isOurs(written, name, found)) continue
        await rm(join(folder, name))
        written.delete(name)
      }
      await note()
    },
    [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose]()
  }
}

function isOurs(written: ReadonlyMap<string, Written[string]>, name: string, { size, mtimeMs }: Stats): boolean {
  const known = written.get(name)
  return known === null || (known?.size === size && known.modified === mtimeMs)
}

/** Resolves links in a path as far as it exists. */
async function real(path: string): Promise<string> {
  const whole = resolve(path)
  try {
    return await realpath(whole)
  } catch {
    return dirname(whole) === whole ? whole : join(await real(dirname(whole)), whole.slice(dirname(whole).length))
  }
}

async function readManifest(folder: string): Promise<Written> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch(() => undefined)
  if (text === undefined) return {}
  try {
    return manifest.parse(JSON.parse(text)).files
  } catch {
    return {} // Not ours, or damaged: no file here is known to be ours.
  }
}
