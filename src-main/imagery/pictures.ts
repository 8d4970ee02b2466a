import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import type { CatalogueImage } from '../contract/imagery.ts'
import { TesseraError } from '../contract/errors.ts'
import { reasonOf } from './catalogue.ts'

/** Pixels band by band after band, 8 bits each: `[height, width, bands]`. */
export interface Picture {
  width: number
  height: number
  bands: number
  values: Uint8Array
}

export interface Window {
  left: number
  top: number
  width: number
  height: number
}

/** Decoded pixels that a reader keeps at hand unless told otherwise, in bytes. */
export const KEPT_BYTES = 768 * 2 ** 20
/** Larger pictures are read window by window. */
const WHOLE_PIXELS = 48 * 2 ** 20

/** A factor on the size of each image, or the side in pixels of the square that each is brought to. */
export type Scale = number | { side: number }

/** Size of an image at `scale`, in pixels. */
export function scaledSize({ width, height }: { width: number; height: number }, scale: Scale): { width: number; height: number } {
  if (typeof scale === 'object') return { width: scale.side, height: scale.side }
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) }
}

/** The image that holds the pixel at a share of all pixels, 0…1: a large image is seen more often. */
export function imageByArea(images: readonly CatalogueImage[], scale: Scale): (share: number) => CatalogueImage {
  let total = 0
  const ends = images.map((image) => {
    const { width, height } = scaledSize(image, scale)
    return (total += width * height)
  })
  return (share) => images[ends.findIndex((end) => share * total < end)]
}

/**
 * Reads windows of a folder's images at one scale. Pictures of ordinary size are decoded once and kept, the least
 * recently used go first; of larger ones only the window is read.
 */
export class PictureReader {
  readonly #kept = new Map<string, { picture: Promise<Picture>; bytes: number }>()
  #keptBytes = 0

  constructor(
    readonly folder: string,
    readonly scale: Scale,
    readonly bands: number,
    readonly keptBytes = KEPT_BYTES
  ) {}

  /**
   * A window in pixels of the scaled image; parts outside the image repeat it mirrored.
   * @throws UnreadableImage
   */
  async read(image: CatalogueImage, window: Window): Promise<Picture> {
    const size = scaledSize(image, this.scale)
    if (size.width * size.height <= WHOLE_PIXELS) return cut(await this.whole(image), { left: 0, top: 0 }, window, size)
    const left = clamp(window.left, 0, size.width - 1)
    const top = clamp(window.top, 0, size.height - 1)
    const inside = {
      left,
      top,
      width: clamp(window.left + window.width, left + 1, size.width) - left,
      height: clamp(window.top + window.height, top + 1, size.height) - top
    }
    return cut(await this.#part(image, inside), inside, window, size)
  }

  /** The whole scaled image. @throws UnreadableImage */
  whole(image: CatalogueImage): Promise<Picture> {
    const known = this.#kept.get(image.path)
    if (known) {
      this.#kept.delete(image.path)
      this.#kept.set(image.path, known)
      return known.picture
    }
    const { width, height } = scaledSize(image, this.scale)
    const bytes = width * height * this.bands
    for (const path of this.#kept.keys()) {
      if (this.#keptBytes + bytes <= this.keptBytes) break
      this.#forget(path)
    }
    const picture = this.#decode(image, (source) => source.resize(width, height, { fit: 'fill', kernel: 'cubic' }), width, height)
    this.#kept.set(image.path, { picture, bytes })
    this.#keptBytes += bytes
    picture.catch(() => this.#forget(image.path))
    return picture
  }

  #forget(path: string): void {
    this.#keptBytes -= this.#kept.get(path)?.bytes ?? 0
    this.#kept.delete(path)
  }

  #part(image: CatalogueImage, inside: Window): Promise<Picture> {
    const size = scaledSize(image, this.scale)
    const [across, down] = [image.width / size.width, image.height / size.height]
    const left = Math.min(Math.floor(inside.left * across), image.width - 1)
    const top = Math.min(Math.floor(inside.top * down), image.height - 1)
    const region = {
      left,
      top,
      width: clamp(Math.ceil((inside.left + inside.width) * across), left + 1, image.width) - left,
      height: clamp(Math.ceil((inside.top + inside.height) * down), top + 1, image.height) - top
    }
    const scaled = (source: Sharp): Sharp =>
      source.extract(region).resize(inside.width, inside.height, { fit: 'fill', kernel: 'cubic' })
    return this.#decode(image, scaled, inside.width, inside.height)
  }

  async #decode(image: CatalogueImage, shape: (source: Sharp) => Sharp, width: number, height: number): Promise<Picture> {
    const file = join(this.folder, image.path)
    try {
      const source = sharp(file, { limitInputPixels: false, failOn: 'truncated' }).autoOrient()
      const colours = shape(source).removeAlpha().toColourspace(this.bands === 1 ? 'b-w' : 'srgb')
      const { data, info } = await colours.raw().toBuffer({ resolveWithObject: true })
      if (info.channels !== this.bands || info.width !== width || info.height !== height) {
        throw new Error(`decoded as ${info.width}×${info.height}×${info.channels}`)
      }
      return { width, height, bands: this.bands, values: data }
    } catch (fault) {
      throw new TesseraError('UnreadableImage', { path: image.path, reason: reasonOf(fault) })
    }
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high)
}

/** Coordinate `i` mirrored into 0…side−1 about the border pixels' edges. */
export function mirrored(i: number, side: number): number {
  const period = 2 * side
  const within = ((i % period) + period) % period
  return within < side ? within : period - 1 - within
}

function cut(picture: Picture, origin: { left: number; top: number }, window: Window, size: { width: number; height: number }): Picture {
  const { bands } = picture
  const values = new Uint8Array(window.width * window.height * bands)
  const at = (i: number, full: number, start: number, held: number): number => clamp(mirrored(i, full) - start, 0, held - 1)
  const columns = Array.from({ length: window.width }, (_, c) => at(window.left + c, size.width, origin.left, picture.width) * bands)
  const contiguous = window.left >= origin.left && window.left + window.width <= origin.left + picture.width
  for (let r = 0; r < window.height; r++) {
    const row = at(window.top + r, size.height, origin.top, picture.height) * picture.width * bands
    const out = r * window.width * bands
    if (contiguous) {
      values.set(picture.values.subarray(row + columns[0], row + columns[0] + window.width * bands), out)
      continue
    }
    for (let c = 0; c < window.width; c++) for (let b = 0; b < bands; b++) values[out + c * bands + b] = picture.values[row + columns[c] + b]
  }
  return { width: window.width, height: window.height, bands, values }
}

/** Interleaved 8-bit pixels as planar numbers in 0…1. */
export function planar({ width, height, bands, values }: Picture, into = new Float32Array(values.length)): Float32Array {
  const plane = width * height
  for (let i = 0; i < plane; i++) for (let b = 0; b < bands; b++) into[b * plane + i] = values[i * bands + b] / 255
  return into
}
