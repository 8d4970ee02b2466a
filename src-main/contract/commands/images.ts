import { z } from 'zod'
import { imageDetails } from '../details.ts'
import { catalogue, skippedFile } from '../imagery.ts'
import { folder, sources } from './fields.ts'

/** Commands that read images. */
export const IMAGE_COMMANDS = {
  catalogue: {
    input: z.object({ sources, /** Page of multi-page TIFFs. */ page: z.int().positive().optional() }),
    output: catalogue
  },
  /** Lists files that look like images by name, without reading a header. */
  listing: {
    input: z.object({ sources }),
    output: z.object({ images: z.array(z.object({ path: z.string(), file: z.string() })) })
  },
  /** Returns what the headers and sidecar files of images say. */
  details: {
    input: z.object({ sources, page: z.int().positive().optional() }),
    output: z.object({ images: z.array(imageDetails), skipped: z.array(skippedFile) })
  },
  /** Adds an outline to an area of interest, and returns the area in an image's pixels. */
  area: {
    input: z.object({
      /** An image whose place on the ground is known. */
      file: z.string().min(1),
      /** GeoJSON file of the present area; never changed. */
      area: z.string().min(1).optional(),
      /** Corners in columns and rows of the image. */
      add: z
        .array(z.tuple([z.number(), z.number()]))
        .min(3)
        .max(100_000)
        .optional(),
      /** Project that keeps the new file; created if necessary. */
      project: folder,
      sources
    }),
    output: z.object({ area: z.string().optional(), rings: z.array(z.array(z.tuple([z.number(), z.number()]))) })
  },
  /** Generates aerial scenes with known truth, to try the program on. */
  sample: { input: z.object({ out: folder }), output: z.object({ images: folder, truth: folder }) }
} as const
