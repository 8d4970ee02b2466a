import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { asSmaltiError } from '../contract/errors.ts'
import { type Project, runFolder } from './project.ts'

/** Returns the path of a file with all tiles ever corrected in a run; the history records where each tile begins. */
export const correctionsPath = (project: Project): string => join(runFolder(project), 'corrections.bin')

/**
 * Appends tiles to a run's corrections, flushes them, and returns where each begins. Tiles that no history step refers
 * to, because of a crash, are ignored.
 * @throws DiskFull, FolderNotWritable
 */
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
