import { z } from 'zod'

/** The number types that pixels can have. */
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
  /** The image's name: its path below its folder, with forward slashes; unique in a catalogue. */
  path: z.string(),
  /** Absolute path or URL of the file. */
  file: z.string(),
  /** Size in pixels, after the EXIF rotation. */
  width: z.int().positive(),
  height: z.int().positive(),
  /** Roles of the bands, with palette colours resolved and without alpha. */
  bands: z.array(z.enum(BAND_ROLES)).min(1),
  type: z.enum(SAMPLE_TYPES),
  /** The chosen page of a multi-page TIFF, counted from 1. */
  page: z.int().positive().optional(),
  /** Some pixels may be nodata. */
  gaps: z.boolean().optional(),
  /** Ground sampling distance in metres, if known. */
  gsd: z.number().positive().optional(),
  /** Whether its place on the ground is known. */
  placed: z.boolean().optional(),
  /** File size in bytes, and time of the last change in milliseconds. */
  size: z.number().optional(),
  modified: z.number().optional(),
  /** What the user should know about the image. */
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

/** Mean and standard deviation of each band, after the file's range from `low` to `high` is scaled to 0…1. */
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
  /** Name of the coordinate system; WGS 84 longitude and latitude when absent. */
  crs: z.string().optional(),
  /** Each polygon of a feature is an outer ring and holes, as positions [x, y]. */
  features: z.array(z.object({ polygons: z.array(z.array(ring)), properties: z.record(z.string(), z.unknown()) }))
})
export type Area = z.infer<typeof area>

/** The bands of the images that are used. */
export const bandChoice = z.object({
  /** Role of each band. The first three are red, green and blue if those are among them. */
  roles: z.array(z.enum(BAND_ROLES)).min(1).max(64),
  /** Band numbers, from 1, that the user chose instead of roles. */
  numbers: z.array(z.int().positive()).optional()
})
export type BandChoice = z.infer<typeof bandChoice>

/** Whether the first three bands are visible colours, which colour augmentation may change. */
export function inVisibleColours({ roles }: BandChoice): boolean {
  return roles[0] === 'red' && roles[1] === 'green' && roles[2] === 'blue'
}
