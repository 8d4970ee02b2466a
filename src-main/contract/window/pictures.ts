import { z } from 'zod'
import { HEADS } from '../settings.ts'

/** Side of the square tiles that the viewer asks for, in pixels of the tile's level. */
export const TILE_SIDE = 512

/** Each level halves the picture. */
const place = {
  level: z.coerce.number().int().min(0).max(16),
  column: z.coerce.number().int().min(0),
  row: z.coerce.number().int().min(0)
}
const text = z.string().min(1).max(4096)

/** How an image is shown. */
const look = {
  /** Numbers of three bands, from 1 and without alpha, as red, green and blue; those of the colours, or the first, otherwise, and where an image has fewer. */
  bands: z
    .string()
    .regex(/^\d{1,3},\d{1,3},\d{1,3}$/)
    .optional(),
  /** Share of the values that is black, and white; bytes are shown as they are otherwise, and others with 0.02. */
  clip: z.coerce.number().min(0).max(0.2).optional(),
  /** The page of a TIFF of several, as in the settings of training. */
  page: z.coerce.number().int().min(1).optional()
}
export type Look = z.infer<z.ZodObject<typeof look>>

/** What the picture server can be asked for. */
export const pictureRequest = z.discriminatedUnion('kind', [
  /** A square cut of the middle, WebP. */
  z.object({ kind: z.literal('thumbnail'), file: text, side: z.coerce.number().int().min(16).max(512), ...look }),
  /** A tile of an image, WebP; `project` keeps the tiled copy of one that has no parts. */
  z.object({ kind: z.literal('tile'), file: text, project: text, ...place, ...look }),
  /** A square about a pixel of an image, `side` of its pixels wide, WebP. */
  z.object({
    kind: z.literal('patch'),
    file: text,
    x: z.coerce.number().int().min(0),
    y: z.coerce.number().int().min(0),
    side: z.coerce.number().int().min(16).max(2048),
    ...look
  }),
  /** Labels of a tile: a byte a pixel, row by row, 255 without label. */
  z.object({
    kind: z.literal('labels'),
    project: text,
    /** Of another run than the one in use. */ run: z.string().max(100).optional(),
    head: z.enum(HEADS),
    path: text,
    ...place
  }),
  /** How probable a class is at a tile's pixels, by its id, or the most probable one: a byte each, 0…254 of 254, 255 without data. */
  z.object({
    kind: z.literal('heat'),
    project: text,
    head: z.enum(HEADS),
    path: text,
    of: z.union([z.literal('confidence'), z.coerce.number().int().min(0).max(249)]),
    ...place
  }),
  /** What an image holds at a pixel, as JSON. */
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
/** The same as a page writes it into an address. */
export type PictureQuery<K extends PictureRequest['kind']> = Omit<Extract<PictureRequest, { kind: K }>, 'kind'>

/** What an image holds at a pixel. */
export const pixelValues = z.object({
  /** Of all bands, as the file has them. */
  bands: z.array(z.number()),
  roles: z.array(z.string()),
  /** Roles of the bands that are shown. */
  shown: z.array(z.string()),
  valid: z.boolean(),
  /** Its middle in the image's coordinate system, and in degrees of longitude and latitude where that is known. */
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

/** What the picture server is told. */
export const toPictures = z.discriminatedUnion('say', [
  z.object({ say: z.literal('make'), id: z.int(), request: pictureRequest }),
  /** Nobody waits for it any more. */
  z.object({ say: z.literal('drop'), id: z.int() })
])
export type ToPictures = z.infer<typeof toPictures>

/** A picture, encoded, or labels with their width and height. */
export interface MadePicture {
  type: string
  bytes: Uint8Array
  width?: number
  height?: number
}

/** What it answers. */
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
