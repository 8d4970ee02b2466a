import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { asSmaltiError } from '../contract/errors.ts'
import { type Project, runFolder } from './project.ts'

/** File of all tiles that were ever corrected in a run, one behind the other; the history tells where each lies. */
export const correctionsPath = (project: Project): string => join(runFolder(project), 'corrections.bin')

/** Adds tiles to a run's corrections, flushed, and tells where each begins. What no step tells of, after a kill, is only passed over. @throws DiskFull, FolderNotWritable */
export async function addTiles(project: Project, tiles: readonly Uint8Array[]): Promise<number[]> {
  const path = correctionsPath(project)
  try {
    const handle = await open(path, 'a')
    try {
      let { size: end } = await handle.stat()
      const offsets: number[] = []
      for (const tile of tiles) {
        await handle.appendFile(tile)
        offsets.push(end)
        end += tile.length
      }
      await handle.sync()
      return offsets
    } finally {
      await handle.close()
    }
  } catch (fault) {
    throw asSmaltiError(fault, path)
  }
}
