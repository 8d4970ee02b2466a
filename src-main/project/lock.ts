import { open, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { TesseraError, asTesseraError } from '../contract/errors.ts'

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * Runs `work` while no other process changes the project. A lock whose process is gone is taken over.
 * @throws ProjectLocked
 */
export async function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, 'project.lock')
  for (let attempt = 0; ; attempt++) {
    try {
      const handle = await open(path, 'wx')
      await handle.writeFile(String(process.pid))
      await handle.close()
      break
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code !== 'EEXIST') throw asTesseraError(fault, folder)
      const owner = Number(await readFile(path, 'utf8').catch(() => '0'))
      if (attempt > 2 || (owner > 0 && owner !== process.pid && isAlive(owner))) {
        throw new TesseraError('ProjectLocked', { path: folder, process: owner })
      }
      await unlink(path).catch(() => undefined)
    }
  }
  try {
    return await work()
  } finally {
    await unlink(path).catch(() => undefined)
  }
}
