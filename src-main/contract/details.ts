import { z } from 'zod'
import { BAND_ROLES, SAMPLE_TYPES } from './imagery.ts'

/** What is known of an image from its header and the files beside it. */
export const imageDetails = z.object({
  path: z.string(),
  file: z.string(),
  width: z.int(),
  height: z.int(),
  /** Smaller copies that are stored with it. */
  overviews: z.int(),
  bands: z
    .array(
      z.object({
        role: z.enum(BAND_ROLES),
        type: z.enum(SAMPLE_TYPES),
        /** As text: NaN and infinity are no JSON. */ nodata: z.string().optional()
      })
    )
    .min(1),
  /** Some pixels may be without data. */
  gaps: z.boolean(),
  /** Where it lies; absent where nothing says so. */
  place: z
    .object({
      /** Map units of a pixel, across and down, where its place is given by a transform. */
      pixel: z.tuple([z.number(), z.number()]).optional(),
      /** Why its coordinates lead to no place on the earth. */
      unknown: z.string().optional(),
      crs: z
        .object({ name: z.string(), code: z.string().optional(), unit: z.string(), geographic: z.boolean() })
        .optional(),
      /** Of its middle. */
      longitude: z.number().optional(),
      latitude: z.number().optional(),
      /** Metres that longitude and latitude are exact to; absent where no transformation of its datum is published. */
      accuracy: z.number().optional(),
      /** Ground sampling distance in metres. */
      gsd: z.number().optional()
    })
    .optional(),
  /** Files beside it that say where it lies. */
  read: z.array(z.string()),
  /** Such files that were passed over, since something else says it. */
  ignored: z.array(z.string()),
  /** What else a user should know. */
  warnings: z.array(z.string())
})
export type ImageDetails = z.infer<typeof imageDetails>
