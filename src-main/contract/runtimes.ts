import { z } from 'zod'

/** Optional compute runtimes, too large to ship, which a user can download. */
export const RUNTIMES = ['tensorflow'] as const
export type RuntimeName = (typeof RUNTIMES)[number]

export const runtime = z.object({
  name: z.enum(RUNTIMES),
  version: z.string(),
  /** Bytes to download, and bytes on the disk. */
  packed: z.int(),
  bytes: z.int(),
  /** Whether it has been downloaded. */
  here: z.boolean()
})
export type Runtime = z.infer<typeof runtime>

/** Formats a size in megabytes. */
export const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`
