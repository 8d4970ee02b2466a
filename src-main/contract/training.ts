import { z } from 'zod'

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
  masses: z.array(z.number())
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
  layers: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('convolution'), channels: z.int(), dilation: z.int(), stride: z.int() }),
      z.object({ kind: z.literal('pool') })
    ])
  ),
  heads: z.array(z.object({ name: z.string(), clusters: z.int(), subHeads: z.int() }))
})
export type Architecture = z.infer<typeof architecture>
