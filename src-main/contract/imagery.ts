import { z } from 'zod'

export const catalogueImage = z.object({
  /** Relative to the catalogue's folder, with forward slashes. */
  path: z.string(),
  /** Pixels, after the turn that EXIF asks for. */
  width: z.int().positive(),
  height: z.int().positive(),
  bands: z.int().positive()
})
export const skippedFile = z.object({ path: z.string(), reason: z.string() })
export const catalogue = z.object({ folder: z.string(), images: z.array(catalogueImage), skipped: z.array(skippedFile) })

export type CatalogueImage = z.infer<typeof catalogueImage>
export type SkippedFile = z.infer<typeof skippedFile>
export type Catalogue = z.infer<typeof catalogue>

/** Mean and standard deviation of each band, in the file's units. */
export const bandStatistics = z.array(z.object({ mean: z.number(), deviation: z.number().positive() }))
export type BandStatistics = z.infer<typeof bandStatistics>
