import { basename } from 'node:path'
import { SmaltiError } from '../../../contract/errors.ts'
import type { ByteSource } from '../../reading/byteSource.ts'
import { MOST_BANDS } from '../../raster.ts'
import { type Directory, TAG } from './directory.ts'
import { COMPRESSION, decodedBytes } from './layout.ts'
import { type Level, levelOf, sameKind } from './level.ts'
import { imageJStack, omeElsewhere, omePlanes } from './stacks.ts'

const REDUCED = 1
const MASK = 4
/** A value of the older SubfileType tag. */
const OLD_REDUCED = 2

/** The page of a file that is read, or the pages that are read as its bands. */
export interface Pages {
  /** The directory whose tags apply to all pages. */
  directory: Directory
  /** Pixels of each page that is read. */
  levels: Level[]
  /** Overviews and masks of the page; empty if several pages are read. */
  reduced: Directory[]
  masks: Directory[]
  /** Whether files next to the image, which don't know about pages, apply to these. */
  first: boolean
  notice?: string
}

/**
 * Chooses among the pages of a TIFF: pages that the file calls channels become bands; otherwise the first page is read.
 * Overviews and masks aren't pages.
 * @param page  the page that the user chose, counted from 1; only this page is read
 * @throws UnreadableImage when there is no such page
 */
export async function choosePages(
  source: ByteSource,
  directories: readonly Directory[],
  page?: number
): Promise<Pages> {
  const kinds = await Promise.all(directories.map(kindOf))
  if (!kinds.includes('page')) kinds[0] = 'page'
  const places = kinds.flatMap((kind, i) => (kind === 'page' ? [i] : []))
  const description = (await directories[places[0]].text(TAG.description)) ?? ''
  const described = imageJStack(description)
  const stack =
    places.length === 1 && described && described.images > 1
      ? await contiguousStack(source, directories[places[0]], described.images)
      : undefined
  const count = stack?.length ?? places.length
  if (page !== undefined && page > count)
    throw new SmaltiError('UnreadableImage', { path: source.name, reason: noPage(page, count) })
  const levelAt = (index: number): Promise<Level> =>
    stack ? Promise.resolve(stack[index]) : levelOf(source, directories[places[index]])
  if (page === undefined && count > 1) {
    const planes =
      described?.images === count
        ? Array.from({ length: described.channels }, (_, c) => c)
        : omePlanes(description, directories.length, basename(source.name))?.map((at) => places.indexOf(at))
    const channels =
      planes && planes.length > 1 && planes.length <= MOST_BANDS ? await channelsOf(planes, levelAt) : undefined
    if (channels) {
      const notice =
        channels.length === count
          ? undefined
          : `only the ${channels.length} channels of its first plane are used, of ${count} pages`
      return {
        directory: directories[places[planes![0]]],
        levels: channels,
        reduced: [],
        masks: [],
        first: true,
        notice
      }
    }
  }
  const elsewhere = omeElsewhere(description, basename(source.name))
    ? 'the planes in its other OME files are not used'
    : undefined
  const index = (page ?? 1) - 1
  const unstacked = described && described.images > count ? described.images : count
  const part =
    unstacked === 1
      ? undefined
      : unstacked > count
        ? `only the first of its ${unstacked} images is used; the others have no directory`
        : `only page ${index + 1} of ${count} is used`
  const owned = stack ? { reduced: [], masks: [] } : belongingTo(index, places, kinds, directories)
  return {
    directory: directories[places[stack ? 0 : index]],
    levels: [await levelAt(index)],
    ...owned,
    first: index === 0,
    notice: [part, elsewhere].filter((sentence) => sentence !== undefined).join('; ') || undefined
  }
}

/** Explains why the page that the user chose can't be read. */
export const noPage = (page: number, count: number): string =>
  `it has no page ${page}, only ${count === 1 ? 'one page' : `${count} pages`}`

type Kind = 'page' | 'reduced' | 'mask'

/** Whether a directory is a mask. */
export const isMask = async (directory: Directory): Promise<boolean> => (await kindOf(directory)) === 'mask'

async function kindOf(directory: Directory): Promise<Kind> {
  const kind =
    (await directory.number(TAG.subfileType)) ??
    ((await directory.number(TAG.oldSubfileType)) === OLD_REDUCED ? REDUCED : 0)
  return kind & MASK ? 'mask' : kind & REDUCED ? 'reduced' : 'page'
}

/**
 * Finds the overviews and masks of a page, which follow it. If they are all at the end, they belong to the first page,
 * as GDAL writes them.
 */
function belongingTo(
  index: number,
  places: readonly number[],
  kinds: readonly Kind[],
  directories: readonly Directory[]
): Pick<Pages, 'reduced' | 'masks'> {
  const last = places.length - 1
  const atEnd = places.every((place, i) => place === places[0] + i)
  const from = atEnd && index === 0 ? places[last] : places[index]
  const to = atEnd ? (index === 0 ? directories.length : from) : index === last ? directories.length : places[index + 1]
  const owned = (kind: Kind): Directory[] =>
    directories.filter((_, i) => (i > from || i < places[0]) && i < to && kinds[i] === kind)
  return { reduced: owned('reduced'), masks: owned('mask') }
}

/** Reads pages as bands if each has one band and all have the same type and size. */
async function channelsOf(
  planes: readonly number[],
  levelAt: (index: number) => Promise<Level>
): Promise<Level[] | undefined> {
  if (planes.some((plane) => plane < 0)) return undefined
  const [first, ...others] = await Promise.all(planes.map(levelAt))
  if (
    first.samples !== 1 ||
    others.some((level) => !sameKind(first, level) || level.width !== first.width || level.height !== first.height)
  )
    return undefined
  return [first, ...others]
}

/** Reads a large ImageJ stack, which has one directory; the other images follow the first without a gap. */
async function contiguousStack(source: ByteSource, directory: Directory, images: number): Promise<Level[] | undefined> {
  const level = await levelOf(source, directory)
  const { offsets, byteCounts, compression, planar, width, height } = level
  const bytes = decodedBytes({ ...level.layout(height), width })
  const whole =
    offsets.every((offset, i) => i === 0 || offset === offsets[i - 1] + byteCounts[i - 1]) &&
    byteCounts.reduce((sum, length) => sum + length, 0) === bytes
  if (compression !== COMPRESSION.none || planar || level.tiled || !whole || offsets[0] + images * bytes > source.size)
    return undefined
  return Array.from({ length: images }, (_, i) => ({ ...level, offsets: offsets.map((offset) => offset + i * bytes) }))
}
