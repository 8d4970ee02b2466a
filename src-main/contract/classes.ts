import { z } from 'zod'

/** What the user made of a head's clusters. */
export const scheme = z.object({
  classes: z.array(z.object({ id: z.int().min(0).max(249), name: z.string(), colour: z.string().regex(/^#[0-9a-f]{6}$/i), hidden: z.boolean().default(false), ignored: z.boolean().default(false) })).max(250),
  /** Class id of each cluster. */
  of: z.array(z.int())
})
export type Scheme = z.infer<typeof scheme>
