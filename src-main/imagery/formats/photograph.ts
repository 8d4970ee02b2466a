import { stat } from 'node:fs/promises'
import sharp, { type Metadata } from 'sharp'
import { SmaltiError } from '../../contract/errors.ts'
import type { BandRole, SampleType } from '../../contract/imagery.ts'
import { sidecarGeoreferenceOf } from '../georeference.ts'
import { isTruncated } from './endMark.ts'
import { createBlockCache } from './tiff/blocks.ts'
import { type Masks, masksBeside, nodataBeside, readMasks } from './tiff/masks.ts'
import { noPage } from './tiff/pages.ts'
import { markOf, validOf } from './tiff/missing.ts'
import { sharedWork } from '../reading/sharedWork.ts'
import { type Patch, type Raster, type Samples, type Size, type Window, absurdSize, emptySamples } from '../raster.ts'

/** An image with more pixels isn't decoded whole but read from a tiled copy. */
export const WHOLE_PIXELS = 32 * 2 ** 20

/** The header of a PNG, JPEG or WebP file. */
export interface Photograph extends Size {
  channels: number
  type: SampleType
  roles: BandRole[]
  format: string
  /** EXIF orientation, 1…8. */
  orientation: number
  /** Whether any pixel may lack data. */
  gaps: boolean
}

/** Reads a photograph's header. @throws UnreadableImage with a readable reason */
export async function inspectPhotograph(path: string, page = 1): Promise<Photograph> {
  const refused = (reason: string): SmaltiError => new SmaltiError('UnreadableImage', { path, reason })
  if (page > 1) throw refused(noPage(page, 1))
  const { size } = await stat(path)
  if (size === 0) throw refused('the file is empty')
  let found: Metadata
  try {
    found = await sharp(path, { limitInputPixels: false }).metadata()
  } catch (fault) {
    throw refused(reasonOf(fault))
  }
  const { width, height, channels, depth, orientation = 1, format, pages } = found
  const absurd = absurdSize({ width, height })
  if (absurd) throw refused(absurd)
  if (depth !== 'uchar' && depth !== 'ushort') throw refused(`${depth} samples in ${format} files aren't supported`)
  // Even the best compression can't store that many pixels in a small file.
  if (width * height > (MOST_PIXELS_PER_BYTE[format] ?? Infinity) * size)
    throw refused(`it claims to have ${width} × ${height} pixels in ${size} bytes`)
  if (await isTruncated(path, size, format)) throw refused('the file is truncated')
  if (format === 'webp' && (pages ?? 1) > 1) throw refused("animations aren't supported")
  if (format !== 'png' && format !== 'jpeg' && format !== 'webp' && format !== 'tiff')
    throw refused("it isn't an image in a supported format")
  const turned = orientation >= 5
  const roles: BandRole[] = channels >= 3 ? ['red', 'green', 'blue'] : ['grey']
  if (found.hasAlpha) roles.push('alpha')
  const seen = { width: turned ? height : width, height: turned ? width : height }
  const missing = await missingBeside(path, seen, orientation)
  const gaps = found.hasAlpha || missing.masks !== undefined || missing.nodata.size > 0
  await missing.close()
  return { ...seen, channels, type: depth === 'ushort' ? 'uint16' : 'uint8', roles, format, orientation, gaps }
}

/** Reads masks and nodata values from files next to a photograph. @throws UnreadableImage when a mask doesn't fit */
async function missingBeside(
  path: string,
  size: Size,
  orientation: number
): Promise<{ masks?: Masks; nodata: Map<number, number>; close(): Promise<void> }> {
  const nodata = await nodataBeside(path)
  const masks = await masksBeside(path, size)
  const close = async (): Promise<void> => {
    for (const source of masks?.sources ?? []) await source.close()
  }
  if (!masks || orientation === 1) return { masks, nodata, close }
  await close()
  throw new SmaltiError('UnreadableImage', {
    path,
    reason: `its mask file ${path}.msk can't be used: the image is rotated by its EXIF orientation, but the mask isn't`
  })
}

/** Pixels per byte at the best compression of a single colour. */
const MOST_PIXELS_PER_BYTE: Record<string, number> = { png: 8500, jpeg: 512 }

/** Returns the decoder's message without its internals. */
export function reasonOf(fault: unknown): string {
  const first = (fault as Error).message
    .split('\n')[0]
    .replace(/^Input file /, '')
    .replace(/^.*?: /, '')
  return first.replace(/[.\s]+$/, '') || "the file can't be decoded"
}

/**
 * Opens a photograph, which is decoded whole at the first read.
 * @param stored  returns values as stored, without applying an embedded colour profile
 * @throws UnreadableImage
 */
export async function openPhotograph(path: string, stored = false): Promise<Raster> {
  const { width, height, type, roles, orientation, gaps } = await inspectPhotograph(path)
  if (width * height > WHOLE_PIXELS)
    throw new SmaltiError('UnreadableImage', { path, reason: 'it is too large to read without a tiled copy' })
  const { masks, nodata, close } = await missingBeside(path, { width, height }, orientation)
  const kept = createBlockCache()
  const alpha = roles.indexOf('alpha')
  const bands = roles.map((role, b) => ({ type, role, nodata: markOf(nodata.get(b), type) }))
  const decoded = sharedWork<Patch>({ most: 1 })
  return {
    width,
    height,
    bands,
    levels: [{ width, height }],
    gaps,
    georeference: () => sidecarGeoreferenceOf(path),
    async read(window, { bands: wanted = roles.map((_, b) => b), signal } = {}) {
      const whole = await decoded.get('', { signal, make: () => decode(path, { width, height }, type, roles, stored) })
      const cut = (band: number): Samples => cutWindow(whole.bands[band], whole, window)
      const planes = wanted.map(cut)
      const size = { width: window.width, height: window.height }
      if (!gaps) return { ...size, bands: planes }
      const counted = wanted.flatMap((band, i) => (band === alpha ? [] : [{ band, plane: planes[i] }]))
      const evidence = {
        planes: counted.map(({ plane }) => plane),
        marks: counted.map(({ band }) => bands[band].nodata),
        // A dark pixel of a photograph may be 0 in one band.
        allMustMatch: counted.length > 1,
        alpha: alpha >= 0 ? cut(alpha) : undefined,
        masks: masks
          ? await readMasks(
              masks,
              { width, height },
              kept,
              window,
              counted.map(({ band }) => band),
              signal
            )
          : []
      }
      return { ...size, bands: planes, valid: validOf(evidence, window.width * window.height) }
    },
    close: async () => {
      await Promise.all([decoded.close(), kept.close()])
      await close()
    }
  }
}

/** Cuts a window out of a plane. */
function cutWindow(plane: Samples, { width, height }: Size, window: Window): Samples {
  if (window.left === 0 && window.top === 0 && window.width === width && window.height === height) return plane
  const part = new (plane.constructor as new (length: number) => Samples)(window.width * window.height)
  for (let r = 0; r < window.height; r++) {
    const from = (window.top + r) * width + window.left
    part.set(plane.subarray(from, from + window.width) as never, r * window.width)
  }
  return part
}

async function decode(
  path: string,
  { width, height }: Size,
  type: SampleType,
  roles: readonly BandRole[],
  stored: boolean
): Promise<Patch> {
  try {
    const deep = type === 'uint16'
    const [grey, clear] = [roles[0] === 'grey', roles.includes('alpha')]
    const picture = sharp(path, { limitInputPixels: false, failOn: 'truncated', ignoreIcc: stored }).autoOrient()
    const coloured = clear ? picture : picture.removeAlpha()
    // The decoder's grey has no opacity, so a grey image with alpha is decoded as colours that are all equal.
    const space = grey && !clear ? (deep ? 'grey16' : 'b-w') : deep ? 'rgb16' : 'srgb'
    const { data, info } = await coloured
      .toColourspace(space)
      .raw({ depth: deep ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true })
    const { channels } = info
    if (channels !== (grey && clear ? 4 : roles.length) || info.width !== width || info.height !== height)
      throw new Error(`decoded as ${info.width}×${info.height}×${channels}`)
    const values = deep ? new Uint16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length / 2) : data
    const planes = roles.map((role, b) => {
      const plane = emptySamples(type, width * height)
      for (let i = 0, from = role === 'alpha' ? channels - 1 : b; i < plane.length; i++, from += channels)
        plane[i] = values[from]
      return plane
    })
    return { width, height, bands: planes }
  } catch (fault) {
    throw new SmaltiError('UnreadableImage', { path, reason: reasonOf(fault) })
  }
}
