import type { z } from 'zod'

/** What the window remembered under a name, if it is still what it should be. */
export function kept<T>(key: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(localStorage.getItem(key) ?? 'null'))
  } catch {
    // Nothing was remembered, or by another version.
    return undefined
  }
}

export const keep = (key: string, value: unknown): void => localStorage.setItem(key, JSON.stringify(value))
