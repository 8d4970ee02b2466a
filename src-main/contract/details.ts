import { z } from 'zod'
import { BAND_ROLES, SAMPLE_TYPES } from './imagery.ts'

/** What an image's header and sidecar files say about it. */
export const imageDetails = z.object({
  path: z.string(),
  file: z.string(),
  width: z.int(),
  height: z.int(),
  /** Number of overviews stored in the file. */
  overviews: z.int(),
  bands: z
    .array(
      z.object({
        role: z.enum(BAND_ROLES),
        type: z.enum(SAMPLE_TYPES),
        /** Text, because JSON has neither NaN nor infinity. */ nodata: z.string().optional()
      })
    )
    .min(1),
  /** Some pixels may be nodata. */
  gaps: z.boolean(),
  /** Where the image is on the ground; absent if unknown. */
  place: z
    .object({
      /** Map units per pixel, across and down, if a transform places the image. */
      pixel: z.tuple([z.number(), z.number()]).optional(),
      /** Why its coordinates can't be placed on the earth. */
      unknown: z.string().optional(),
      crs: z
        .object({ name: z.string(), code: z.string().optional(), unit: z.string(), geographic: z.boolean() })
        .optional(),
      /** Longitude and latitude of the image's centre. */
      longitude: z.number().optional(),
      latitude: z.number().optional(),
      /** Accuracy of longitude and latitude in metres; absent if no transformation of the datum is published. */
      accuracy: z.number().optional(),
      /** Ground sampling distance in metres. */
      gsd: z.number().optional()
    })
    .optional(),
  /** Sidecar files that georeference the image. */
  read: z.array(z.string()),
  /** Sidecar files that were ignored because another source takes precedence. */
  ignored: z.array(z.string()),
  /** Other things the user should know. */
  warnings: z.array(z.string())
})
export type ImageDetails = z.infer<typeof imageDetails>
