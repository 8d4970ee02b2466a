import sharp, { type Sharp } from 'sharp'
import type { BandChoice, BandRole } from '../contract/imagery.ts'
import type { Look } from '../contract/window/pictures.ts'
import { viewBands, visibleRoles } from './bandView.ts'
import type { OpenOptions } from './formats/format.ts'
import { formatOf } from './formats/formats.ts'
import { locationOf } from './location.ts'
import { openRaster } from './reading/openRaster.ts'
import type { Raster, Size, Window } from './raster.ts'
import { withOverview } from './reading/reduced.ts'
import { readScaled } from './resample.ts'
import { scoped } from './scoped.ts'

/** Side of the reduced image that the stretch is measured on. */
const MEASURED = 256
/** Share of values shown as black and as white, for images with more than 8 bits. */
const CLIPPED = 0.02

interface Stretch {
  low: number
  high: number
}

/** An image ready for display: which bands are red, green and blue, and which values are black and white. */
export interface Shown {
  raster: Raster
  shown: BandChoice
  stretch: Stretch[]
}

/** Gives `work` an image that is ready for display. */
export type Lend = <T>(work: (shown: Shown) => Promise<T>) => Promise<T>

/** Opens an image for a single use. @throws UnreadableImage, Cancelled */
export const shownOnce =
  (file: string, look: Look = {}, signal?: AbortSignal): Lend =>
  async (work) => {
    await using raster = scoped(await openToShow(file, { page: look.page, signal }))
    return await work(await shownAs(raster, look, signal))
  }

/** Opens an image for display. @throws UnreadableImage, Cancelled */
export const openToShow = async (file: string, options: OpenOptions): Promise<Raster> =>
  withOverview(await openRaster(locationOf(file), options))

/** Chooses the bands and the stretch that an image is displayed with. @throws UnreadableImage, Cancelled */
export async function shownAs(raster: Raster, look: Look = {}, signal?: AbortSignal): Promise<Shown> {
  const shown: Shown = {
    raster,
    shown: bandsShown(visibleRoles(raster), look),
    stretch: Array.from({ length: 3 }, () => ({ low: 0, high: 255 }))
  }
  const clip = look.clip ?? (raster.bands[0].type !== 'uint8' && !raster.palette ? CLIPPED : undefined)
  return clip === undefined ? shown : { ...shown, stretch: await measure(shown, clip, signal) }
}

function bandsShown(seen: readonly BandRole[], { bands }: Look): BandChoice {
  const numbers = bands?.split(',').map(Number)
  if (numbers?.every((number) => number >= 1 && number <= seen.length))
    return { roles: numbers.map((number) => seen[number - 1]), numbers }
  const colours = (['red', 'green', 'blue'] as BandRole[]).filter((role) => seen.includes(role))
  return {
    roles:
      colours.length === 3
        ? colours
        : seen.length >= 3 && seen.every((role) => role === 'other')
          ? seen.slice(0, 3)
          : [seen[0]]
  }
}

async function measure(shown: Shown, clip: number, signal?: AbortSignal): Promise<Stretch[]> {
  const { width, height } = shown.raster
  const factor = Math.min(1, MEASURED / Math.max(width, height))
  const size = { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) }
  const { bands, valid } = await readShown(shown, size, { left: 0, top: 0, ...size }, signal)
  return bands.map((band) => {
    const values = Float32Array.from(band)
      .filter((_, i) => !valid || valid[i])
      .sort()
    const at = (share: number): number => values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0
    const [low, high] = [at(clip), at(1 - clip)]
    return { low, high: high > low ? high : low + 1 }
  })
}

function readShown(
  { raster, shown }: Shown,
  size: Size,
  window: Window,
  signal?: AbortSignal
): ReturnType<typeof readScaled> {
  return readScaled(raster, viewBands(raster, shown)!, size, window, signal)
}

/**
 * Resamples a window of an image to 8-bit colours, transparent where there is no data.
 *
 * @throws UnreadableImage, Cancelled
 */
export async function shownWindow(shown: Shown, size: Size, window: Window, signal?: AbortSignal): Promise<Sharp> {
  const { bands, valid } = await readShown(shown, size, window, signal)
  const pixels = window.width * window.height
  const channels = valid ? 4 : 3
  const values = new Uint8ClampedArray(pixels * channels)
  for (let channel = 0; channel < 3; channel++) {
    const b = Math.min(channel, bands.length - 1)
    const { low, high } = shown.stretch[b]
    const factor = 255 / (high - low)
    for (let i = 0; i < pixels; i++) values[i * channels + channel] = (bands[b][i] - low) * factor
  }
  if (valid) for (let i = 0; i < pixels; i++) values[4 * i + 3] = 255 * valid[i]
  return sharp(values, { raw: { width: window.width, height: window.height, channels } })
}

/**
 * Returns a square thumbnail of an image's centre, `side` pixels wide.
 * @param lend  provides the image when libvips can't read its file
 * @throws UnreadableImage, Cancelled
 */
export async function thumbnailOf(
  file: string,
  side: number,
  { look = {}, signal, lend = shownOnce(file, look, signal) }: { look?: Look; lend?: Lend; signal?: AbortSignal } = {}
): Promise<Sharp> {
  if (formatOf(locationOf(file)).shrinks && look.bands === undefined && look.clip === undefined)
    return sharp(file, { limitInputPixels: false })
      .autoOrient()
      .resize(side, side, { fit: 'cover' })
      .toColourspace('srgb')
      .removeAlpha()
  return lend(async (shown) => {
    const { width, height } = shown.raster
    const factor = side / Math.min(width, height)
    const size = {
      width: Math.max(side, Math.round(width * factor)),
      height: Math.max(side, Math.round(height * factor))
    }
    const window = {
      left: Math.floor((size.width - side) / 2),
      top: Math.floor((size.height - side) / 2),
      width: side,
      height: side
    }
    const picture = await shownWindow(shown, size, window, signal)
    return sharp(await picture.flatten({ background: '#ffffff' }).png().toBuffer())
  })
}
