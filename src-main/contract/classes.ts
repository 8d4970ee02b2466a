import { z } from 'zod'

/** What the user made of a head's clusters. */
export const scheme = z.object({
  classes: z.array(z.object({ id: z.int().min(0).max(249), name: z.string(), colour: z.string().regex(/^#[0-9a-f]{6}$/i), hidden: z.boolean().default(false), ignored: z.boolean().default(false) })).max(250),
  /** Class id of each cluster. */
  of: z.array(z.int())
})
export type Scheme = z.infer<typeof scheme>

/** Clusters joined step by step: `joins[i]` makes node `count + i` of two earlier ones; `cost` rises. Cut, it gives any number of groups. */
export const clusterTree = z.object({
  count: z.int().min(1),
  joins: z.array(z.object({ parts: z.tuple([z.int(), z.int()]), cost: z.number() }))
})
export type ClusterTree = z.infer<typeof clusterTree>
