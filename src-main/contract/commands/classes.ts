import { z } from 'zod'
import { classHistory, correctionShape, correctionTarget, scheme, schemeEdit } from '../classes.ts'
import { folder, head, knownState } from './fields.ts'

/** Commands that turn clusters into classes, and correct labels by hand. */
export const CLASS_COMMANDS = {
  /** Edits the classes of a run's clusters, or only returns them. */
  classes: {
    input: z.object({
      project: folder,
      /** Another run than the current one. */
      run: z.string().optional(),
      head,
      /** Applied in order; each is a step of the history. */
      edits: z.array(schemeEdit).default([]),
      /** Then undoes this many steps, or redoes them if negative. */
      undo: z.int().optional(),
      /** Then goes to a step of the history, counted from 0. */
      step: z.int().min(0).optional(),
      /** Another run whose classes are copied by location, before the edits. */
      fromRun: z.string().optional(),
      /** A classes file or QGIS style to apply before the edits. */
      from: z.string().min(1).optional(),
      /** A file to which the classes are written at the end. */
      into: z.string().min(1).optional(),
      /** Also overwrites a file that Smalti did not write. */
      overwrite: z.boolean().default(false),
      expected: knownState.optional()
    }),
    output: z.object({
      head,
      scheme,
      /** Pixels of each class, in the scheme's order, if anything is segmented. */
      pixels: z.array(z.number()).optional(),
      /** The name of each step. */
      steps: z.array(z.string()),
      cursor: z.int(),
      /** `stateId` of the history. */
      state: z.string()
    })
  },
  /** Corrects the labels of one of the run's own images by hand, as a step of its classes' history. */
  correct: {
    input: z.object({
      project: folder,
      head,
      /** Path of the image in the catalogue. */
      path: z.string().min(1),
      shape: correctionShape,
      to: correctionTarget,
      expected: knownState.optional()
    }),
    output: z.object({
      /** Absent if nothing changed. */
      step: classHistory.shape.history.element.optional(),
      cursor: z.int()
    })
  }
} as const
