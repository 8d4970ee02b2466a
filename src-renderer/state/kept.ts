import type { z } from 'zod'

/** Returns what the window remembers under a key, if it is valid. */
export function kept<T>(key: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(localStorage.getItem(key) ?? 'null'))
  } catch {
    // Nothing is stored, or another version stored it.
    return undefined
  }
}

export const keep = (key: string, value: unknown): void => localStorage.setItem(key, JSON.stringify(value))
