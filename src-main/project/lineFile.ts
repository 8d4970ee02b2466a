import { type FileHandle, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { z } from 'zod'
import { asSmaltiError } from '../contract/errors.ts'
import { makeFolder, readIfPresent } from './files.ts'

/** A file with one JSON value per line. Appending to a long file costs no more than appending to a short one. */
export interface LineFile<T> {
  add(value: T): Promise<void>
  close(): Promise<void>
}

/** Opens a file for appending. @throws DiskFull, FolderNotWritable */
export async function openLineFile<T>(path: string): Promise<LineFile<T>> {
  let handle: FileHandle | undefined
  try {
    await makeFolder(dirname(path))
    const whole = await readFile(path, 'utf8').catch(() => '')
    handle = await open(path, 'a')
    // An incomplete line would merge with the next.
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

/** Reads the values of a file's complete lines, up to the first invalid one. */
export async function* linesOf<T>(path: string, schema: z.ZodType<T>): AsyncGenerator<T> {
  const told = (await readIfPresent(path))?.toString() ?? ''
  for (const line of told.split('\n').slice(0, -1)) {
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch {
      return // A crash cut this line off, so nothing valid follows.
    }
    const found = schema.safeParse(value)
    if (!found.success) return
    yield found.data
  }
}
