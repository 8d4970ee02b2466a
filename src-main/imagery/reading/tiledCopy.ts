import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { SmaltiError, asSmaltiError } from '../../contract/errors.ts'
import { fillFileSafely, makeFolder } from '../../project/files.ts'
import { withLock } from '../../project/lock.ts'
import type { Copies } from '../formats/format.ts'
import { inspectPhotograph, reasonOf } from '../formats/photograph.ts'
import { sharedWork } from './sharedWork.ts'

/** Copies that this thread is making. Finished copies are found on disk. */
const making = sharedWork<undefined>({ most: 0 })

/** Returns the path of an image's tiled copy, and makes the copy first if needed. */
export async function tiledCopy(
  path: string,
  pixels: number,
  { folder, onProgress }: Copies,
  signal?: AbortSignal
): Promise<string> {
  const { size, mtimeMs } = await stat(path)
  const name = createHash('sha256').update(`${path}\n${size}\n${mtimeMs}`).digest('hex').slice(0, 24)
  const copy = join(folder, `${name}.tif`)
  const isMade = async (): Promise<boolean> => (await stat(copy).catch(() => undefined)) !== undefined
  if (await isMade()) return copy
  await making.get(copy, {
    signal,
    make: async (work) => {
      await makeFolder(folder)
      // Other threads, processes and computers may want the same copy.
      await withLock(folder, async () => ((await isMade()) ? undefined : makeCopy(path, copy, pixels, onProgress)), {
        name,
        patience: Infinity,
        signal: work
      })
      return undefined
    }
  })
  return copy
}

const WATCHED = 250

/**
 * Writes tiles and half-size levels, uncompressed, so that the file's size shows the progress. The decoder can't be
 * interrupted, so a copy that has begun is finished.
 */
async function makeCopy(
  path: string,
  copy: string,
  pixels: number,
  onProgress?: (share: number) => void
): Promise<void> {
  const { channels, type } = await inspectPhotograph(path)
  const expected = pixels * channels * (type === 'uint16' ? 2 : 1) * (4 / 3)
  await fillFileSafely(copy, async (handle, temporary) => {
    const watch = setInterval(
      () =>
        void handle.stat().then(
          ({ size }) => onProgress?.(Math.min(size / expected, 0.99)),
          () => undefined
        ),
      WATCHED
    )
    try {
      const picture = sharp(path, { limitInputPixels: false, failOn: 'truncated', sequentialRead: true }).autoOrient()
      await picture
        .tiff({ tile: true, tileWidth: 256, tileHeight: 256, pyramid: true, compression: 'none', bigtiff: true })
        .toFile(temporary)
    } catch (fault) {
      if (/no space|ENOSPC|write error/i.test((fault as Error).message))
        throw new SmaltiError('DiskFull', { path: copy })
      const named = asSmaltiError(fault, copy)
      throw named.name === 'InternalError'
        ? new SmaltiError('UnreadableImage', { path, reason: reasonOf(fault) })
        : named
    } finally {
      clearInterval(watch)
    }
  })
}
