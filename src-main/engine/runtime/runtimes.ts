import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, rename, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { createGunzip } from 'node:zlib'
import { z } from 'zod'
import { SmaltiError, asSmaltiError } from '../../contract/errors.ts'
import { RUNTIMES, type Runtime, type RuntimeName } from '../../contract/runtimes.ts'
import { fetchFollowing } from '../../imagery/reading/redirects.ts'
import { fillFileSafely, makeFolder, pathBelow, syncFolder } from '../../project/files.ts'
import { withLock } from '../../project/lock.ts'
import { dataFolder } from './userFolders.ts'
import { manifestOf } from './versions.ts'

const pack = z.object({
  name: z.enum(RUNTIMES),
  version: z.string().regex(/^[\w.-]+$/),
  /** The file that loads the runtime. */
  entry: pathBelow,
  /** The files are downloaded one by one, compressed with gzip. The hash is that of the unpacked file. */
  files: z
    .array(
      z.object({
        path: pathBelow,
        from: z.url(),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        bytes: z.int().positive(),
        packed: z.int().positive()
      })
    )
    .min(1)
})
/** A runtime that a release offers for download: its files, sizes and hashes. */
export type Pack = z.infer<typeof pack>
type PackedFile = Pack['files'][number]

/** The part of the release's own manifest that lists its runtimes. */
const pinned = z.object({ smaltiRuntimes: z.array(pack) })

const unavailable = (reason: string): SmaltiError => new SmaltiError('RuntimeUnavailable', { reason })
/** Bytes that must stay free on the disk after a download. */
const SPARE = 64 * 2 ** 20

/** Returns the runtimes that this build's release pins, or none in a build without them. */
async function packs(): Promise<Pack[]> {
  const found = pinned.safeParse(await manifestOf('smalti'))
  return found.success ? found.data.smaltiRuntimes : []
}

const runtimesFolder = (): string => join(dataFolder(), 'runtimes')
/** The folder of a runtime; other content has another folder. */
export const folderOf = ({ name, version, files }: Pack): string =>
  join(
    runtimesFolder(),
    `${name}-${version}-${createHash('sha256')
      .update(files.map(({ sha256 }) => sha256).join())
      .digest('hex')
      .slice(0, 12)}`
  )
const total = (files: readonly PackedFile[], what: 'bytes' | 'packed'): number =>
  files.reduce((sum, file) => sum + file[what], 0)

export async function listRuntimes(): Promise<Runtime[]> {
  return (await packs()).map((one) => ({
    name: one.name,
    version: one.version,
    packed: total(one.files, 'packed'),
    bytes: total(one.files, 'bytes'),
    here: existsSync(folderOf(one))
  }))
}

/** Returns the version of a downloaded runtime and the file that loads it. */
export async function fetchedRuntime(name: RuntimeName): Promise<{ entry: string; version: string } | undefined> {
  const found = (await packs()).find((one) => one.name === name && existsSync(folderOf(one)))
  return found && { entry: join(folderOf(found), found.entry), version: found.version }
}

/** Downloads the runtime that belongs to this build. @throws RuntimeUnavailable and whatever `fetchPack` throws */
export async function fetchRuntime(
  name: RuntimeName,
  signal: AbortSignal,
  onProgress: (share: number) => void
): Promise<void> {
  const wanted = (await packs()).find((one) => one.name === name)
  if (!wanted) throw unavailable("this build doesn't offer one")
  await fetchPack(wanted, signal, onProgress)
}

/**
 * Downloads a runtime into the user's folder. It is used only if every file is exactly the one the release pinned.
 * Complete files are kept for the next attempt when the connection is lost.
 * @param onProgress  receives the share of the bytes
 * @throws RuntimeUnavailable, DiskFull, FolderNotWritable, Cancelled
 */
export async function fetchPack(wanted: Pack, signal: AbortSignal, onProgress: (share: number) => void): Promise<void> {
  await makeFolder(runtimesFolder())
  const folder = folderOf(wanted)
  await alone(wanted.name, async () => {
    if (existsSync(folder)) return
    const unfinished = `${folder}.unfinished`
    const missing = wanted.files.filter(({ path }) => !existsSync(join(unfinished, path)))
    const { bavail, bsize } = await statfs(runtimesFolder())
    if (bavail * bsize < total(missing, 'bytes') + SPARE) throw new SmaltiError('DiskFull', { path: folder })
    const whole = total(wanted.files, 'packed')
    let done = whole - total(missing, 'packed')
    for (const file of missing) {
      await fetchFile(file, join(unfinished, file.path), signal, (bytes) => onProgress((done += bytes) / whole))
    }
    await rename(unfinished, folder)
    await syncFolder(runtimesFolder())
    await removeOthers(wanted.name, folder)
  })
}

/** Removes a downloaded runtime. @throws RuntimeUnavailable while it is being downloaded */
export async function removeRuntime(name: RuntimeName): Promise<void> {
  if (existsSync(runtimesFolder())) await alone(name, () => removeOthers(name))
}

/** Removes everything that is stored of a runtime, other versions included. */
async function removeOthers(name: RuntimeName, except?: string): Promise<void> {
  for (const entry of await readdir(runtimesFolder())) {
    const path = join(runtimesFolder(), entry)
    if (entry.startsWith(`${name}-`) && path !== except) await rm(path, { recursive: true, force: true })
  }
}

async function alone(name: RuntimeName, work: () => Promise<void>): Promise<void> {
  try {
    await withLock(runtimesFolder(), work, { name })
  } catch (fault) {
    throw fault instanceof SmaltiError && fault.name === 'ProjectLocked'
      ? unavailable('another Smalti window or command is downloading it')
      : fault
  }
}

async function fetchFile(
  { from, sha256, bytes, packed }: PackedFile,
  path: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void
): Promise<void> {
  const stopped = (fault: unknown): Error => {
    if (signal.aborted) return new SmaltiError('Cancelled')
    const named = asSmaltiError(fault, path)
    return named.name === 'InternalError'
      ? unavailable(`${dirname(from)} ${fault instanceof TypeError ? "isn't responding" : 'sent unexpected data'}`)
      : named
  }
  await makeFolder(dirname(path))
  await fillFileSafely(path, async (handle) => {
    try {
      const response = await fetchFollowing(from, { signal }, unavailable)
      if (!response.ok || !response.body) throw unavailable(`${from} returned status ${response.status}`)
      let [arrived, written] = [0, 0]
      const hash = createHash('sha256')
      const counted = async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
        for await (const part of source) {
          if ((arrived += part.length) > packed) throw unavailable(`${from} is larger than expected`)
          onBytes(part.length)
          yield part
        }
        if (arrived < packed) throw unavailable(`the connection dropped after ${arrived} of ${packed} bytes`)
      }
      const body = Readable.from(counted(Readable.fromWeb(response.body as ReadableStream<Uint8Array>)))
      const unpacked = createGunzip()
      body.once('error', (fault) => unpacked.destroy(fault))
      for await (const part of body.pipe(unpacked) as AsyncIterable<Buffer>) {
        if ((written += part.length) > bytes) throw unavailable(`${from} is larger than expected when unpacked`)
        hash.update(part)
        await handle.appendFile(part)
      }
      if (written !== bytes || hash.digest('hex') !== sha256) throw unavailable(`the checksum of ${from} doesn't match`)
    } catch (fault) {
      throw stopped(fault)
    }
  })
}
