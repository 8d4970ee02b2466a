import { randomBytes } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import { type FileHandle, access, mkdir, open, readFile, readdir, rename, rm, unlink } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { asSmaltiError } from '../contract/errors.ts'
import { LONGEST_NAME, bytesOf, hashOf } from './fileNames.ts'
import { PROCESS_TAG, endedHere } from './machine.ts'

/** Drawn at random for each name, so that threads of one process use different names. */
const ending = (): string => `.${PROCESS_TAG}-${randomBytes(4).toString('hex')}.partial`
/** Bytes that a temporary name may add. */
export const TEMPORARY_BYTES = '.0123456789ab-4294967295-01234567.partial'.length
/** The longest ending of files that are written next to a temporary raster. */
const BESIDE_BYTES = '.raster.rows'.length
/**
 * Returns the part of a temporary name before its ending: the path itself, or a hash if the name is too long to grow.
 */
const temporaryStem = (path: string): string =>
  bytesOf(basename(path)) + TEMPORARY_BYTES + BESIDE_BYTES <= LONGEST_NAME
    ? path
    : join(dirname(path), hashOf(basename(path), 32))
/** Returns a name for an unfinished file or folder that no other process or thread uses. */
export const temporaryName = (path: string): string => temporaryStem(path) + ending()
const UNFINISHED = /\.([0-9a-f]{12}-\d+)-\w+\.partial$/

/** Removes unfinished files below a folder that ended processes of this computer left there, where permitted. */
export async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true }).catch(() => []))
    await removeIfUnfinished(join(folder, name))
}

/** Does the same for certain files only; others in their folders aren't ours. */
export async function removeUnfinishedOf(paths: readonly string[]): Promise<void> {
  const ours = new Set(paths.map(temporaryStem))
  for (const folder of new Set(paths.map((path) => dirname(path)))) {
    for (const name of await readdir(folder).catch(() => []))
      if (ours.has(join(folder, name.replace(UNFINISHED, '')))) await removeIfUnfinished(join(folder, name))
  }
}

async function removeIfUnfinished(path: string): Promise<void> {
  const tag = UNFINISHED.exec(path)?.[1]
  if (tag !== undefined && (await endedHere(tag)))
    await rm(path, { recursive: true, force: true }).catch(() => undefined)
}

/**
 * Writes a file so that there is always either the old or the new one, whatever happens: writes to a temporary name,
 * flushes, renames and flushes the folder. The folder must exist: recreating it would put a part of a moved project
 * back in its old place.
 * @throws DiskFull, FolderNotWritable
 */
export function writeFileSafely(path: string, parts: Uint8Array | string | readonly Uint8Array[]): Promise<void> {
  return fillFileSafely(path, async (handle) => {
    for (const part of typeof parts === 'string' ? [Buffer.from(parts)] : parts instanceof Uint8Array ? [parts] : parts)
      await handle.writeFile(part)
  })
}

/**
 * Does the same for a file that is written piece by piece.
 * @param fill  writes the file, using its handle or its temporary name
 * @throws DiskFull, FolderNotWritable and whatever `fill` throws
 */
export async function fillFileSafely(
  path: string,
  fill: (handle: FileHandle, temporary: string) => Promise<void>
): Promise<void> {
  const temporary = temporaryName(path)
  try {
    const handle = await open(temporary, 'w+')
    try {
      await fill(handle, temporary)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (fault) {
    await unlink(temporary).catch(() => undefined)
    const { path: at } = fault as NodeJS.ErrnoException
    throw asSmaltiError(at === temporary ? Object.assign(fault as Error, { path }) : fault, path)
  }
}

/** Creates a folder and its parents. @throws FolderNotWritable, DiskFull */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (fault) {
    // On a read-only file system, Node reports a missing folder; checking write access reveals the true reason.
    let nearest = path
    while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest)
    await access(nearest, constants.W_OK).catch((refusal: unknown) => {
      throw asSmaltiError(refusal, path)
    })
    throw asSmaltiError(fault, path)
  }
}

export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(path)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export function writeJsonSafely(path: string, value: unknown): Promise<void> {
  return writeFileSafely(path, `${JSON.stringify(value, null, 2)}\n`)
}

/** Returns a file's content, or undefined if there is no such file. */
export async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (fault) {
    const { code } = fault as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw asSmaltiError(fault, path)
  }
}

/** A path without a null character, which no system accepts. */
export const pathText = z
  .string()
  .min(1)
  .refine((path) => !path.includes('\0'), "isn't a path")

const SEPARATORS = process.platform === 'win32' ? /[\\/]/ : '/'

/** A path inside a folder. Keeps a project made by someone else from leading an export out of its target folder. */
export const pathBelow = pathText.refine(
  (path) => !isAbsolute(path) && !path.split(SEPARATORS).includes('..'),
  'points outside its folder'
)
