import type { Area, BandChoice, BandStatistics, CatalogueImage } from '../contract/imagery.ts'
import { SmaltiError } from '../contract/errors.ts'
import { type PixelRings, fillRings, inPixels } from './area/area.ts'
import { type BandView, viewBands } from './bandView.ts'
import { locationOf } from './location.ts'
import { openRaster } from './reading/openRaster.ts'
import type { Raster, Size, Window } from './raster.ts'
import { type Values, readScaled } from './resample.ts'
import { type SharedWork, sharedWork } from './reading/sharedWork.ts'

/** Pixels as the network sees them: planar [bands, height, width], 0…1 between each band's low and high. */
export interface Picture extends Size {
  bands: number
  values: Float32Array
  /** 1 where a pixel contains data, 0 where its values are borrowed from neighbours. Absent when all contain data. */
  valid?: Uint8Array
}

/** Share of a crop, a window or an output pixel that must contain data for it to count. */
export const VALID_SHARE = 0.5

/** Whether enough pixels contain data. */
export function mostlyValid(valid: Uint8Array | undefined): boolean {
  return !valid || valid.reduce((sum, value) => sum + value, 0) >= VALID_SHARE * valid.length
}

/** Default size of a reader's cache, in bytes. */
export const KEPT_BYTES = 512 * 2 ** 20
/** Side of a cached piece, in pixels. */
const PIECE = 256
/** Most files kept open. */
const OPEN_FILES = 24
/** Distance in pixels over which values are borrowed for pixels without data. */
export const BORROWED = 24

/**
 * A factor on each image's size, the side in pixels of the square that each image is resized to, or metres per pixel.
 */
export type Scale = number | { side: number } | { gsd: number; scale: number }

/** The values that become 0 and 1 in a band, and the mean between them. */
export type Range = Pick<BandStatistics[number], 'low' | 'high'> & { mean?: number }

/** How images are seen: at which size, in which bands, in which area. */
export interface Sight {
  scale: Scale
  bands: BandChoice
  /** The values that become 0 and 1 in each band; 0 and 255 when absent. */
  ranges?: readonly Range[]
  area?: Area
  /** Folder for tiled copies of images that can't be read in parts. */
  copies?: string
}

/** Returns an image's size after scaling, in pixels. */
export function scaledSize({ width, height, gsd }: Size & { gsd?: number }, scale: Scale): Size {
  if (typeof scale === 'object' && 'side' in scale) return { width: scale.side, height: scale.side }
  const factor = typeof scale === 'number' ? scale : (scale.scale * (gsd ?? scale.gsd)) / scale.gsd
  return { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) }
}

/** Picks images in proportion to their area: maps a share 0…1 of all pixels to the image that contains that pixel. */
export function imageByArea(images: readonly CatalogueImage[], scale: Scale): (share: number) => CatalogueImage {
  const ends = new Float64Array(images.length)
  let total = 0
  images.forEach((image, i) => {
    const { width, height } = scaledSize(image, scale)
    ends[i] = total += width * height
  })
  return (share) => {
    let [low, high] = [0, images.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (share * total < ends[middle]) high = middle
      else low = middle + 1
    }
    return images[low]
  }
}

interface OpenImage {
  raster: Raster
  view: BandView
  rings?: PixelRings[]
}

/**
 * Reads windows of images as the network sees them. Pieces are cached, and the least recently used are dropped first.
 * Only the parts of a file that the pieces need are read.
 */
export class PictureReader {
  readonly bands: number
  readonly #pieces: SharedWork<Values>
  readonly #open = sharedWork<OpenImage>({ most: OPEN_FILES, end: ({ raster }) => raster.close() })

  constructor(
    readonly sight: Sight,
    readonly keptBytes = KEPT_BYTES,
    readonly onCopy: (image: CatalogueImage, share: number) => void = () => undefined
  ) {
    this.bands = sight.bands.roles.length
    this.#pieces = sharedWork({
      most: keptBytes,
      sizeOf: ({ bands, valid }) => bands.reduce((sum, { byteLength }) => sum + byteLength, valid?.byteLength ?? 0)
    })
  }

  get scale(): Scale {
    return this.sight.scale
  }

  /**
   * Reads a window, in pixels of the scaled image. Parts outside the image are its mirror image.
   * @throws UnreadableImage, AreaUnreachable, Cancelled
   */
  async read(image: CatalogueImage, window: Window, signal?: AbortSignal): Promise<Picture> {
    const size = scaledSize(image, this.scale)
    const columns = Int32Array.from({ length: window.width }, (_, c) => mirrored(window.left + c, size.width))
    const rows = Int32Array.from({ length: window.height }, (_, r) => mirrored(window.top + r, size.height))
    const across = Math.ceil(size.width / PIECE)
    const pieces = new Map<number, Values>()
    const piecesAlong = (places: Int32Array): number[] => [
      ...new Set(Array.from(places, (place) => Math.floor(place / PIECE)))
    ]
    const wanted = piecesAlong(rows).flatMap((row) => piecesAlong(columns).map((column) => row * across + column))
    await Promise.all(
      wanted.map(async (piece) => pieces.set(piece, await this.#piece(image, size, piece, across, signal)))
    )
    return this.#assembled(pieces, columns, rows, across)
  }

  /** Reads the whole scaled image. @throws UnreadableImage, AreaUnreachable */
  whole(image: CatalogueImage): Promise<Picture> {
    return this.read(image, { left: 0, top: 0, ...scaledSize(image, this.scale) })
  }

  /** Drops everything cached for an image that won't be read again. */
  async forget({ path }: CatalogueImage): Promise<void> {
    await Promise.all([
      this.#pieces.forget((key) => key.startsWith(`${path}\n`)),
      this.#open.forget((key) => key === path)
    ])
  }

  /** Closes all files. Later reads open them again. */
  async close(): Promise<void> {
    await this.#pieces.close()
    await this.#open.close()
  }

  #assembled(pieces: Map<number, Values>, columns: Int32Array, rows: Int32Array, across: number): Picture {
    const [width, height] = [columns.length, rows.length]
    const plane = width * height
    const values = new Float32Array(this.bands * plane)
    const gaps = [...pieces.values()].some(({ valid }) => valid)
    const valid = gaps ? new Uint8Array(plane) : undefined
    const pieceColumn = columns.map((column) => Math.floor(column / PIECE))
    const within = columns.map((column) => column % PIECE)
    for (let r = 0; r < height; r++) {
      const pieceRow = Math.floor(rows[r] / PIECE) * across
      const rowWithin = rows[r] % PIECE
      for (let c = 0; c < width;) {
        const piece = pieces.get(pieceRow + pieceColumn[c])!
        let end = c + 1
        // A stretch of consecutive pixels also ends where the image is mirrored.
        while (end < width && pieceColumn[end] === pieceColumn[c] && within[end] === within[end - 1] + 1) end++
        const from = rowWithin * piece.width + within[c]
        for (let b = 0; b < this.bands; b++) {
          const { low = 0, high = 255 } = this.sight.ranges?.[b] ?? {}
          const factor = 1 / (high - low)
          const band = piece.bands[b]
          const out = values.subarray(b * plane + r * width + c, b * plane + r * width + end)
          if (band instanceof Uint8Array) scaledBytes(band, from, out, low, factor)
          else scaledFloats(band, from, out, low, factor)
        }
        if (valid) {
          if (piece.valid) valid.set(piece.valid.subarray(from, from + end - c), r * width + c)
          else valid.fill(1, r * width + c, r * width + end)
        }
        c = end
      }
    }
    const picture = { width, height, bands: this.bands, values, valid: valid?.includes(0) ? valid : undefined }
    if (picture.valid) borrow(picture, picture.valid, this.sight.ranges)
    return picture
  }

  #piece(image: CatalogueImage, size: Size, piece: number, across: number, signal?: AbortSignal): Promise<Values> {
    const [left, top] = [(piece % across) * PIECE, Math.floor(piece / across) * PIECE]
    const window = { left, top, width: Math.min(PIECE, size.width - left), height: Math.min(PIECE, size.height - top) }
    const make = (reading: AbortSignal): Promise<Values> =>
      this.#using(image, reading, (opened) => this.#make(opened, size, window, reading))
    return this.#pieces.get(`${image.path}\n${piece}`, { signal, make })
  }

  async #make({ raster, view, rings }: OpenImage, size: Size, window: Window, signal?: AbortSignal): Promise<Values> {
    const found = await readScaled(raster, view, size, window, signal)
    if (!rings) return found
    const inside = new Uint8Array(window.width * window.height)
    for (const ring of rings)
      fillRings(ring, window, { x: size.width / raster.width, y: size.height / raster.height }, inside, 1)
    if (found.valid) for (let i = 0; i < inside.length; i++) inside[i] &= found.valid[i]
    return { ...found, valid: inside.includes(0) ? inside : undefined }
  }

  /** Runs `work` with an open file, which stays open while anyone uses it. */
  async #using<T>(image: CatalogueImage, signal: AbortSignal, work: (opened: OpenImage) => Promise<T>): Promise<T> {
    try {
      return await this.#open.use(image.path, { signal, make: (opening) => this.#openImage(image, opening) }, work)
    } catch (fault) {
      throw named(fault, image.path)
    }
  }

  async #openImage(image: CatalogueImage, signal: AbortSignal): Promise<OpenImage> {
    const { area, bands, copies } = this.sight
    const raster = await openRaster(locationOf(image.file), {
      page: image.page,
      signal,
      copies: copies === undefined ? undefined : { folder: copies, onProgress: (share) => this.onCopy(image, share) }
    })
    try {
      if (raster.width !== image.width || raster.height !== image.height) {
        throw new SmaltiError('UnreadableImage', {
          path: image.path,
          reason: `it has changed from ${image.width} × ${image.height} to ${raster.width} × ${raster.height} pixels`
        })
      }
      const view = viewBands(raster, bands)
      if (!view)
        throw new SmaltiError('UnreadableImage', {
          path: image.path,
          reason: `it lacks some of the bands in use (${(bands.numbers ?? bands.roles).join(', ')})`
        })
      return {
        raster,
        view,
        rings:
          area &&
          (await inPixels(
            area,
            { width: raster.width, height: raster.height, georeference: await raster.georeference() },
            image.path
          ))
      }
    } catch (fault) {
      await raster.close()
      throw fault
    }
  }
}

/** Two functions with the same body: each sees one array type, which makes both several times faster. */
function scaledBytes(from: Uint8Array, start: number, to: Float32Array, low: number, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i] = (from[start + i] - low) * factor
}
function scaledFloats(from: Float32Array, start: number, to: Float32Array, low: number, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i] = (from[start + i] - low) * factor
}

/** Attributes an error to the image by its catalogue name, with a readable reason. */
export function named(fault: unknown, path: string): unknown {
  if (fault instanceof SmaltiError)
    return fault.name === 'UnreadableImage' ? new SmaltiError('UnreadableImage', { ...fault.details, path }) : fault
  const { code, message } = fault as NodeJS.ErrnoException
  const reason =
    code === 'ENOENT'
      ? 'it no longer exists'
      : code === 'EACCES' || code === 'EPERM'
        ? 'permission denied'
        : code === 'EMFILE'
          ? 'too many files are open'
          : message
  return new SmaltiError('UnreadableImage', { path, reason })
}

/** Mirrors coordinate `i` into 0…side−1 about the outer edges of the border pixels. */
export function mirrored(i: number, side: number): number {
  const period = 2 * side
  const within = ((i % period) + period) % period
  return within < side ? within : period - 1 - within
}

/**
 * Fills pixels without data with the mean of the nearest pixels with data in their row and column, weighted by nearness
 * and at most `BORROWED` pixels away, so that the border of the data is no edge to the network. Pixels farther away
 * take the mean of all images.
 */
function borrow({ width, height, bands, values }: Picture, valid: Uint8Array, ranges: readonly Range[] = []): void {
  const plane = width * height
  const source = values.slice()
  const weights = new Float32Array(plane)
  for (let b = 0; b < bands; b++) for (let i = 0; i < plane; i++) if (!valid[i]) values[b * plane + i] = 0
  const pass = (start: number, step: number, length: number): void => {
    let last = -1
    for (let k = 0, i = start; k < length; k++, i += step) {
      if (valid[i]) {
        last = k
        continue
      }
      const distance = last < 0 ? Infinity : k - last
      if (distance > BORROWED) continue
      const weight = 1 / distance
      weights[i] += weight
      for (let b = 0; b < bands; b++) values[b * plane + i] += weight * source[b * plane + start + last * step]
    }
  }
  for (let r = 0; r < height; r++) {
    pass(r * width, 1, width)
    pass((r + 1) * width - 1, -1, width)
  }
  for (let c = 0; c < width; c++) {
    pass(c, width, height)
    pass((height - 1) * width + c, -width, height)
  }
  for (let i = 0; i < plane; i++) {
    if (valid[i]) continue
    for (let b = 0; b < bands; b++)
      values[b * plane + i] = weights[i] > 0 ? values[b * plane + i] / weights[i] : (ranges[b]?.mean ?? 0.5)
  }
}
