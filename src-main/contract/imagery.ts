import { z } from 'zod'

export const SAMPLE_TYPES = ['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'float32', 'float64'] as const
export type SampleType = (typeof SAMPLE_TYPES)[number]

export const BAND_ROLES = [
  'red',
  'green',
  'blue',
  'nir',
  'grey',
  'elevation',
  'alpha',
  'cyan',
  'magenta',
  'yellow',
  'black',
  'other'
] as const
export type BandRole = (typeof BAND_ROLES)[number]

export const catalogueImage = z.object({
  /** What the image is called: its path below its folder, with forward slashes; unique in a catalogue. */
  path: z.string(),
  /** Absolute path or address of the file. */
  file: z.string(),
  /** Pixels, after the turn that EXIF asks for. */
  width: z.int().positive(),
  height: z.int().positive(),
  /** What the bands are, colours of a palette resolved, without alpha. */
  bands: z.array(z.enum(BAND_ROLES)).min(1),
  type: z.enum(SAMPLE_TYPES),
  /** The page of a TIFF of several that a person chose, counted from 1. */
  page: z.int().positive().optional(),
  /** Some pixels may be without data. */
  gaps: z.boolean().optional(),
  /** Ground sampling distance in metres, where it is known. */
  gsd: z.number().positive().optional(),
  /** Whether its place on the ground is known. */
  placed: z.boolean().optional(),
  /** Bytes of the file, and when it was changed last, in milliseconds. */
  size: z.number().optional(),
  modified: z.number().optional(),
  /** What a user should know of it. */
  warning: z.string().optional()
})
export const skippedFile = z.object({ path: z.string(), reason: z.string() })
export const catalogue = z.object({
  sources: z.array(z.string()),
  images: z.array(catalogueImage),
  skipped: z.array(skippedFile)
})

export type CatalogueImage = z.infer<typeof catalogueImage>
export type SkippedFile = z.infer<typeof skippedFile>
export type Catalogue = z.infer<typeof catalogue>

/** Mean and standard deviation of each band, of values that run from 0 to 1 between `low` and `high` of the file's. */
export const bandStatistics = z.array(
  z.object({
    mean: z.number(),
    deviation: z.number().positive(),
    low: z.number().default(0),
    high: z.number().default(255)
  })
)
export type BandStatistics = z.infer<typeof bandStatistics>

const ring = z.array(z.tuple([z.number(), z.number()]))
/** Polygons on the ground: an area of interest, or truth. */
export const area = z.object({
  /** Name of the coordinate system; longitude and latitude on WGS 84 when absent. */
  crs: z.string().optional(),
  /** Each polygon of a feature is an outer ring and holes, of positions [x, y]. */
  features: z.array(z.object({ polygons: z.array(z.array(ring)), properties: z.record(z.string(), z.unknown()) }))
})
export type Area = z.infer<typeof area>

/** Which bands the images are seen in. */
export const bandChoice = z.object({
  /** What each is; the first three are red, green and blue where those are among them. */
  roles: z.array(z.enum(BAND_ROLES)).min(1).max(64),
  /** Numbers counted from 1 that the user chose, instead of bands by their roles. */
  numbers: z.array(z.int().positive()).optional()
})
export type BandChoice = z.infer<typeof bandChoice>

/** Whether the first three bands are visible colours, to be changed as such. */
export function inVisibleColours({ roles }: BandChoice): boolean {
  return roles[0] === 'red' && roles[1] === 'green' && roles[2] === 'blue'
}
