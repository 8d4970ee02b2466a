import { z } from 'zod'
import { METHODS } from './recipe.ts'
import { PRESETS } from './settings.ts'

/** Measures of a run's features, without labels, for the weights after this number of steps. */
export const diagnosis = z.object({
  steps: z.int(),
  /** Pixels sampled, features per pixel, and how many features never vary. */
  pixels: z.int(),
  features: z.int(),
  unused: z.int(),
  /**
   * Lower bound on the information that features carry about the colours and gradients around their pixel, in nats
   * (MINE).
   */
  information: z.number(),
  /** Lower bound on the dependency between features, in nats (NDM). */
  dependency: z.number()
})
export type Diagnosis = z.infer<typeof diagnosis>

/** A run of a project, as it is listed. */
export const runSummary = z.object({
  /** Name of its folder. */
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
  /** Information of the first head in nats, and its upper limit, if the method measures information. */
  information: z.number().optional(),
  ceiling: z.number().optional(),
  /** Present if the features were measured since the run last trained. */
  diagnosis: diagnosis.optional(),
  /** Images that the run has labelled. */
  labelled: z.int(),
  /** Time of the last change, in milliseconds. */
  changed: z.number()
})
export type RunSummary = z.infer<typeof runSummary>
