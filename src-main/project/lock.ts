import { open, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { SmaltiError, asSmaltiError } from '../contract/errors.ts'
import { removeUnfinished } from './files.ts'

/**
 * What tells a living process from all others: its number and, where the system says it, its start. Undefined for
 * one that is gone, or dead and only not yet collected by its parent.
 */
async function identityOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
    // The name in brackets may hold anything; state is the 3rd field, start time the 22nd.
    const fields = status?.slice(status.lastIndexOf(')') + 2).split(' ')
    return !fields || fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${pid} ${fields[19]}`
  }
  try {
    process.kill(pid, 0)
    return String(pid)
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code === 'EPERM' ? String(pid) : undefined
  }
}

/** Whether a process has ended. */
export const isGone = async (pid: number): Promise<boolean> => (await identityOf(pid)) === undefined

/** Milliseconds between looks at a lock that another holds. */
const WAIT = 25

/**
 * Runs `work` while no other process changes the project. A lock whose process is gone is taken over, and
 * what it had half written is removed.
 * @param name      of the lock: parts of a project that several processes may change at a time have their own
 * @param patience  milliseconds for which it waits while another holds the lock
 * @throws ProjectLocked
 */
export async function withLock<T>(folder: string, work: () => Promise<T>, name = 'project', patience = 0): Promise<T> {
  const path = join(folder, `${name}.lock`)
  const until = Date.now() + patience
  for (let attempt = 0, unsigned = 0; ; ) {
    try {
      const handle = await open(path, 'wx')
      await handle.writeFile((await identityOf(process.pid)) ?? '')
      await handle.close()
      break
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code !== 'EEXIST') throw asSmaltiError(fault, folder)
      const owner = await readFile(path, 'utf8').catch(() => '')
      const pid = Number.parseInt(owner)
      if (pid > 0 && (await identityOf(pid)) === owner) {
        if (Date.now() > until) throw new SmaltiError('ProjectLocked', { path: folder, process: pid })
        await new Promise((resolve) => setTimeout(resolve, WAIT))
        continue
      }
      // Its owner may be about to sign it.
      if (owner === '' && ++unsigned < 10) {
        await new Promise((resolve) => setTimeout(resolve, WAIT))
        continue
      }
      if (++attempt > 3) throw new SmaltiError('ProjectLocked', { path: folder, process: pid })
      await unlink(path).catch(() => undefined)
    }
  }
  try {
    await removeUnfinished(folder, isGone)
    return await work()
  } finally {
    await unlink(path).catch(() => undefined)
  }
}
