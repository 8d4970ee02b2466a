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
  /** What a program loads of it. */
  entry: pathBelow,
  /** Each is fetched by itself, compressed by gzip; the hash is of what it is then. */
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
export type Pack = z.infer<typeof pack>
type PackedFile = Pack['files'][number]

/** What a release says in its own manifest of the runtimes that go with it. */
const pinned = z.object({ smaltiRuntimes: z.array(pack) })

const unavailable = (reason: string): SmaltiError => new SmaltiError('RuntimeUnavailable', { reason })
/** Bytes that a disk keeps free beside a runtime. */
const SPARE = 64 * 2 ** 20

/** Those that go with this build, as a release pins them; none in others. */
async function packs(): Promise<Pack[]> {
  const found = pinned.safeParse(await manifestOf('smalti'))
  return found.success ? found.data.smaltiRuntimes : []
}

const runtimesFolder = (): string => join(dataFolder(), 'runtimes')
/** Another content is another folder. */
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

/** File by which a runtime is loaded, and its version, where it was fetched. */
export async function fetchedRuntime(name: RuntimeName): Promise<{ entry: string; version: string } | undefined> {
  const found = (await packs()).find((one) => one.name === name && existsSync(folderOf(one)))
  return found && { entry: join(folderOf(found), found.entry), version: found.version }
}

/** Fetches the runtime that goes with this build. @throws RuntimeUnavailable and what `fetchPack` throws */
export async function fetchRuntime(
  name: RuntimeName,
  signal: AbortSignal,
  onProgress: (share: number) => void
): Promise<void> {
  const wanted = (await packs()).find((one) => one.name === name)
  if (!wanted) throw unavailable('this build does not say where it is to be had')
  await fetchPack(wanted, signal, onProgress)
}

/**
 * Fetches a runtime into the user's folder: every file is what the release pinned, or none is used. Files that were whole before a
 * connection was cut stay for the next time.
 * @param onProgress  share of the bytes
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

/** @throws RuntimeUnavailable when it is being fetched */
export async function removeRuntime(name: RuntimeName): Promise<void> {
  if (existsSync(runtimesFolder())) await alone(name, () => removeOthers(name))
}

/** Removes what is there of a runtime, of other versions too. */
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
      ? unavailable('another Smalti is fetching it')
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
      ? unavailable(`${dirname(from)} ${fault instanceof TypeError ? 'does not answer' : 'sent something else'}`)
      : named
  }
  await makeFolder(dirname(path))
  await fillFileSafely(path, async (handle) => {
    try {
      const response = await fetchFollowing(from, { signal }, unavailable)
      if (!response.ok || !response.body) throw unavailable(`${from} answers ${response.status}`)
      let [arrived, written] = [0, 0]
      const hash = createHash('sha256')
      const counted = async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
        for await (const part of source) {
          if ((arrived += part.length) > packed) throw unavailable(`${from} sends more than the release says`)
          onBytes(part.length)
          yield part
        }
        if (arrived < packed) throw unavailable(`the connection was cut after ${arrived} of ${packed} bytes`)
      }
      const body = Readable.from(counted(Readable.fromWeb(response.body as ReadableStream<Uint8Array>)))
      const unpacked = createGunzip()
      body.once('error', (fault) => unpacked.destroy(fault))
      for await (const part of body.pipe(unpacked) as AsyncIterable<Buffer>) {
        if ((written += part.length) > bytes) throw unavailable(`${from} holds more than the release says`)
        hash.update(part)
        await handle.appendFile(part)
      }
      if (written !== bytes || hash.digest('hex') !== sha256) throw unavailable(`${from} is not what the release says`)
    } catch (fault) {
      throw stopped(fault)
    }
  })
}
