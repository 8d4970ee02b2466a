import { z } from 'zod'
import { LEARNT_METHODS, deepInfomax, guidedFilter } from './recipe.ts'

/** What is known of a head without labels. Information and entropies in nats. */
export const headReport = z.object({
  name: z.string(),
  /** The sub-head of highest information, whose heatmaps are used. */
  subHead: z.int(),
  information: z.number(),
  /** ln C, the most that C clusters can carry. */
  ceiling: z.number(),
  entropy: z.number(),
  conditionalEntropy: z.number(),
  masses: z.array(z.number()),
  /** The averaged joint P itself, row-major C×C; of the newest report alone, older ones would fill the disk. */
  joint: z.array(z.number()).optional()
})

export const trainingReport = z.object({
  step: z.int(),
  seconds: z.number(),
  /** 0…1 */
  progress: z.number(),
  /** Share of the time in which the trainer waited for crops. */
  waitingShare: z.number(),
  /** Factor on the learning rate: below 1 after set-backs. */
  rateFactor: z.number(),
  heads: z.array(headReport)
})
export type HeadReport = z.infer<typeof headReport>
export type TrainingReport = z.infer<typeof trainingReport>

/** A network as it is written down; `learning` gives it its meaning. */
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
  /** A network of others in place of a trunk, whose features are not trained; `layers` tell how finely they are looked at. */
  backbone: z
    .object({
      /** SHA-256 of its file. */
      digest: z.string(),
      channels: z.int(),
      /** Side in pixels of what one feature stands for. */
      stride: z.int(),
      /** Pixels to each side that a window holds beyond those that are labelled. */
      halo: z.int()
    })
    .optional(),
  /** Sides in pixels of the boxes whose statistics enter the heads beside the trunk's features; none when absent. */
  statistics: z.array(z.int().positive()).optional(),
  /** Statistics come from the box of least variance about each pixel, with this weight λ of likeness; from the box centred on it when absent. */
  kuwahara: z.number().min(0).optional(),
  /** Heatmaps are filtered with the image as guide, and enlarged by it; bilinearly when absent. */
  guidedFilter: guidedFilter.optional(),
  /** Dense SIFT descriptors in place of a trunk; `layers` tell how finely they lie. */
  descriptor: z.literal('sift').optional(),
  /** Clusters also depend on how far up or down its image a pixel lies. */
  upright: z.boolean().optional(),
  /** The features are averaged over the whole crop: one answer for each image instead of each pixel. */
  wholeImage: z.boolean().optional(),
  heads: z.array(
    z.object({
      name: z.string(),
      clusters: z.int(),
      subHeads: z.int(),
      /** The head whose clusters this one joins, instead of learning by itself. */
      mergedFrom: z.string().optional(),
      /** Boxes of the statistics beside the features on which the head was refitted after training; not refitted when absent. */
      refit: z.array(z.int().positive()).optional()
    })
  )
})
export type Architecture = z.infer<typeof architecture>

/** The fixed sizes of a training step. */
export const stepShape = z.object({
  /** What is minimised; `information` when absent. */
  method: z.enum(LEARNT_METHODS).optional(),
  deepInfomax: deepInfomax.optional(),
  pairs: z.int(),
  /** Side of the square crops in pixels; a multiple of the network's stride. */
  crop: z.int(),
  /** Joints measured: one of all displacements together when absent, or one for each drawn displacement. */
  displacements: z.int().optional(),
  /** The views differ by more than flips, quarter turns and shifts, or pixels are masked. */
  warped: z.boolean().optional(),
  /** Some pixels are without data; masks say which. */
  masked: z.boolean().optional(),
  /** Longest gradient, as the norm over all weights; 0 or absent leaves it. */
  clip: z.number().optional(),
  /** Share of the averaged weights that one step keeps; 0 or absent keeps no average. */
  averaging: z.number().optional()
})
export type StepShape = z.infer<typeof stepShape>

/** Whether clusters depend on the row of a pixel, and why. */
export const upright = z.object({
  used: z.boolean(),
  reason: z.string(),
  /** η² of `rowEffect`, where it was measured. */
  effect: z.number().optional()
})
export type Upright = z.infer<typeof upright>
