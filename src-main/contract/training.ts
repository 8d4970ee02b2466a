import { z } from 'zod'
import { LEARNT_METHODS, deepInfomax, guidedFilter } from './recipe.ts'

/** Measures of a head, without labels. Information and entropies in nats. */
export const headReport = z.object({
  name: z.string(),
  /** The sub-head with the highest information, whose heatmaps are used. */
  subHead: z.int(),
  information: z.number(),
  /** ln C, the upper limit for C clusters. */
  ceiling: z.number(),
  entropy: z.number(),
  conditionalEntropy: z.number(),
  masses: z.array(z.number()),
  /** The averaged joint P, row-major C×C. Only the latest report has it; older ones would fill the disk. */
  joint: z.array(z.number()).optional()
})

export const trainingReport = z.object({
  step: z.int(),
  seconds: z.number(),
  /** Progress, 0…1. */
  progress: z.number(),
  /** Share of the time in which the trainer waited for crops. */
  waitingShare: z.number(),
  /** Factor on the learning rate: below 1 after training diverged and went back to a checkpoint. */
  rateFactor: z.number(),
  heads: z.array(headReport)
})
export type HeadReport = z.infer<typeof headReport>
export type TrainingReport = z.infer<typeof trainingReport>

/** A network in writing; `learning` builds it. */
export const architecture = z.object({
  bands: z.int(),
  /** The first layer also sees the horizontal and vertical Sobel gradient of the bands' mean. */
  sobel: z.boolean().optional(),
  layers: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('convolution'), channels: z.int(), dilation: z.int(), stride: z.int() }),
      z.object({ kind: z.literal('pool'), average: z.boolean().optional() })
    ])
  ),
  /** A network from elsewhere in place of the trunk, whose features are not trained; `layers` give their resolution. */
  backbone: z
    .object({
      /** SHA-256 of its file. */
      digest: z.string(),
      channels: z.int(),
      /** Pixels per feature, along a side. */
      stride: z.int(),
      /** Pixels that a window needs on each side of those it labels. */
      halo: z.int()
    })
    .optional(),
  /**
   * Sides in pixels of the boxes whose statistics feed the heads together with the trunk's features; none when absent.
   */
  statistics: z.array(z.int().positive()).optional(),
  /**
   * Statistics come from the box of least variance around each pixel, with this weight λ of similarity; when absent,
   * from the box centred on the pixel.
   */
  kuwahara: z.number().min(0).optional(),
  /** Heatmaps are filtered and enlarged with the image as a guide; bilinearly when absent. */
  guidedFilter: guidedFilter.optional(),
  /** Dense SIFT descriptors in place of a trunk; `layers` give their resolution. */
  descriptor: z.literal('sift').optional(),
  /** Clusters also depend on a pixel's vertical position in its image. */
  upright: z.boolean().optional(),
  /** The features are averaged over the whole crop: one answer per image instead of per pixel. */
  wholeImage: z.boolean().optional(),
  heads: z.array(
    z.object({
      name: z.string(),
      clusters: z.int(),
      subHeads: z.int(),
      /** The head whose clusters this one joins, instead of training by itself. */
      mergedFrom: z.string().optional(),
      /** Sides of the boxes whose statistics were used to refit the head after training; not refitted when absent. */
      refit: z.array(z.int().positive()).optional()
    })
  )
})
export type Architecture = z.infer<typeof architecture>

/** The fixed sizes of a training step. */
export const stepShape = z.object({
  /** The objective; `information` when absent. */
  method: z.enum(LEARNT_METHODS).optional(),
  deepInfomax: deepInfomax.optional(),
  pairs: z.int(),
  /** Side of the square crops in pixels; a multiple of the network's stride. */
  crop: z.int(),
  /** Number of joints: one per drawn displacement, or when absent one of all displacements together. */
  displacements: z.int().optional(),
  /** Set if the views differ by more than flips, quarter turns and shifts, or pixels are masked. */
  warped: z.boolean().optional(),
  /** Set if some pixels are nodata, which masks mark. */
  masked: z.boolean().optional(),
  /** Largest norm of the gradient over all weights; 0 or absent for no clipping. */
  clip: z.number().optional(),
  /** Share of the averaged weights that one step keeps; 0 or absent for no average. */
  averaging: z.number().optional()
})
export type StepShape = z.infer<typeof stepShape>

/** Whether clusters depend on a pixel's row, and why. */
export const upright = z.object({
  used: z.boolean(),
  reason: z.string(),
  /** η² of `rowEffect`, if it was measured. */
  effect: z.number().optional()
})
export type Upright = z.infer<typeof upright>
