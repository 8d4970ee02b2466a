import { randomBytes } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import { type FileHandle, access, mkdir, open, readFile, readdir, rename, rm, unlink } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { asSmaltiError } from '../contract/errors.ts'
import { LONGEST_NAME, bytesOf, hashOf } from './fileNames.ts'
import { PROCESS_TAG, endedHere } from './machine.ts'

/** Drawn anew for each name, so that threads of a process give names of their own. */
const ending = (): string => `.${PROCESS_TAG}-${randomBytes(4).toString('hex')}.partial`
/** Bytes that a temporary name may add. */
export const TEMPORARY_BYTES = '.0123456789ab-4294967295-01234567.partial'.length
/** The longest ending of what is written beside a raster that is written under a temporary name. */
const BESIDE_BYTES = '.raster.rows'.length
/** What stands before the ending of a temporary name: the path itself, or a hash where its name is too long to grow. */
const temporaryStem = (path: string): string =>
  bytesOf(basename(path)) + TEMPORARY_BYTES + BESIDE_BYTES <= LONGEST_NAME
    ? path
    : join(dirname(path), hashOf(basename(path), 32))
/** A name for a file or folder that is being written, which no other process or thread uses. */
export const temporaryName = (path: string): string => temporaryStem(path) + ending()
const UNFINISHED = /\.([0-9a-f]{12}-\d+)-\w+\.partial$/

/** Removes what processes of this machine that have ended had begun to write below a folder, as far as it may. */
export async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true }).catch(() => []))
    await removeIfUnfinished(join(folder, name))
}

/** The same of some files; others beside them are not ours. */
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
 * Writes a file so that it is either the old one or the new one, whatever happens: to a temporary name, flushed,
 * renamed, the folder flushed. The folder is there: made anew, a part of a project that was moved away would come to be where it was.
 * @throws DiskFull, FolderNotWritable
 */
export function writeFileSafely(path: string, parts: Uint8Array | string | readonly Uint8Array[]): Promise<void> {
  return fillFileSafely(path, async (handle) => {
    for (const part of typeof parts === 'string' ? [Buffer.from(parts)] : parts instanceof Uint8Array ? [parts] : parts)
      await handle.writeFile(part)
  })
}

/**
 * The same for a file that is written piece by piece.
 * @param fill  writes it, by its handle or by the temporary name
 * @throws DiskFull, FolderNotWritable and what `fill` throws
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

/** Makes a folder and those above it. @throws FolderNotWritable, DiskFull */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (fault) {
    // On a read-only file system Node reports a missing folder; asking to write says what is the matter.
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

/** The file's content, or undefined where there is no file. */
export async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (fault) {
    const { code } = fault as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw asSmaltiError(fault, path)
  }
}

/** A path that a system can be asked for. */
export const pathText = z
  .string()
  .min(1)
  .refine((path) => !path.includes('\0'), 'is no path')

const SEPARATORS = process.platform === 'win32' ? /[\\/]/ : '/'

/** A path below a folder: a project that somebody else made cannot lead out of where an export is asked to go. */
export const pathBelow = pathText.refine(
  (path) => !isAbsolute(path) && !path.split(SEPARATORS).includes('..'),
  'leads out of its folder'
)
