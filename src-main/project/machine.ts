import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { threadId } from 'node:worker_threads'
import { z } from 'zod'

/** Identifies a thread of a process on a computer among all that share a folder. */
export const worker = z.object({
  host: z.string(),
  /** Changes when the computer restarts; empty if the system doesn't say. */
  boot: z.string(),
  process: z.int(),
  /** When the process started, in the system's own unit; empty if the system doesn't say. */
  started: z.string(),
  thread: z.int()
})
export type Worker = z.infer<typeof worker>

function ifReadable(read: () => string): string {
  try {
    return read().trim()
  } catch {
    return ''
  }
}

/**
 * Returns a unique host. Computers may have the same name, and containers on one computer share its boot id but not its
 * process ids.
 */
function hostOf(): string {
  const [machine, space] = [
    ifReadable(() => readFileSync('/etc/machine-id', 'utf8')),
    ifReadable(() => readlinkSync('/proc/self/ns/pid'))
  ]
  return process.env.SMALTI_HOST ?? [hostname(), machine, space].filter(Boolean).join(' ')
}

/** Returns a process's fields from its state on, as Linux lists them, or undefined if the process has ended. */
function fieldsOf(status: string | undefined): string[] | undefined {
  // The name in brackets may contain anything; the state is the 3rd field, the start time the 22nd.
  const fields = status?.slice(status.lastIndexOf(')') + 2).split(' ')
  return !fields || fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields
}
const START = 19

/** This thread. `SMALTI_HOST` names its computer if host names aren't unique. */
export const THIS_WORKER: Worker = {
  host: hostOf(),
  boot: ifReadable(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
  process: process.pid,
  started: fieldsOf(ifReadable(() => readFileSync('/proc/self/stat', 'utf8')))?.[START] ?? '',
  thread: threadId
}

const GONE = new Set(['ENOENT', 'ESRCH'])

/**
 * Returns when a process of this computer started, empty if that is unknown, or undefined if there is no such process.
 */
async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    try {
      return fieldsOf(await readFile(`/proc/${pid}/stat`, 'utf8'))?.[START]
    } catch (fault) {
      return GONE.has((fault as NodeJS.ErrnoException).code ?? '') ? undefined : ''
    }
  }
  try {
    process.kill(pid, 0)
    return ''
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code === 'EPERM' ? '' : undefined
  }
}

/** Returns the name of a worker's computer, as its users know it. */
export const machineOf = ({ host }: Worker): string => host.split(' ')[0]

/** Whether a worker has ended; undefined if only a sign of life could tell. */
export async function hasEnded({ host, boot, process: pid, started, thread }: Worker): Promise<boolean | undefined> {
  if (host !== THIS_WORKER.host) return undefined
  if (boot !== THIS_WORKER.boot) return true
  const found = await startOf(pid)
  if (found === undefined) return true
  if (found === '') return undefined
  if (found !== started) return true
  // A process lives as long as its first thread; its other threads may have ended.
  return thread === 0 || (pid === THIS_WORKER.process && thread === THIS_WORKER.thread) ? false : undefined
}

const digest = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length)
const [HOST, BOOT] = [digest(THIS_WORKER.host, 8), digest(THIS_WORKER.boot, 4)]

/** Identifies a process on a computer in a few letters, for file names. */
export const PROCESS_TAG = `${HOST}${BOOT}-${process.pid}`
const TAG = /^([0-9a-f]{8})([0-9a-f]{4})-(\d+)$/

/** Whether a tag belongs to a process of this computer that has ended. */
export async function endedHere(tag: string): Promise<boolean> {
  const [, host, boot, pid] = TAG.exec(tag) ?? []
  return host === HOST && (boot !== BOOT || (await startOf(Number(pid))) === undefined)
}
