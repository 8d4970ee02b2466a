import sharp, { type Sharp } from 'sharp'
import type { BandRole } from '../contract/imagery.ts'
import { viewBands, visibleRoles } from './bandView.ts'
import { isAddress, isTiffName } from './byteSource.ts'
import { type Copies, openRaster } from './openRaster.ts'
import type { Raster, Size, Window } from './raster.ts'
import { withOverview } from './reduced.ts'
import { readScaled } from './resample.ts'

/** Side of the reduced picture by which dark and bright are found. */
const MEASURED = 256
/** Share of the values that are shown black, and white. */
const CLIPPED = 0.02

interface Stretch {
  low: number
  high: number
}

/** An image made ready to be shown: which bands are red, green and blue, and what is black and white in them. */
export interface Shown {
  raster: Raster
  roles: BandRole[]
  stretch: Stretch[]
}

/** An image, and a way to be done with it. */
export type Lent = Shown & { done(): Promise<void> }

/** Opens an image for one use. @throws UnreadableImage */
export async function openOnce(file: string): Promise<Lent> {
  const shown = await openShown(file)
  return { ...shown, done: () => shown.raster.close() }
}

/** Opens an image to show it. @throws UnreadableImage */
export async function openShown(file: string, copies?: Copies): Promise<Shown> {
  const raster = withOverview(await openRaster(file, copies))
  const seen = visibleRoles(raster)
  const colours = (['red', 'green', 'blue'] as BandRole[]).filter((role) => seen.includes(role))
  const roles = colours.length === 3 ? colours : seen.length >= 3 && seen.every((role) => role === 'other') ? seen.slice(0, 3) : [seen[0]]
  const shown = { raster, roles, stretch: roles.map(() => ({ low: 0, high: 255 })) }
  if (raster.bands[0].type !== 'uint8' && !raster.palette) shown.stretch = await measure(shown)
  return shown
}

async function measure(shown: Shown): Promise<Stretch[]> {
  const { width, height } = shown.raster
  const factor = Math.min(1, MEASURED / Math.max(width, height))
  const size = { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) }
  const { bands, valid } = await readShown(shown, size, { left: 0, top: 0, ...size })
  return bands.map((band) => {
    const values = Float32Array.from(band).filter((_, i) => !valid || valid[i]).sort()
    const at = (share: number): number => values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0
    const [low, high] = [at(CLIPPED), at(1 - CLIPPED)]
    return { low, high: high > low ? high : low + 1 }
  })
}

function readShown({ raster, roles }: Shown, size: Size, window: Window, signal?: AbortSignal): ReturnType<typeof readScaled> {
  return readScaled(raster, viewBands(raster, { roles })!, size, window, signal)
}

/** A window of an image brought to a size, as 8-bit colours; clear where there is no data. @throws UnreadableImage, Cancelled */
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
 * A square cut of an image's middle, `side` pixels wide.
 * @param open  gives the image and a way to be done with it, for files that libvips does not read
 * @throws UnreadableImage, Cancelled
 */
export async function thumbnailOf(file: string, side: number, open: () => Promise<Lent> = () => openOnce(file), signal?: AbortSignal): Promise<Sharp> {
  // libvips makes photographs small while it decodes them.
  if (!isTiffName(file) && !isAddress(file)) return sharp(file, { limitInputPixels: false }).autoOrient().resize(side, side, { fit: 'cover' }).toColourspace('srgb').removeAlpha()
  const shown = await open()
  try {
    const { width, height } = shown.raster
    const factor = side / Math.min(width, height)
    const size = { width: Math.max(side, Math.round(width * factor)), height: Math.max(side, Math.round(height * factor)) }
    const window = { left: Math.floor((size.width - side) / 2), top: Math.floor((size.height - side) / 2), width: side, height: side }
    const picture = await shownWindow(shown, size, window, signal)
    return sharp(await picture.flatten({ background: '#ffffff' }).png().toBuffer())
  } finally {
    await shown.done()
  }
}
