import { randomUUID } from 'node:crypto'
import { type FileHandle, link, open, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { SmaltiError, asSmaltiError } from '../contract/errors.ts'
import { removeUnfinished, temporaryName } from './files.ts'
import { THIS_WORKER, type Worker, hasEnded, machineOf, worker } from './machine.ts'

/** Milliseconds between looks at a lock that another holds: the first, and the longest. */
const [LOOK, LONGEST_LOOK] = [25, 500]
/** Milliseconds between signs of life of a lock's holder. */
const BEAT = 10_000
/** Without a sign of life for as long, a holder whose end nothing else can tell counts as gone. */
const QUIET = 120_000

const record = worker.extend({ id: z.string() })
type Record = z.infer<typeof record>

/** A lock as it was found. */
interface Found {
  /** Absent where the file says nothing that is understood, as after a power cut. */
  holder?: Record
  /** Tells this lock from those that were or will be in its place. */
  id: string
}

export interface LockOptions {
  /** Parts of a project that several processes may change at a time have locks of their own. */
  name?: string
  /** Milliseconds to wait while another holds the lock. */
  patience?: number
  /** Ends the waiting. */
  signal?: AbortSignal
  /** Hears of a holder on another machine, or thread, that gave no sign of life and whose lock was taken over. */
  onTakeover?(holder: Worker | undefined): void
  /** False where files below the folder are not ours alone: what ended processes had half written is then left to the caller. */
  sweeps?: boolean
}

/** Folders that this process has cleared of what ended processes of its machine had begun to write. */
const cleared = new Set<string>()

/** A lock that is held, until it is disposed of. */
export interface Lock extends AsyncDisposable {
  /** Aborts, with `ProjectLocked` as its reason, when another took the lock over, as after a sleep of the machine. */
  readonly lost: AbortSignal
}

/**
 * Takes a lock that nobody else holds, on this machine or any other that sees the folder. The lock of a holder that has
 * ended is taken over, by one taker only, and files that processes of this machine had half written are removed.
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
 * Runs `work` while nobody else holds the lock.
 * @param work  its signal aborts when another took the lock over
 * @throws as `takeLock`, and whatever `work` throws
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

/** Takes a lock, waiting for it as long as asked. @returns the lock that was taken over, if any */
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
      // Over a network the answer that a link was made may be lost, and the second attempt find it.
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
    // File systems without links say so in many ways; what else is the matter, writing tells.
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

/** What a lock says, or undefined where there is none. */
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
 * Takes the lock of a holder that has ended. Whoever first creates the file named after the old lock is its only successor;
 * should he end before he has replaced the lock, the same holds of his own file.
 * @returns the former lock, `held` by a living holder, or `free` where there was none any more, and it was taken
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
    // Another may have replaced the lock between the look at it and the claim, and cleared the claims away.
    if ((await found(path))?.id === former.id) {
      await rename(draft, path)
      taken = true
    }
  } catch (fault) {
    // A system that does not replace what somebody has open leaves it to its holder.
    if (!IN_USE.has((fault as NodeJS.ErrnoException).code ?? '')) throw fault
  } finally {
    for (const claim of taken ? claims : claims.slice(-1)) await unlink(claim).catch(() => undefined)
  }
  return taken ? former : 'held'
}

const IN_USE = new Set(['EPERM', 'EBUSY', 'EACCES'])

/** Whether the holder of a lock is gone for certain, or has given no sign of life for long. */
async function isOver(path: string, { holder }: Found): Promise<boolean> {
  const ended = holder ? await hasEnded(holder) : undefined
  if (ended !== undefined) return ended
  // Both times are the file system's own: clocks of machines differ.
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

/** Writes a lock anew now and then, so that others see that its holder lives. */
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
      // A network folder that doesn't answer may come back; nobody can take the lock over meanwhile.
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
