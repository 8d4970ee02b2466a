import { z } from 'zod'
import { mapPlace } from './classes.ts'

/**
 * An image with its group, the confidence of that choice, 0…1, and its position on the map of all images. Groups of
 * older versions have neither confidence nor position.
 */
export const groupedImage = z.object({
  path: z.string(),
  file: z.string(),
  group: z.int().min(0),
  confidence: z.number(),
  place: mapPlace.optional()
})
export type GroupedImage = z.infer<typeof groupedImage>

/** One change to the groups of images. Groups are given by their original numbers, from 0. */
export const groupEdit = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('move'),
    /** Paths of images in the catalogue. */ paths: z.array(z.string().min(1)).min(1),
    to: z.int().min(0)
  }),
  /** The first group takes in the others. */
  z.object({ kind: z.literal('merge'), groups: z.array(z.int().min(0)).min(2) }),
  z.object({ kind: z.literal('rename'), group: z.int().min(0), name: z.string().trim().min(1).max(200) }),
  /** Adds an empty group. */
  z.object({ kind: z.literal('add'), name: z.string().trim().min(1).max(200) })
])
export type GroupEdit = z.infer<typeof groupEdit>

export const imageGroup = z.object({ id: z.int().min(0), name: z.string() })
export type ImageGroup = z.infer<typeof imageGroup>

/** The original groups and the changes to them, step by step. The first `done` steps apply; the others are undone. */
export const groupHistory = z.object({
  /** Distinguishes one grouping of the images from the next. */ sorting: z.string(),
  groups: z.int(),
  images: z.array(groupedImage),
  edits: z.array(groupEdit),
  done: z.int()
})
export type GroupHistory = z.infer<typeof groupHistory>
