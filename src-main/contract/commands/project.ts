import { z } from 'zod'
import { classHistory, clusterDescriptions, clusterMap, clusterTree } from '../classes.ts'
import { clusterClass } from '../labels.ts'
import { runSummary } from '../runs.ts'
import { trainingSettings } from '../settings.ts'
import { trainingReport } from '../training.ts'
import { folder, head, sources } from './fields.ts'

/** A labelled image of a project. */
const segmentedImage = z.object({
  path: z.string(),
  width: z.int(),
  height: z.int(),
  /** Whether probabilities were saved. */ heatmaps: z.boolean().optional()
})

export const projectState = z.object({
  folder,
  sources,
  run: z.string().optional(),
  settings: trainingSettings.optional(),
  history: z.array(trainingReport),
  trained: z.boolean(),
  finished: z.boolean(),
  segmented: z.array(segmentedImage),
  /** Whether the segmentation was stopped before the last image. */
  partial: z.boolean(),
  classes: z.record(head, z.array(clusterClass)).optional(),
  /** Statistics of the labels; absent for labels of older versions. */
  clusters: clusterDescriptions.optional(),
  /** Number of clusters of each of the run's heads. */
  heads: z.partialRecord(head, z.int()).optional(),
  tree: clusterTree.optional(),
  /** The first head's clusters on a plane. */
  map: clusterMap.optional(),
  /** Heads that are groups of another head's clusters, whose labels are stored. */
  cuts: z.record(z.string(), z.object({ of: z.string(), groups: z.array(z.int()) })).optional(),
  /** The classes made of the clusters. */
  made: classHistory.optional(),
  /** Whether its whole images are grouped. */
  grouped: z.boolean()
})
export type ProjectState = z.infer<typeof projectState>

/** Commands that open a project and manage its runs. */
export const PROJECT_COMMANDS = {
  openProject: { input: z.object({ project: folder }), output: projectState },
  /** Lists a project's runs, switches to another one, or renames one. */
  runs: {
    input: z.object({
      project: folder,
      use: z.string().optional(),
      rename: z
        .object({
          /** The current run when absent. */ run: z.string().optional(),
          name: z.string().trim().min(1).max(200)
        })
        .optional()
    }),
    output: z.object({ runs: z.array(runSummary), current: z.string().optional() })
  },
  /** Points a project to the folder its images have moved to. */
  relocate: { input: z.object({ project: folder, images: folder }), output: z.object({ sources }) }
} as const
