import { z } from 'zod'
import { headDescription } from '../classes.ts'
import { skippedFile } from '../imagery.ts'
import { cleanUp, shard } from '../labels.ts'
import { BACKEND_CHOICES } from '../settings.ts'
import { folder, head, sources } from './fields.ts'

/** Commands that label images, and describe the labels. */
export const LABELLING_COMMANDS = {
  segment: {
    input: z.object({
      project: folder,
      /** Other images than the run's own; they get a set of labels of their own. */
      images: sources.optional(),
      backend: z.enum(BACKEND_CHOICES).optional(),
      /** GeoJSON file that replaces the run's area of interest. */
      area: z.string().optional(),
      cleanUp: cleanUp.optional(),
      /** Also saves the probability of each cluster, at the network's resolution. */
      heatmaps: z.boolean().optional(),
      /** Page of multi-page TIFFs to label, instead of the page used in training. */
      page: z.int().positive().optional(),
      /** Labels only one part of the images, to be merged later. */
      shard: shard.optional()
    }),
    output: z.object({
      project: folder,
      labels: folder,
      images: z.int(),
      /** Images labelled in this call; the others were labelled before. */
      labelled: z.int(),
      skipped: z.array(skippedFile),
      /** Labelled images with what the user should know about them. */
      warnings: z.array(skippedFile),
      backend: z.string(),
      seconds: z.number(),
      /** Share of the time in which the network waited for windows to be read or tiles to be written. */
      waitingShare: z.number()
    })
  },
  mergeShards: {
    input: z.object({ project: folder, images: sources.optional() }),
    output: z.object({
      project: folder,
      labels: folder,
      images: z.int(),
      shards: z.int(),
      skipped: z.array(skippedFile)
    })
  },
  /** Returns statistics of a segmentation's clusters. */
  describe: {
    input: z.object({ project: folder, images: sources.optional(), head }),
    output: headDescription.extend({ head, names: z.array(z.string()) })
  }
} as const
