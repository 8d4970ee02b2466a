import { z } from 'zod'
import { skippedFile } from '../imagery.ts'
import { trainingReport } from '../training.ts'

/** Part of an image, in pixels, with the clusters that the run finds there so far. */
export const watchedPicture = z.object({
  path: z.string(),
  left: z.int(),
  top: z.int(),
  width: z.int(),
  height: z.int(),
  /** Size of the grid of cells at the network's resolution, and the cluster of each cell, row by row. */
  columns: z.int(),
  rows: z.int(),
  clusters: z.int(),
  labels: z.instanceof(Uint8Array)
})
export type WatchedPicture = z.infer<typeof watchedPicture>

export const progress = z.object({
  /** The current stage, in words. */
  stage: z.string(),
  /** Share done, 0…1; absent if unknown. */
  share: z.number().optional(),
  /** Estimated seconds until the end. */
  remaining: z.number().optional(),
  report: trainingReport.optional(),
  watched: watchedPicture.optional(),
  skipped: skippedFile.optional()
})
export type Progress = z.infer<typeof progress>
