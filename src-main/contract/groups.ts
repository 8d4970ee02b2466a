import { z } from 'zod'
import { mapPlace } from './classes.ts'

/** An image with the group it was put into, how sure that is, 0…1, and where it lies in the map of all images; groups of earlier versions have none. */
export const groupedImage = z.object({
  path: z.string(),
  file: z.string(),
  group: z.int().min(0),
  confidence: z.number(),
  place: mapPlace.optional()
})
export type GroupedImage = z.infer<typeof groupedImage>

/** What a person changes in groups of images; groups go by the numbers with which they were found, from 0. */
export const groupEdit = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('move'),
    /** Of images in their catalogue. */ paths: z.array(z.string().min(1)).min(1),
    to: z.int().min(0)
  }),
  /** The first takes in the others. */
  z.object({ kind: z.literal('merge'), groups: z.array(z.int().min(0)).min(2) }),
  z.object({ kind: z.literal('rename'), group: z.int().min(0), name: z.string().trim().min(1).max(200) }),
  /** A new, empty one. */
  z.object({ kind: z.literal('add'), name: z.string().trim().min(1).max(200) })
])
export type GroupEdit = z.infer<typeof groupEdit>

export const imageGroup = z.object({ id: z.int().min(0), name: z.string() })
export type ImageGroup = z.infer<typeof imageGroup>

/** Groups as they were found, and what was made of them step by step; the first `done` steps count, the others are undone. */
export const groupHistory = z.object({
  /** Tells one sorting of the images from the next. */ sorting: z.string(),
  groups: z.int(),
  images: z.array(groupedImage),
  edits: z.array(groupEdit),
  done: z.int()
})
export type GroupHistory = z.infer<typeof groupHistory>
