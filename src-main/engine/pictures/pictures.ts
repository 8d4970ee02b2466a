import { stat } from 'node:fs/promises'
import { SmaltiError } from '../../contract/errors.ts'
import { type Look, type MadePicture, type PictureQuery, TILE_SIDE } from '../../contract/window/pictures.ts'
import { isAddress } from '../../contract/sources.ts'
import {
  type Lend,
  type Shown,
  openToShow,
  shownAs,
  shownOnce,
  shownWindow,
  thumbnailOf
} from '../../imagery/display.ts'
import { named } from '../../imagery/pictures.ts'
import type { Raster, Size, Window } from '../../imagery/raster.ts'
import { type SharedWork, sharedWork } from '../../imagery/reading/sharedWork.ts'
import { copiesFolder } from '../../project/project.ts'
import { keepOpen, stateOf } from './keptOpen.ts'

const LARGE_FILE = 2 ** 26

/** Returns the thumbnail of an image. @throws UnreadableImage, Cancelled */
export async function thumbnail(
  { file, side, ...look }: PictureQuery<'thumbnail'>,
  signal: AbortSignal
): Promise<MadePicture> {
  try {
    // A large image is likely to be opened next, so its data is kept.
    const large = isAddress(file) || (await stat(file)).size > LARGE_FILE
    const lend: Lend = large ? (work) => withShown({ file, look }, signal, work) : shownOnce(file, look, signal)
    return {
      type: 'image/webp',
      bytes: await (await thumbnailOf(file, side, { look, lend, signal })).webp({ quality: 75 }).toBuffer()
    }
  } catch (fault) {
    throw named(fault, file)
  }
}

/** Returns the part of a level that a tile covers. @throws InvalidSetting when the tile is outside */
export function tileWindow({ width, height }: Size, { column, row }: { column: number; row: number }): Window {
  const [left, top] = [column * TILE_SIDE, row * TILE_SIDE]
  if (left >= width || top >= height)
    throw new SmaltiError('InvalidSetting', { setting: 'tile', reason: 'it is outside the image' })
  return { left, top, width: Math.min(TILE_SIDE, width - left), height: Math.min(TILE_SIDE, height - top) }
}

export const halved = ({ width, height }: Size, level: number): Size => ({
  width: Math.ceil(width / 2 ** level),
  height: Math.ceil(height / 2 ** level)
})

/** An open image and its rendered looks, so that another look reads only what it lacks. */
interface KeptImage {
  raster: Raster
  looks: SharedWork<Shown>
  close(): Promise<void>
}
const keptImages = keepOpen<KeptImage>()
const MOST_LOOKS = 8

/**
 * Lends `work` an image that stays open for a while.
 * @param project  keeps the tiled copy of an image that can't be read in parts
 */
export async function withShown<T>(
  { file, look, project }: { file: string; look: Look; project?: string },
  signal: AbortSignal,
  work: (shown: Shown) => Promise<T>
): Promise<T> {
  const copies = project === undefined ? undefined : { folder: copiesFolder({ folder: project, sources: [] }) }
  const make = async (opening: AbortSignal): Promise<KeptImage> => {
    const raster = await openToShow(file, { copies, page: look.page, signal: opening })
    return { raster, looks: sharedWork({ most: MOST_LOOKS }), close: () => raster.close() }
  }
  return keptImages.use(`${await stateOf(file)} ${look.page ?? ''}`, { signal, make }, async ({ raster, looks }) =>
    work(
      await looks.get(JSON.stringify([look.bands, look.clip]), {
        signal,
        make: (measuring) => shownAs(raster, look, measuring)
      })
    )
  )
}

/** Returns the surroundings of a pixel, moved inwards at the image's border. @throws UnreadableImage, Cancelled */
export async function patch(
  { file, x, y, side, ...look }: PictureQuery<'patch'>,
  signal: AbortSignal
): Promise<MadePicture> {
  try {
    const picture = await withShown({ file, look }, signal, (shown) => {
      const { width, height } = shown.raster
      const along = (at: number, length: number): [number, number] => [
        Math.min(Math.max(0, at - side / 2), Math.max(0, length - side)),
        Math.min(side, length)
      ]
      const [[left, across], [top, down]] = [along(x, width), along(y, height)]
      return shownWindow(
        shown,
        { width, height },
        { left: Math.floor(left), top: Math.floor(top), width: across, height: down },
        signal
      )
    })
    return { type: 'image/webp', bytes: await picture.webp({ quality: 85, effort: 1 }).toBuffer() }
  } catch (fault) {
    throw named(fault, file)
  }
}

/** Returns a tile of an image. @throws UnreadableImage, Cancelled */
export async function tile(
  { file, project, level, column, row, ...look }: PictureQuery<'tile'>,
  signal: AbortSignal
): Promise<MadePicture> {
  try {
    const picture = await withShown({ file, look, project }, signal, (shown) => {
      const size = halved(shown.raster, level)
      return shownWindow(shown, size, tileWindow(size, { column, row }), signal)
    })
    if (signal.aborted) throw new SmaltiError('Cancelled')
    return { type: 'image/webp', bytes: await picture.webp({ quality: 90, effort: 1 }).toBuffer() }
  } catch (fault) {
    throw named(fault, file)
  }
}
