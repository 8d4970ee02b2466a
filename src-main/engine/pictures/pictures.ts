import { stat } from 'node:fs/promises'
import { SmaltiError } from '../../contract/errors.ts'
import { type Look, type MadePicture, type PictureQuery, TILE_SIDE } from '../../contract/pictures.ts'
import { isAddress } from '../../contract/sources.ts'
import { type Lent, type Shown, openOnce, openToShow, shownAs, shownWindow, thumbnailOf } from '../../imagery/display.ts'
import type { Copies } from '../../imagery/openRaster.ts'
import { named } from '../../imagery/pictures.ts'
import type { Raster, Size, Window } from '../../imagery/raster.ts'
import { copiesFolder } from '../../project/project.ts'
import { keepOpen, stateOf } from './keptOpen.ts'

const LARGE_FILE = 2 ** 26

/** @throws UnreadableImage, Cancelled */
export async function thumbnail({ file, side, ...look }: PictureQuery<'thumbnail'>, signal: AbortSignal): Promise<MadePicture> {
  try {
    // A large one is likely to be looked at next, and what was read of it serves again.
    const open = async (): Promise<Lent> => (isAddress(file) || (await stat(file)).size > LARGE_FILE ? { ...(await shownImage(file, look)), done: () => Promise.resolve() } : openOnce(file, look))
    return { type: 'image/webp', bytes: await (await thumbnailOf(file, side, { look, open, signal })).webp({ quality: 75 }).toBuffer() }
  } catch (fault) {
    throw named(fault, file)
  }
}

/** The part of a level that a tile covers. @throws InvalidSetting when it lies outside */
export function tileWindow({ width, height }: Size, { column, row }: { column: number; row: number }): Window {
  const [left, top] = [column * TILE_SIDE, row * TILE_SIDE]
  if (left >= width || top >= height) throw new SmaltiError('InvalidSetting', { setting: 'tile', reason: 'it lies outside the picture' })
  return { left, top, width: Math.min(TILE_SIDE, width - left), height: Math.min(TILE_SIDE, height - top) }
}

export const halved = ({ width, height }: Size, level: number): Size => ({ width: Math.ceil(width / 2 ** level), height: Math.ceil(height / 2 ** level) })

/** An image and the ways in which it was shown, so that another look reads no more than what it needs. */
interface KeptImage {
  raster: Raster
  looks: Map<string, Promise<Shown>>
  close(): Promise<void>
}
const keptImages = keepOpen<KeptImage>()
const MOST_LOOKS = 8

/**
 * An image, kept open for a while.
 * @param project  keeps the tiled copy of one that has no parts
 */
export async function shownImage(file: string, look: Look, project?: string, signal: AbortSignal = new AbortController().signal): Promise<Shown> {
  const copies: Copies | undefined = project === undefined ? undefined : { folder: copiesFolder({ folder: project, sources: [] }), signal, onProgress: () => undefined }
  const { raster, looks } = await keptImages(`${await stateOf(file)} ${look.page ?? ''}`, async () => {
    const opened = await openToShow(file, copies, look.page)
    return { raster: opened, looks: new Map<string, Promise<Shown>>(), close: () => opened.close() }
  })
  const key = JSON.stringify([look.bands, look.clip])
  for (;;) {
    const known = looks.get(key)
    if (!known && looks.size >= MOST_LOOKS) looks.clear()
    const made = known ?? shownAs(raster, look, signal)
    looks.set(key, made)
    try {
      return await made
    } catch (fault) {
      if (looks.get(key) === made) looks.delete(key)
      // Who asked for it first has gone; whoever waits with him asks again.
      if (!known || signal.aborted || !(fault instanceof SmaltiError && fault.name === 'Cancelled')) throw fault
    }
  }
}

/** What lies about a pixel, moved inwards at the image's border. @throws UnreadableImage */
export async function patch({ file, x, y, side, ...look }: PictureQuery<'patch'>): Promise<MadePicture> {
  try {
    const shown = await shownImage(file, look)
    const { width, height } = shown.raster
    const along = (at: number, length: number): [number, number] => [Math.min(Math.max(0, at - side / 2), Math.max(0, length - side)), Math.min(side, length)]
    const [[left, across], [top, down]] = [along(x, width), along(y, height)]
    const picture = await shownWindow(shown, { width, height }, { left: Math.floor(left), top: Math.floor(top), width: across, height: down })
    return { type: 'image/webp', bytes: await picture.webp({ quality: 85, effort: 1 }).toBuffer() }
  } catch (fault) {
    throw named(fault, file)
  }
}

/** @throws UnreadableImage, Cancelled */
export async function tile({ file, project, level, column, row, ...look }: PictureQuery<'tile'>, signal: AbortSignal): Promise<MadePicture> {
  try {
    const shown = await shownImage(file, look, project, signal)
    const size = halved(shown.raster, level)
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const picture = await shownWindow(shown, size, tileWindow(size, { column, row }), signal)
    if (signal.aborted) throw new SmaltiError('Cancelled')
    return { type: 'image/webp', bytes: await picture.webp({ quality: 90, effort: 1 }).toBuffer() }
  } catch (fault) {
    throw named(fault, file)
  }
}
