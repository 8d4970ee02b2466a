import { z } from 'zod'
import { EXPORT_FORMATS, cleanUp, measures } from '../labels.ts'
import { folder, head, sources } from './fields.ts'

/** Commands that write results for other programs. */
export const EXPORT_COMMANDS = {
  export: {
    input: z.object({
      project: folder,
      images: sources.optional(),
      format: z.enum(EXPORT_FORMATS),
      out: folder,
      head,
      cleanUp: cleanUp.optional(),
      measures: measures.optional(),
      /** Exports classes with corrections by hand, or the clusters as the network found them. */
      what: z.enum(['classes', 'clusters']).default('classes'),
      /** Paths of the images to export; all when absent. */
      only: z.array(z.string().min(1)).min(1).optional(),
      /** Writes nothing, and only returns what would be written. */
      plan: z.boolean().default(false),
      /** Also overwrites files that no earlier export wrote. */
      overwrite: z.boolean().default(false)
    }),
    output: z.object({
      out: folder,
      files: z.int(),
      /** Some of the files' names. */
      names: z.array(z.string()),
      /** Sentences the user should read. */
      notes: z.array(z.string()).optional(),
      /** Estimated size in bytes, where it is known in advance. */
      bytes: z.number().optional(),
      head,
      format: z.enum(EXPORT_FORMATS)
    })
  }
} as const
