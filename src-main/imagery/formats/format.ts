import type { Georeference } from '../georeference.ts'
import type { Location } from '../location.ts'
import type { Raster } from '../raster.ts'

/** Where tiled copies of images that can't be read in parts are kept, and how their progress is reported. */
export interface Copies {
  /** Folder of the copies. It may be deleted at any time. */
  folder: string
  onProgress?(share: number): void
}

/** Options for opening an image. */
export interface OpenOptions {
  copies?: Copies
  /** Cancels the opening. Reads take their own signal. */
  signal?: AbortSignal
  /** The page of a multi-page file that the user chose, counted from 1. */
  page?: number
  /** Returns values as stored and ignores an embedded colour profile. */
  stored?: boolean
}

/** The part of an image that its header describes, without any pixels. */
export type ImageHeader = Pick<
  Raster,
  'width' | 'height' | 'bands' | 'gaps' | 'levels' | 'palette' | 'notice' | 'georeference'
>

/** Options for reading a header. */
export interface HeaderOptions {
  page?: number
  signal?: AbortSignal
  /** No other file accompanies the image, so none needs to be looked for. */
  alone?: boolean
}

/** A format of image files. */
export interface ImageFormat {
  /** Whether a location's name says that its image has this format. */
  matches(location: Location): boolean
  /** Opens an image to be read by windows. @throws UnreadableImage with a readable reason, Cancelled */
  open(location: Location, options: OpenOptions): Promise<Raster>
  /**
   * Lends `use` an image's header. Takes no longer for large images.
   * @throws UnreadableImage with a readable reason, Cancelled, file system errors, and whatever `use` throws
   */
  header<T>(location: Location, options: HeaderOptions, use: (header: ImageHeader) => Promise<T>): Promise<T>
  /** Reads where an image is on the ground from other files alone, for formats whose files don't say it themselves. */
  position?(location: Location): Promise<Georeference | undefined>
  /** libvips makes thumbnails of the file itself, and shrinks it while it decodes it. */
  shrinks?: true
}
