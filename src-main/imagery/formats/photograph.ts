import { open, stat } from 'node:fs/promises'
import sharp, { type Metadata } from 'sharp'
import { SmaltiError } from '../../contract/errors.ts'
import type { BandRole, SampleType } from '../../contract/imagery.ts'
import { sidecarGeoreferenceOf } from '../georeference.ts'
import { type Patch, type Raster, type Samples, type Size, type Window, absurdSize, emptySamples } from '../raster.ts'

/** A picture of more pixels is not held whole: it is read from a tiled copy. */
export const WHOLE_PIXELS = 32 * 2 ** 20

export interface Photograph extends Size {
  channels: number
  type: SampleType
  roles: BandRole[]
  format: string
  /** EXIF orientation, 1…8. */
  orientation: number
}

/** What a photograph's header says. @throws UnreadableImage with the reason in words */
export async function inspectPhotograph(path: string): Promise<Photograph> {
  const refused = (reason: string): SmaltiError => new SmaltiError('UnreadableImage', { path, reason })
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
  if (depth !== 'uchar' && depth !== 'ushort') throw refused(`${depth} samples are not read from ${format} files`)
  // A file of a few kilobytes cannot hold as many pixels as the best compression leaves room for.
  if (width * height > (MOST_PIXELS_PER_BYTE[format] ?? Infinity) * size) throw refused(`it claims ${width} × ${height} pixels in ${size} bytes`)
  if (await isTruncated(path, size, format)) throw refused('the file is truncated')
  if (format === 'webp' && (pages ?? 1) > 1) throw refused('animations are not supported')
  if (format !== 'png' && format !== 'jpeg' && format !== 'webp' && format !== 'tiff') throw refused('not an image format that Smalti reads')
  const turned = orientation >= 5
  const roles: BandRole[] = channels >= 3 ? ['red', 'green', 'blue'] : ['grey']
  if (found.hasAlpha) roles.push('alpha')
  return { width: turned ? height : width, height: turned ? width : height, channels, type: depth === 'ushort' ? 'uint16' : 'uint8', roles, format, orientation }
}

/** What the best compression of one flat colour leaves room for. */
const MOST_PIXELS_PER_BYTE: Record<string, number> = { png: 8500, jpeg: 512 }

/** The decoder's message without its internals. */
export function reasonOf(fault: unknown): string {
  const first = (fault as Error).message.split('\n')[0].replace(/^Input file /, '').replace(/^.*?: /, '')
  return first.replace(/[.\s]+$/, '') || 'the file cannot be decoded'
}

/** Whether the end of the file is missing, from the formats' own end marks. */
async function isTruncated(file: string, size: number, format: string): Promise<boolean> {
  if (format !== 'png' && format !== 'jpeg' && format !== 'webp') return false
  const handle = await open(file)
  try {
    const length = Math.min(size, 4096)
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, format === 'webp' ? 0 : size - length)
    if (format === 'png') return !buffer.includes('IEND')
    if (format === 'jpeg') return !buffer.includes(Buffer.of(0xff, 0xd9))
    return buffer.readUInt32LE(4) + 8 > size
  } finally {
    await handle.close()
  }
}

/**
 * A photograph that is decoded whole when it is first read.
 * @param stored  values as they are stored, without the change of colours that an embedded profile asks for
 * @throws UnreadableImage
 */
export async function openPhotograph(path: string, stored = false): Promise<Raster> {
  const { width, height, type, roles } = await inspectPhotograph(path)
  if (width * height > WHOLE_PIXELS) throw new SmaltiError('UnreadableImage', { path, reason: 'it is too large to be read without a tiled copy' })
  const alpha = roles.indexOf('alpha')
  const bands = roles.map((role) => ({ type, role }))
  let decoded: Promise<Patch> | undefined
  return {
    width,
    height,
    bands,
    levels: [{ width, height }],
    gaps: alpha >= 0,
    georeference: await sidecarGeoreferenceOf(path),
    async read(window, { bands: wanted = roles.map((_, b) => b), signal } = {}) {
      if (signal?.aborted) throw new SmaltiError('Cancelled')
      decoded ??= decode(path, { width, height }, type, roles, stored)
      decoded.catch(() => (decoded = undefined))
      const whole = await decoded
      const cut = (plane: Samples): Samples => cutWindow(plane, whole, window)
      const valid = alpha >= 0 ? Uint8Array.from(cut(whole.bands[alpha]), (opacity) => Number(opacity > 0)) : undefined
      return { width: window.width, height: window.height, bands: wanted.map((band) => cut(whole.bands[band])), valid: valid?.includes(0) ? valid : undefined }
    },
    close: () => {
      decoded = undefined
      return Promise.resolve()
    }
  }
}

/** Rows and columns of a plane. */
export function cutWindow(plane: Samples, { width, height }: Size, window: Window): Samples {
  if (window.left === 0 && window.top === 0 && window.width === width && window.height === height) return plane
  const part = new (plane.constructor as new (length: number) => Samples)(window.width * window.height)
  for (let r = 0; r < window.height; r++) {
    const from = (window.top + r) * width + window.left
    part.set(plane.subarray(from, from + window.width) as never, r * window.width)
  }
  return part
}

async function decode(path: string, { width, height }: Size, type: SampleType, roles: readonly BandRole[], stored: boolean): Promise<Patch> {
  try {
    const deep = type === 'uint16'
    const grey = roles[0] === 'grey'
    const picture = sharp(path, { limitInputPixels: false, failOn: 'truncated', ignoreIcc: stored }).autoOrient()
    const coloured = roles.includes('alpha') ? picture : picture.removeAlpha()
    const { data, info } = await coloured.toColourspace(deep ? (grey ? 'grey16' : 'rgb16') : grey ? 'b-w' : 'srgb').raw({ depth: deep ? 'ushort' : 'uchar' }).toBuffer({ resolveWithObject: true })
    if (info.channels !== roles.length || info.width !== width || info.height !== height) throw new Error(`decoded as ${info.width}×${info.height}×${info.channels}`)
    const values = deep ? new Uint16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length / 2) : data
    const planes = roles.map(() => emptySamples(type, width * height))
    planes.forEach((plane, b) => {
      for (let i = 0, from = b; i < plane.length; i++, from += roles.length) plane[i] = values[from]
    })
    return { width, height, bands: planes }
  } catch (fault) {
    throw new SmaltiError('UnreadableImage', { path, reason: reasonOf(fault) })
  }
}
