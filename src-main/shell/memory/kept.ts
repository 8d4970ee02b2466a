import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { app } from 'electron'
import type { z } from 'zod'

const fileOf = (name: string): string => join(app.getPath('userData'), name)

/** What the program remembered of its user in a file of its own, if it is still what it should be. */
export function kept<T>(name: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(fileOf(name), 'utf8')))
  } catch {
    // Nothing was remembered yet, or a damaged file: the usual serves.
    return undefined
  }
}

/** The file is the old one or the new one, whatever happens. */
export function keep(name: string, value: unknown): void {
  const temporary = `${fileOf(name)}.partial`
  writeFileSync(temporary, JSON.stringify(value), { flush: true })
  renameSync(temporary, fileOf(name))
}
