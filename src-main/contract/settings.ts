import { z } from 'zod'
import { METHODS, recipeChanges } from './recipe.ts'

/** ONNX Runtime on the processor, on any GPU, or on NVIDIA's; TensorFlow on whatever it was built for. */
export const BACKENDS = ['onnxruntime', 'webgpu', 'cuda', 'tensorflow'] as const
export const BACKEND_CHOICES = ['auto', ...BACKENDS] as const
/** Presets, with their usual training time. */
export const PRESET_NOTES = {
  preview: 'k-means, seconds',
  quick: '1–5 min',
  balanced: '5–30 min',
  thorough: 'up to 3 h; a GPU helps',
  'paper-2018': 'the 2018 paper; needs a GPU',
  'iic-2019': 'the published settings for COCO-Stuff-3; needs a GPU',
  'iic-2019-coco-stuff-15': 'the published settings; needs a GPU',
  'iic-2019-potsdam-3': 'the published settings; needs a GPU',
  'iic-2019-potsdam-6': 'the published settings; needs a GPU'
} as const
export type Preset = keyof typeof PRESET_NOTES
export const PRESETS = Object.keys(PRESET_NOTES) as [Preset, ...Preset[]]
export const HEADS = ['A', 'B'] as const

/** The settings that a user chooses before training; a preset supplies the rest. */
export const trainingSettings = z.object({
  /** Number of classes to find: clusters of head B. */
  classes: z.int().min(2).max(64),
  /** Number of clusters of head A, which the user merges afterwards. */
  over: z.int().min(2).max(250),
  preset: z.enum(PRESETS),
  /** How clusters are found; the preset's method when absent. */
  method: z.enum(METHODS).optional(),
  /**
   * An ONNX network whose features are clustered, and how it expects its bands: (0…1 − mean) / std, per band or the
   * same for all.
   */
  features: z
    .object({
      file: z.string().min(1),
      mean: z.array(z.number()).min(1).optional(),
      std: z.array(z.number().positive()).min(1).optional()
    })
    .optional(),
  /** Changes to the preset's recipe. */
  recipe: recipeChanges.optional(),
  /** Time limit of training in minutes, instead of the preset's; training may reach the preset's steps earlier. */
  minutes: z.number().positive().max(100_000).optional(),
  /** Exact number of steps instead of the preset's limits. */
  steps: z.int().positive().optional(),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1),
  /** Factor by which images are resized before anything else. */
  scale: z.number().positive().max(1),
  /** Ground sampling distance in metres to which georeferenced images are resampled, before `scale`. */
  gsd: z.number().positive().optional(),
  /** Bands to use, by number from 1, instead of all that the images have in common. */
  bands: z.array(z.int().min(1).max(64)).min(1).max(64).optional(),
  /**
   * The page to read from multi-page TIFFs, counted from 1; when absent the first page, or all pages that a file calls
   * channels.
   */
  page: z.int().min(1).max(1_000_000).optional(),
  /** GeoJSON file with the polygons of the area of interest. */
  area: z.string().min(1).optional(),
  /** Whether images have their top at the top, so that a pixel's row says something about its class. */
  upright: z.enum(['auto', 'yes', 'no']).default('auto'),
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
  upright: 'auto',
  backend: 'auto'
}
