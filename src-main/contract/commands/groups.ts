import { z } from 'zod'
import { groupEdit, groupHistory, imageGroup } from '../groups.ts'
import { skippedFile } from '../imagery.ts'
import { GROUP_METHODS } from '../recipe.ts'
import { BACKEND_CHOICES } from '../settings.ts'
import { trainingReport } from '../training.ts'
import { folder, knownState, sources } from './fields.ts'

/** Commands that group whole images. */
export const GROUP_COMMANDS = {
  /** Clusters whole images instead of pixels. */
  group: {
    input: z.object({
      sources,
      /** Project that keeps the groups, to be viewed and edited; created if necessary. */
      project: folder.optional(),
      /** Folder for the table, the contact sheet and, on request, the copies. */
      out: folder.optional(),
      groups: z.int().min(2).max(64),
      method: z.enum(GROUP_METHODS),
      minutes: z.number().positive().max(100_000).optional(),
      steps: z.int().positive().optional(),
      seed: z
        .int()
        .min(0)
        .max(2 ** 31 - 1),
      backend: z.enum(BACKEND_CHOICES),
      /** Copies each image into the sub-folder of its group. */
      copies: z.boolean().default(false),
      /** Also overwrites files that no earlier export wrote. */
      overwrite: z.boolean().default(false)
    }),
    output: z.object({
      project: folder.optional(),
      out: folder.optional(),
      images: z.int(),
      sizes: z.array(z.int()),
      skipped: z.array(skippedFile),
      backend: z.string(),
      steps: z.int(),
      seconds: z.number(),
      report: trainingReport.optional()
    })
  },
  /** Edits the groups of a project's images, writes them, or only returns them. */
  groups: {
    input: z.object({
      project: folder,
      /** Applied in order; each is a step that can be undone. */
      edits: z.array(groupEdit).default([]),
      /** Then undoes this many steps, or redoes them if negative. */
      undo: z.int().optional(),
      /** Folder to which a table, a contact sheet and, on request, copies of the images are written at the end. */
      out: folder.optional(),
      copies: z.boolean().default(false),
      overwrite: z.boolean().default(false),
      expected: knownState.optional()
    }),
    output: z.object({
      history: groupHistory,
      groups: z.array(imageGroup.extend({ images: z.int() })),
      /** The name of each step. */
      steps: z.array(z.string()),
      /** Number of files written, and the images that no longer exist and are only in the table. */
      files: z.int(),
      skipped: z.array(skippedFile)
    })
  }
} as const
