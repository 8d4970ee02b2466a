import { z } from 'zod'
import { leftOut } from '../evaluation.ts'
import { folder, head, sources } from './fields.ts'

const scores = z.object({
  accuracy: z.number(),
  majority: z.number(),
  nmi: z.number(),
  ari: z.number(),
  miou: z.number(),
  mapping: z.array(z.int()),
  pixels: z.number()
})
/** Commands that compare labels with the truth. */
export const EVALUATION_COMMANDS = {
  evaluate: {
    input: z.object({
      project: folder,
      images: sources.optional(),
      /** Folder of masks or GeoJSON files named like the images, or one GeoJSON file. */
      truth: folder,
      /**
       * The class of each value of a mask or polygon, or of each colour (`#rrggbb`); values it does not name are not
       * scored. Only the value 255, which masks use for pixels that are not scored, may be class 255.
       */
      truthMap: z
        .record(
          z.string().regex(/^(\d+|#[0-9a-f]{6})$/i),
          z
            .int()
            .min(0)
            .max(2 ** 32 - 1)
        )
        .refine(
          (map) => Object.entries(map).every(([value, k]) => k !== 255 || Number(value) === 255),
          "leave out values that shouldn't be scored instead of mapping them to 255"
        )
        .optional(),
      head,
      mapping: z.enum(['many-to-one', 'hungarian']),
      /** Scores the classes, or the clusters whatever their classes are; corrections by hand count either way. */
      what: z.enum(['classes', 'clusters']).default('classes'),
      /** Also returns the accuracies that a person's decisions reach, see `decisionCurve`. */
      curve: z.boolean().optional(),
      /** Also returns the error rate within this many pixels of a boundary between true classes. */
      boundary: z.int().min(1).max(100).optional()
    }),
    output: scores.extend({
      /** Accuracies with the best 1, 2 … nodes of the tree of clusters. */
      curve: z.array(z.number()).optional(),
      boundary: z.object({ pixels: z.number(), errorRate: z.number() }).optional(),
      head,
      how: z.string(),
      /** Number of compared images, and of images without truth. */
      images: z.int(),
      imagesWithoutTruth: z.int(),
      /** Pixels of the compared images that were not scored; `pixels` were. */
      leftOut,
      /** A sentence, if most labelled pixels were left out. */
      warning: z.string().optional(),
      /**
       * Numbers of the true classes, which may be sparse. They are the columns of `confusion`; its rows are classes or
       * clusters.
       */
      classes: z.array(z.int()),
      confusion: z.array(z.array(z.number()))
    })
  }
} as const
