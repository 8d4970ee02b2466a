import { z } from 'zod'

/** Libraries that compute, too large for a package, which a user may fetch. */
export const RUNTIMES = ['tensorflow'] as const
export type RuntimeName = (typeof RUNTIMES)[number]

export const runtime = z.object({
  name: z.enum(RUNTIMES),
  version: z.string(),
  /** Bytes to be fetched, and on the disk then. */
  packed: z.int(),
  bytes: z.int(),
  /** It has been fetched. */
  here: z.boolean()
})
export type Runtime = z.infer<typeof runtime>

/** Sizes as they are told beside a runtime. */
export const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`
