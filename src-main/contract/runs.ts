import { z } from 'zod'
import { METHODS } from './recipe.ts'
import { PRESETS } from './settings.ts'

/** What a run's features are without labels; of the weights after so many steps. */
export const diagnosis = z.object({
  steps: z.int(),
  /** Pixels that were looked at, features of each, and those of them that never vary. */
  pixels: z.int(),
  features: z.int(),
  unused: z.int(),
  /** What features tell of the colours and gradients about their pixel, at least, in nats (MINE). */
  information: z.number(),
  /** How much features depend on each other, at least, in nats (NDM). */
  dependency: z.number()
})
export type Diagnosis = z.infer<typeof diagnosis>

/** A training of a project, as it is listed. */
export const runSummary = z.object({
  /** Its folder's name. */
  run: z.string(),
  name: z.string(),
  preset: z.enum(PRESETS),
  method: z.enum(METHODS).optional(),
  classes: z.int(),
  over: z.int(),
  seed: z.int(),
  steps: z.int(),
  seconds: z.number(),
  finished: z.boolean(),
  /** Of the first head, in nats, and the most that it can carry; where information was learnt. */
  information: z.number().optional(),
  ceiling: z.number().optional(),
  /** Where its features were measured since it last learnt. */
  diagnosis: diagnosis.optional(),
  /** Images that it has labelled. */
  labelled: z.int(),
  /** When it was written last, in milliseconds. */
  changed: z.number()
})
export type RunSummary = z.infer<typeof runSummary>
