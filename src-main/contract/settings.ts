import { z } from 'zod'
import { METHODS, recipeChanges } from './recipe.ts'

/** ONNX Runtime on the processor, on any GPU, on NVIDIA's; TensorFlow on whatever it was built for. */
export const BACKENDS = ['onnxruntime', 'webgpu', 'cuda', 'tensorflow'] as const
export const BACKEND_CHOICES = ['auto', ...BACKENDS] as const
/** Presets with what a person may expect of each. */
export const PRESET_NOTES = {
  preview: 'k-means, seconds',
  quick: '1–5 min',
  balanced: '5–30 min',
  thorough: 'to 3 h; a GPU helps',
  'paper-2018': 'the 2018 paper; needs a GPU',
  'iic-2019': 'the published code, COCO-Stuff-3; needs a GPU',
  'iic-2019-coco-stuff-15': 'the published code; needs a GPU',
  'iic-2019-potsdam-3': 'the published code; needs a GPU',
  'iic-2019-potsdam-6': 'the published code; needs a GPU'
} as const
export type Preset = keyof typeof PRESET_NOTES
export const PRESETS = Object.keys(PRESET_NOTES) as [Preset, ...Preset[]]
export const HEADS = ['A', 'B'] as const

/** What a user decides before training; a preset supplies the rest. */
export const trainingSettings = z.object({
  /** Classes looked for: clusters of head B. */
  classes: z.int().min(2).max(64),
  /** Over-clusters: clusters of head A, to be merged by hand afterwards. */
  over: z.int().min(2).max(250),
  preset: z.enum(PRESETS),
  /** How clusters are found; the preset's way when absent. */
  method: z.enum(METHODS).optional(),
  /** An ONNX network whose features are clustered, and how it wants its bands: (0…1 − mean) / std, by band or for all. */
  features: z
    .object({
      file: z.string().min(1),
      mean: z.array(z.number()).min(1).optional(),
      std: z.array(z.number().positive()).min(1).optional()
    })
    .optional(),
  /** Changes to the preset's recipe. */
  recipe: recipeChanges.optional(),
  /** Time limit of training in place of the preset's; its steps may be done before. */
  minutes: z.number().positive().max(100_000).optional(),
  /** Exact number of steps instead of the preset's limits. */
  steps: z.int().positive().optional(),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1),
  /** Factor on the images' size before anything else. */
  scale: z.number().positive().max(1),
  /** Ground sampling distance in metres to which georeferenced images are brought, before `scale`. */
  gsd: z.number().positive().optional(),
  /** Bands looked at, numbers counted from 1, in place of all that the images have in common. */
  bands: z.array(z.int().min(1).max(64)).min(1).max(64).optional(),
  /** The page that is read of TIFFs of several, counted from 1; where it is absent the first, or all that a file calls channels. */
  page: z.int().min(1).max(1_000_000).optional(),
  /** GeoJSON file whose polygons are the part of the images that counts. */
  area: z.string().min(1).optional(),
  /** Whether images have their top at the top, so that a pixel's row says something of its class. */
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
