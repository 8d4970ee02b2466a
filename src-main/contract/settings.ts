import { z } from 'zod'

export const BACKEND_CHOICES = ['auto', 'onnxruntime', 'tensorflow'] as const
export const PRESETS = ['quick', 'balanced'] as const
export const HEADS = ['A', 'B'] as const

/** What a user decides before training; a preset supplies the rest. */
export const trainingSettings = z.object({
  /** Classes looked for: clusters of head B. */
  classes: z.int().min(2).max(64),
  /** Over-clusters: clusters of head A, to be merged by hand afterwards. */
  over: z.int().min(2).max(250),
  preset: z.enum(PRESETS),
  /** Time limit of training; the preset's when absent. */
  minutes: z.number().positive().max(100_000).optional(),
  /** Exact number of steps instead of a time limit. */
  steps: z.int().positive().optional(),
  seed: z.int().min(0).max(2 ** 31 - 1),
  /** Factor on the images' size before anything else. */
  scale: z.number().positive().max(1),
  backend: z.enum(BACKEND_CHOICES)
})
export type TrainingSettings = z.infer<typeof trainingSettings>
export type HeadName = (typeof HEADS)[number]

export const DEFAULT_SETTINGS: TrainingSettings = {
  classes: 5,
  over: 20,
  preset: 'quick',
  seed: 1,
  scale: 1,
  backend: 'auto'
}
