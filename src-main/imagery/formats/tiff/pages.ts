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
/** Value of the older SubfileType tag. */
const OLD_REDUCED = 2

/** The page of a file that is read, or the pages that are read as its bands. */
export interface Pages {
  /** The directory whose tags count for all. */
  directory: Directory
  /** Pixels of each page that is read. */
  levels: Level[]
  /** Overviews and masks of the page; none where several pages are read. */
  reduced: Directory[]
  masks: Directory[]
  /** Whether files beside the image, which know nothing of pages, are about these. */
  first: boolean
  notice?: string
}

/**
 * Chooses among the pages of a TIFF: those that the file calls channels are bands, otherwise the first is read.
 * Overviews and masks are no pages.
 * @param page  the page that a person chose, counted from 1, which is then read alone
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
          : `only the ${channels.length} channels of its first plane are read, of ${count} pages; on the command line, --page chooses one page`
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
    ? 'planes that its OME-XML places in other files are not read'
    : undefined
  const index = (page ?? 1) - 1
  const unstacked = described && described.images > count ? described.images : count
  const part =
    unstacked === 1
      ? undefined
      : unstacked > count
        ? `only the first of its ${unstacked} images is read, as the others have no directory`
        : `only page ${index + 1} of ${count} is read; on the command line, --page chooses another`
  const owned = stack ? { reduced: [], masks: [] } : belongingTo(index, places, kinds, directories)
  return {
    directory: directories[places[stack ? 0 : index]],
    levels: [await levelAt(index)],
    ...owned,
    first: index === 0,
    notice: [part, elsewhere].filter((sentence) => sentence !== undefined).join('; ') || undefined
  }
}

/** Why a page that a person chose cannot be read. */
export const noPage = (page: number, count: number): string =>
  `it has no page ${page}, only ${count === 1 ? 'one' : count}`

type Kind = 'page' | 'reduced' | 'mask'

/** Whether a directory is a mask, as its kind says. */
export const isMask = async (directory: Directory): Promise<boolean> => (await kindOf(directory)) === 'mask'

async function kindOf(directory: Directory): Promise<Kind> {
  const kind =
    (await directory.number(TAG.subfileType)) ??
    ((await directory.number(TAG.oldSubfileType)) === OLD_REDUCED ? REDUCED : 0)
  return kind & MASK ? 'mask' : kind & REDUCED ? 'reduced' : 'page'
}

/** Overviews and masks follow their page; where all stand at the end, they are the first page's, as GDAL writes them. */
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

/** Pages as bands, where each has one band and all are of one kind and size. */
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

/** ImageJ writes large stacks as one directory, whose image the others follow without a gap. */
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
