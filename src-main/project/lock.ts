import { randomUUID } from 'node:crypto'
import { type FileHandle, link, open, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { SmaltiError, asSmaltiError } from '../contract/errors.ts'
import { removeUnfinished, temporaryName } from './files.ts'
import { THIS_WORKER, type Worker, hasEnded, machineOf, worker } from './machine.ts'

/** Milliseconds between checks of a lock that another process holds: the first, and the longest. */
const [LOOK, LONGEST_LOOK] = [25, 500]
/** Milliseconds between the holder's signs of life. */
const BEAT = 10_000
/** A holder without a sign of life for this long counts as ended, if there is no better evidence. */
const QUIET = 120_000

const record = worker.extend({ id: z.string() })
type Record = z.infer<typeof record>

/** A lock, as found on disk. */
interface Found {
  /** Absent if the file is unreadable, for example after a power cut. */
  holder?: Record
  /** Distinguishes this lock from earlier and later ones in the same place. */
  id: string
}

/** Which lock to take, and what to do while another process holds it. */
export interface LockOptions {
  /** Name of the lock. Parts of a project that several processes may change at a time have separate locks. */
  name?: string
  /** Milliseconds to wait while another process holds the lock. */
  patience?: number
  /** Stops waiting. */
  signal?: AbortSignal
  /** Called when a lock was taken over from a holder on another computer or thread that gave no sign of life. */
  onTakeover?(holder: Worker | undefined): void
  /** False if files below the folder aren't all ours; the caller then removes unfinished files of ended processes. */
  sweeps?: boolean
}

/** Folders that this process has cleared of unfinished files that ended processes of this computer left. */
const cleared = new Set<string>()

/** A lock that is held until it is disposed of. */
export interface Lock extends AsyncDisposable {
  /** Aborts with `ProjectLocked` if another process took the lock over, for example while the computer was asleep. */
  readonly lost: AbortSignal
}

/**
 * Takes a lock that no one else holds, on this computer or any other that sees the folder. The lock of a holder that
 * has ended is taken over, by one process only, and unfinished files that processes of this computer left are removed.
 * @throws ProjectLocked, Cancelled, FolderNotWritable, DiskFull
 */
export async function takeLock(
  folder: string,
  { name = 'project', patience = 0, signal, onTakeover, sweeps = true }: LockOptions = {}
): Promise<Lock> {
  const path = join(folder, `${name}.lock`)
  const own: Record = { ...THIS_WORKER, id: randomUUID() }
  const takenOver = await take(path, own, folder, patience, signal)
  const ended = takenOver?.holder && (await hasEnded(takenOver.holder))
  const lost = new AbortController()
  const beating = beat(path, own, async () => lost.abort(await lockedBy(path, folder)))
  const lock: Lock = {
    lost: lost.signal,
    async [Symbol.asyncDispose]() {
      await beating.stop()
      if ((await found(path).catch(() => undefined))?.id === own.id) await unlink(path).catch(() => undefined)
    }
  }
  try {
    if (takenOver && ended === undefined) onTakeover?.(takenOver.holder)
    if (sweeps && (takenOver || (name === 'project' && !cleared.has(folder)))) {
      await removeUnfinished(folder)
      cleared.add(folder)
    }
    return lock
  } catch (fault) {
    await lock[Symbol.asyncDispose]()
    throw fault
  }
}

/**
 * Runs `work` while holding a lock.
 * @param work  receives a signal that aborts when another process takes the lock over
 * @throws the same as `takeLock`, and whatever `work` throws
 */
export async function withLock<T>(
  folder: string,
  work: (lost: AbortSignal) => Promise<T>,
  options: LockOptions = {}
): Promise<T> {
  await using lock = await takeLock(folder, options)
  try {
    const done = await work(lock.lost)
    lock.lost.throwIfAborted()
    return done
  } catch (fault) {
    throw lock.lost.aborted ? lock.lost.reason : fault
  }
}

async function lockedBy(path: string, folder: string): Promise<SmaltiError> {
  const holder = (await found(path))?.holder
  return new SmaltiError('ProjectLocked', {
    path: folder,
    process: holder?.process,
    host: holder && holder.host !== THIS_WORKER.host ? machineOf(holder) : undefined
  })
}

/** Takes a lock and waits for it if needed. @returns the lock that was taken over, if any */
async function take(
  path: string,
  own: Record,
  folder: string,
  patience: number,
  signal: AbortSignal | undefined
): Promise<Found | undefined> {
  const until = performance.now() + patience
  const draft = temporaryName(path)
  try {
    await writeFile(draft, JSON.stringify(own), { flag: 'wx' })
    for (let look = LOOK; ; look = Math.min(2 * look, LONGEST_LOOK)) {
      if (signal?.aborted) throw new SmaltiError('Cancelled')
      // Over a network, the reply that a link was made may be lost, and the second attempt finds the link.
      if ((await placed(draft, path)) || (await found(path))?.id === own.id) return undefined
      const outcome = await takeOver(path, draft)
      if (outcome !== 'held') return outcome === 'free' ? undefined : outcome
      if (performance.now() > until) throw await lockedBy(path, folder)
      await pause(look, undefined, { signal }).catch(() => undefined)
    }
  } catch (fault) {
    throw fault instanceof SmaltiError ? fault : asSmaltiError(Object.assign(fault as Error, { path: folder }))
  } finally {
    await unlink(draft).catch(() => undefined)
  }
}

/** Gives a written file a second name, if nothing has that name yet. */
async function placed(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'EEXIST') return false
    // File systems report missing support for links in many ways; any other problem shows up when writing.
  }
  const content = await readFile(draft)
  try {
    await writeFile(path, content, { flag: 'wx' })
    return true
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw fault
  }
}

/** Reads a lock, or returns undefined if there is none. */
async function found(path: string): Promise<Found | undefined> {
  const text = await readFile(path, 'utf8').catch((fault: NodeJS.ErrnoException) => {
    if (fault.code === 'ENOENT') return undefined
    throw fault
  })
  if (text === undefined) return undefined
  try {
    const holder = record.parse(JSON.parse(text))
    return { holder, id: holder.id }
  } catch {
    return { id: 'unknown' }
  }
}

/**
 * Takes the lock of a holder that has ended. The first process to create the file named after the old lock is its only
 * successor. If that process ends before it has replaced the lock, its own file can be taken over in the same way.
 * @returns  the former lock, `held` by a living holder, or `free` if the lock had been released and was taken
 */
async function takeOver(path: string, draft: string): Promise<Found | 'held' | 'free'> {
  const former = await found(path)
  if (!former) return (await placed(draft, path)) ? 'free' : 'held'
  const claims: string[] = []
  for (let [at, last]: [string, Found] = [path, former]; ;) {
    if (!(await isOver(at, last))) return 'held'
    const claim = `${path}.after-${last.id}`
    claims.push(claim)
    if (await placed(draft, claim)) break
    const other = await found(claim)
    if (!other) return 'held'
    ;[at, last] = [claim, other]
  }
  let taken = false
  try {
    // Another process may have replaced the lock and cleared the claims after this one read it.
    if ((await found(path))?.id === former.id) {
      await rename(draft, path)
      taken = true
    }
  } catch (fault) {
    // A system that can't replace an open file leaves the lock to its holder.
    if (!IN_USE.has((fault as NodeJS.ErrnoException).code ?? '')) throw fault
  } finally {
    for (const claim of taken ? claims : claims.slice(-1)) await unlink(claim).catch(() => undefined)
  }
  return taken ? former : 'held'
}

const IN_USE = new Set(['EPERM', 'EBUSY', 'EACCES'])

/** Whether a lock's holder has certainly ended, or has given no sign of life for a long time. */
async function isOver(path: string, { holder }: Found): Promise<boolean> {
  const ended = holder ? await hasEnded(holder) : undefined
  if (ended !== undefined) return ended
  // Both times come from the file system, because clocks of computers differ.
  const probe = temporaryName(path)
  try {
    await writeFile(probe, '')
    const [now, then] = await Promise.all([stat(probe), stat(path)])
    return now.mtimeMs - then.mtimeMs > QUIET
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw fault
  } finally {
    await unlink(probe).catch(() => undefined)
  }
}

/** Rewrites a lock regularly to show that its holder is alive. */
function beat(path: string, own: Record, onLost: () => Promise<void>): { stop(): Promise<void> } {
  let handle: FileHandle | undefined
  let writing: Promise<void> = Promise.resolve()
  const once = async (): Promise<void> => {
    try {
      const now = await found(path)
      if (now?.id !== own.id) return await onLost()
      handle ??= await open(path, 'r+')
      await handle.write(JSON.stringify(own), 0)
    } catch {
      // A network folder that doesn't respond may return, and meanwhile no one else can take the lock over.
    }
  }
  const timer = setInterval(() => (writing = writing.then(once)), BEAT).unref()
  return {
    async stop() {
      clearInterval(timer)
      await writing
      await handle?.close()
    }
  }
}
