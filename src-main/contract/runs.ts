import { z } from 'zod'
import { METHODS } from './recipe.ts'
import { PRESETS } from './settings.ts'

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
  /** Images that it has labelled. */
  labelled: z.int(),
  /** When it was written last, in milliseconds. */
  changed: z.number()
})
export type RunSummary = z.infer<typeof runSummary>
