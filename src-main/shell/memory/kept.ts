import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { app } from 'electron'
import type { z } from 'zod'

const fileOf = (name: string): string => join(app.getPath('userData'), name)

/** Reads a file that the program stored for its user, if it is still valid. */
export function kept<T>(name: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(fileOf(name), 'utf8')))
  } catch {
    // Nothing is stored yet, or the file is damaged: the defaults apply.
    return undefined
  }
}

/** Replaces a stored file. After a crash it has either the old or the new content. */
export function keep(name: string, value: unknown): void {
  const temporary = `${fileOf(name)}.partial`
  writeFileSync(temporary, JSON.stringify(value), { flush: true })
  renameSync(temporary, fileOf(name))
}
