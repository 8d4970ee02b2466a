import { z } from 'zod'
import { HEADS } from '../settings.ts'

/** Side of the square tiles that the viewer requests, in pixels of the tile's level. */
export const TILE_SIDE = 512

/** Each level halves the image. */
const place = {
  level: z.coerce.number().int().min(0).max(16),
  column: z.coerce.number().int().min(0),
  row: z.coerce.number().int().min(0)
}
const text = z.string().min(1).max(4096)

/** How an image is rendered. */
const look = {
  /**
   * Three band numbers, from 1 and without alpha, for red, green and blue. The default is the colour bands, or the
   * first bands, and also applies where an image has fewer.
   */
  bands: z
    .string()
    .regex(/^\d{1,3},\d{1,3},\d{1,3}$/)
    .optional(),
  /**
   * Share of the values rendered as black, and as white. By default bytes are shown unchanged, and other types with
   * 0.02.
   */
  clip: z.coerce.number().min(0).max(0.2).optional(),
  /** Page of a multi-page TIFF, as in the training settings. */
  page: z.coerce.number().int().min(1).optional()
}
export type Look = z.infer<z.ZodObject<typeof look>>

/** Requests to the picture server. */
export const pictureRequest = z.discriminatedUnion('kind', [
  /** A square cut from the middle, as WebP. */
  z.object({ kind: z.literal('thumbnail'), file: text, side: z.coerce.number().int().min(16).max(512), ...look }),
  /** A tile of an image, as WebP. `project` keeps the tiled copy of an image that can't be read in parts. */
  z.object({ kind: z.literal('tile'), file: text, project: text, ...place, ...look }),
  /** A square around a pixel of an image, `side` of its pixels wide, as WebP. */
  z.object({
    kind: z.literal('patch'),
    file: text,
    x: z.coerce.number().int().min(0),
    y: z.coerce.number().int().min(0),
    side: z.coerce.number().int().min(16).max(2048),
    ...look
  }),
  /** Labels of a tile: one byte per pixel, row by row, 255 for no label. */
  z.object({
    kind: z.literal('labels'),
    project: text,
    /** Another run than the current one. */ run: z.string().max(100).optional(),
    head: z.enum(HEADS),
    path: text,
    ...place
  }),
  /**
   * Probability of a class, by its id, or of the most probable class at a tile's pixels: one byte each, 0…254 for 0…1,
   * 255 for nodata.
   */
  z.object({
    kind: z.literal('heat'),
    project: text,
    head: z.enum(HEADS),
    path: text,
    of: z.union([z.literal('confidence'), z.coerce.number().int().min(0).max(249)]),
    ...place
  }),
  /** The values of an image at a pixel, as JSON. */
  z.object({
    kind: z.literal('values'),
    file: text,
    project: text,
    x: z.coerce.number().int().min(0),
    y: z.coerce.number().int().min(0),
    ...look
  })
])
export type PictureRequest = z.infer<typeof pictureRequest>
/** A request as a page writes it into a URL. */
export type PictureQuery<K extends PictureRequest['kind']> = Omit<Extract<PictureRequest, { kind: K }>, 'kind'>

/** The values of an image at a pixel. */
export const pixelValues = z.object({
  /** Values of all bands, as in the file. */
  bands: z.array(z.number()),
  roles: z.array(z.string()),
  /** Roles of the bands that are shown. */
  shown: z.array(z.string()),
  valid: z.boolean(),
  /** The pixel's centre in the image's coordinate system, and in longitude and latitude where known. */
  map: z
    .object({
      x: z.number(),
      y: z.number(),
      crs: z.string().optional(),
      degrees: z.tuple([z.number(), z.number()]).optional()
    })
    .optional()
})
export type PixelValues = z.infer<typeof pixelValues>

/** Messages to the picture server. */
export const toPictures = z.discriminatedUnion('say', [
  z.object({ say: z.literal('make'), id: z.int(), request: pictureRequest }),
  /** Drops a request that nobody waits for any more. */
  z.object({ say: z.literal('drop'), id: z.int() })
])
export type ToPictures = z.infer<typeof toPictures>

/** An encoded picture, or labels with their width and height. */
export interface MadePicture {
  type: string
  bytes: Uint8Array
  width?: number
  height?: number
}

/** Messages from the picture server. */
export const fromPictures = z.union([
  z.object({
    id: z.int(),
    picture: z.object({
      type: z.string(),
      bytes: z.instanceof(Uint8Array),
      width: z.int().optional(),
      height: z.int().optional()
    })
  }),
  z.object({ id: z.int(), fault: z.string() })
])
