import { type FileHandle, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { z } from 'zod'
import { asSmaltiError } from '../contract/errors.ts'
import { makeFolder, readIfPresent } from './files.ts'

/** A file of one JSON value a line, to which values are added as they come, so that many cost no more each than few. */
export interface LineFile<T> {
  add(value: T): Promise<void>
  close(): Promise<void>
}

/** @throws DiskFull, FolderNotWritable */
export async function openLineFile<T>(path: string): Promise<LineFile<T>> {
  let handle: FileHandle | undefined
  try {
    await makeFolder(dirname(path))
    const whole = await readFile(path, 'utf8').catch(() => '')
    handle = await open(path, 'a')
    // A line that was cut off would swallow the next.
    await handle.truncate(Buffer.byteLength(whole.slice(0, whole.lastIndexOf('\n') + 1)))
  } catch (fault) {
    await handle?.close()
    throw asSmaltiError(fault, path)
  }
  const opened = handle
  return {
    async add(value) {
      try {
        await opened.appendFile(`${JSON.stringify(value)}\n`)
      } catch (fault) {
        throw asSmaltiError(fault, path)
      }
    },
    close: () => opened.close()
  }
}

/** The values of a file's whole lines, up to the first that is none. */
export async function* linesOf<T>(path: string, schema: z.ZodType<T>): AsyncGenerator<T> {
  const told = (await readIfPresent(path))?.toString() ?? ''
  for (const line of told.split('\n').slice(0, -1)) {
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch {
      return // The line that a kill cut off; what follows it was written by nobody.
    }
    const found = schema.safeParse(value)
    if (!found.success) return
    yield found.data
  }
}
