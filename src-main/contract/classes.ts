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

/** What is known of a head's clusters, counted over all labelled pixels. */
export const headDescription = z.object({
  clusters: z.array(
    z.object({
      pixels: z.number(),
      /** On the ground, where all images say how large their pixels are. */
      squareMetres: z.number().optional(),
      /** Mean probability where it leads, 0…1; absent where it never does. */
      confidence: z.number().optional(),
      /** Mean values of the bands looked at, as the files have them. */
      bands: z.array(z.number()),
      /** Certain places in different images, in pixels. */
      patches: z.array(z.object({ path: z.string(), x: z.number(), y: z.number() }))
    })
  ),
  /** Pairs of pixels that touch along an edge, by cluster, row-major, symmetric; off the diagonal, lengths of borders in pixels. */
  neighbours: z.array(z.number())
})
export type HeadDescription = z.infer<typeof headDescription>
/** By head. */
export const clusterDescriptions = z.record(z.string(), headDescription)
export type ClusterDescriptions = z.infer<typeof clusterDescriptions>
