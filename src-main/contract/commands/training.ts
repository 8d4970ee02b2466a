import { z } from 'zod'
import { skippedFile } from '../imagery.ts'
import { METHODS, recipe } from '../recipe.ts'
import { diagnosis } from '../runs.ts'
import { trainingSettings } from '../settings.ts'
import { trainingReport, upright } from '../training.ts'
import { folder, sources } from './fields.ts'

/** Commands that train, and measure the result. */
export const TRAINING_COMMANDS = {
  /** Returns the recipe of a preset. */
  recipe: { input: trainingSettings.pick({ preset: true, method: true }), output: recipe },
  train: {
    input: z.object({
      sources,
      project: folder,
      settings: trainingSettings,
      /** Path of an image whose clusters are reported while they form. */
      watch: z.string().optional(),
      /** With the backend `auto`: measures again which one is fastest, and remembers it. */
      retime: z.boolean().optional()
    }),
    output: z.object({
      project: folder,
      run: z.string(),
      method: z.enum(METHODS),
      backend: z.string(),
      /**
       * How the backend was chosen: by the user, by measuring now, by an earlier measurement, or as the one that every
       * installation has.
       */
      backendChosen: z.enum(['asked', 'measured', 'remembered', 'embedded']),
      device: z.string(),
      resumedFrom: z.int(),
      steps: z.int(),
      seconds: z.number(),
      images: z.int(),
      skipped: z.array(skippedFile),
      /** Images that are used, with what the user should know about them. */
      warnings: z.array(skippedFile),
      upright: upright.optional(),
      report: trainingReport.optional()
    })
  },
  /** Measures a run's features without labels, and stores the result with the run. */
  diagnose: {
    input: z.object({ project: folder, /** Another run than the current one. */ run: z.string().optional() }),
    output: diagnosis.extend({ run: z.string() })
  }
} as const
