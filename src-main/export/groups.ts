import { existsSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import type { Groups } from '../classes/groups.ts'
import { clusterColours } from '../classes/palette.ts'
import { SmaltiError, asSmaltiError } from '../contract/errors.ts'
import type { GroupedImage } from '../contract/groups.ts'
import type { SkippedFile } from '../contract/imagery.ts'
import { isAddress } from '../contract/sources.ts'
import { digitsAt, distinctNames, firstBytes, hashOf, portable } from '../project/fileNames.ts'
import { csvField } from './formats/csv.ts'
import { NAMES_FILE, namesTable } from './stems.ts'
import { thumbnailOf } from '../imagery/display.ts'
import { named } from '../imagery/pictures.ts'
import { type Territory, checkOutFolder, openOutFolder } from './outFolder.ts'

/** Contact sheet: thumbnail side, gap, thumbnails per group and width of the colour stripe. */
const SHEET = { side: 96, gap: 6, across: 12, stripe: 14 }
const TABLE = 'groups.csv'
const CONTACT_SHEET = 'contact-sheet.png'

/** Matches the names of copies. */
const COPY = /^group-\d{2,}[^\\/]*[\\/]/

/** What to export of the groups, and where it may go. */
export interface GroupFiles {
  /** Also copies each image to a subfolder for its group; subfolders of the source are kept. */
  copies: boolean
  overwrite: boolean
  territory: Territory
}

/** Returns a group's subfolder: its number, which makes it unique, and as much of its name as a folder name allows. */
function folderOf({ groups }: Pick<Groups, 'groups'>, id: number): string {
  const number = String(id + 1).padStart(2, '0')
  const name = groups.find((group) => group.id === id)?.name ?? ''
  const safe = name === `Group ${id + 1}` ? '' : name.replace(/[^\p{L}\p{N} _-]+/gu, '').trim()
  return safe === ''
    ? `group-${number}`
    : `group-${number} ${firstBytes(Array.from(safe).slice(0, 60).join(''), 200).trim()}`
}

/** Returns the table as CSV (RFC 4180): path, group number from 1, group name, confidence. */
function groupTable({ groups, images }: Groups): string {
  const names = new Map(groups.map(({ id, name }) => [id, csvField(name)]))
  const rows = images.map(
    ({ path, group, confidence }) => `${csvField(path)},${group + 1},${names.get(group)},${confidence.toFixed(4)}`
  )
  return `path,group,name,confidence\r\n${rows.join('\r\n')}\r\n`
}

/**
 * Draws a row for each group: its colour, then its most confident images. An unreadable image leaves a gap.
 * @returns a PNG
 */
async function contactSheet({ groups, images }: Groups, passOver: (file: SkippedFile) => void): Promise<Buffer> {
  const { side, gap, across, stripe } = SHEET
  const colours = clusterColours(groups.length)
  const left = stripe + 2 * gap
  const rows = groups.map(({ id }) =>
    images
      .filter(({ group }) => group === id)
      .sort((a, b) => b.confidence - a.confidence)
      .slice(0, across)
  )
  const thumbnails = await Promise.all(
    rows.flatMap((row, line) =>
      row.map(async ({ path, file }, i) => {
        try {
          const input = await (await thumbnailOf(file, side)).png().toBuffer()
          return [{ input, left: left + i * (side + gap), top: gap + line * (side + gap) }]
        } catch (fault) {
          passOver({ path, reason: asSmaltiError(named(fault, file)).message })
          return []
        }
      })
    )
  )
  const stripes = colours.map((background, line) => ({
    input: { create: { width: stripe, height: side, channels: 3 as const, background } },
    left: gap,
    top: gap + line * (side + gap)
  }))
  const canvas = {
    width: left + across * (side + gap),
    height: gap + groups.length * (side + gap),
    channels: 3 as const,
    background: '#ffffff'
  }
  return sharp({ create: canvas })
    .composite([...stripes, ...thumbnails.flat()])
    .removeAlpha()
    .png()
    .toBuffer()
}

/** Names copies by image path: the path itself, unless a file system would confuse it with another one. */
const copyNames = (images: readonly { path: string }[]): Map<string, string> =>
  distinctNames(
    images.map(({ path }) => path),
    (path, level) =>
      (level === 0 ? path : path.replace(/(\.[^./]*)?$/, `-${hashOf(path, digitsAt(level))}$1`))
        .split('/')
        .map(portable)
        .join('/')
  )

/**
 * Checks whether groups may be written, whatever groups the images end up in. Writes nothing.
 * @throws WouldOverwrite, AmongImages, InvalidSetting when an image at an address would be copied
 */
export async function checkGroupsFolder(
  out: string,
  images: readonly { path: string; file: string }[],
  groups: number,
  { copies, overwrite, territory }: GroupFiles
): Promise<void> {
  if (copies) refuseAddresses(images)
  const present = Array.from({ length: copies ? groups : 0 }, (_, id) => folderOf({ groups: [] }, id)).filter((name) =>
    existsSync(join(out, name))
  )
  await checkOutFolder(
    out,
    [
      TABLE,
      CONTACT_SHEET,
      ...present.flatMap((name) => [...copyNames(images).values()].map((copy) => join(name, copy)))
    ],
    territory,
    overwrite
  )
}

function refuseAddresses(images: readonly { file: string }[]): void {
  const remote = images.find(({ file }) => isAddress(file))
  if (remote)
    throw new SmaltiError('InvalidSetting', {
      setting: 'copies',
      reason: `only files can be copied, but ${remote.file} is a URL`
    })
}

/**
 * Writes a table, a contact sheet and, if requested, copies. An image that no longer exists is listed only in the
 * table.
 * @throws WouldOverwrite, AmongImages, DiskFull, FolderNotWritable
 */
export async function writeGroups(
  groups: Groups,
  out: string,
  { copies, overwrite, territory }: GroupFiles
): Promise<{ files: number; skipped: SkippedFile[] }> {
  const skipped = new Map<string, SkippedFile>()
  const passOver = (file: SkippedFile): void => void skipped.set(file.path, file)
  if (copies) refuseAddresses(groups.images)
  const nameOf = copyNames(groups.images)
  const copied: (GroupedImage & { name: string })[] = copies
    ? groups.images.map((image) => ({ ...image, name: join(folderOf(groups, image.group), nameOf.get(image.path)!) }))
    : []
  const renamed = copied
    .filter(({ path }) => nameOf.get(path) !== path)
    .map(({ name, path }) => ({ file: name, image: path }))
  const names = [TABLE, CONTACT_SHEET, ...(renamed.length > 0 ? [NAMES_FILE] : []), ...copied.map(({ name }) => name)]
  await using folder = await openOutFolder(out, names, territory, overwrite)
  await folder.write(TABLE, groupTable(groups))
  if (renamed.length > 0) await folder.write(NAMES_FILE, namesTable(renamed))
  await folder.write(CONTACT_SHEET, await contactSheet(groups, passOver))
  let files = 2
  for (const { name, path, file } of copied) {
    if (existsSync(file)) {
      await folder.stream(name, (_, temporary) => copyFile(file, temporary))
      files++
    } else
      passOver({
        path,
        reason: new SmaltiError('UnreadableImage', { path: file, reason: 'it no longer exists' }).message
      })
  }
  // Without this, an image that moved to another group would be in both.
  const now = new Set(names)
  await folder.finish(folder.earlier.filter((name) => (COPY.test(name) || name === NAMES_FILE) && !now.has(name)))
  return { files, skipped: [...skipped.values()] }
}
