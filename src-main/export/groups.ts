import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { thumbnailOf } from '../imagery/display.ts'
import type { CatalogueImage } from '../contract/imagery.ts'
import { clusterColours } from '../classes/palette.ts'
import { makeFolder, writeFileSafely } from '../project/files.ts'

/** An image with its group and how sure that is, 0…1. */
export interface GroupedImage {
  image: CatalogueImage
  group: number
  confidence: number
}

/** Thumbnails of the contact sheet: side and gap in pixels, how many for each group. */
const SHEET = { side: 96, gap: 6, across: 12, stripe: 14 }

const groupName = (group: number): string => `group-${String(group + 1).padStart(2, '0')}`

/** The table as CSV (RFC 4180): path, group counted from 1, confidence. */
export function groupTable(grouped: readonly GroupedImage[]): string {
  const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  const rows = grouped.map(({ image, group, confidence }) => `${quoted(image.path)},${group + 1},${confidence.toFixed(4)}`)
  return `path,group,confidence\r\n${rows.join('\r\n')}\r\n`
}

/** One row for each group: its colour, then its surest images. @returns a PNG */
export async function contactSheet(grouped: readonly GroupedImage[], groups: number): Promise<Buffer> {
  const { side, gap, across, stripe } = SHEET
  const colours = clusterColours(groups)
  const left = stripe + 2 * gap
  const rows = Array.from({ length: groups }, (_, group) =>
    grouped.filter((entry) => entry.group === group).sort((a, b) => b.confidence - a.confidence).slice(0, across)
  )
  const thumbnails = await Promise.all(
    rows.flatMap((row, group) =>
      row.map(async ({ image }, i) => ({
        input: await (await thumbnailOf(image.file, side)).png().toBuffer(),
        left: left + i * (side + gap),
        top: gap + group * (side + gap)
      }))
    )
  )
  const stripes = colours.map((background, group) => ({
    input: { create: { width: stripe, height: side, channels: 3 as const, background } },
    left: gap,
    top: gap + group * (side + gap)
  }))
  const canvas = { width: left + across * (side + gap), height: gap + groups * (side + gap), channels: 3 as const, background: '#ffffff' }
  return sharp({ create: canvas }).composite([...stripes, ...thumbnails]).removeAlpha().png().toBuffer()
}

/** Copies every image into the sub-folder of its group, sub-folders of the source kept. */
export async function copyIntoGroups(grouped: readonly GroupedImage[], out: string): Promise<void> {
  for (const { image, group } of grouped) {
    const target = join(out, groupName(group), image.path)
    await makeFolder(join(target, '..'))
    await copyFile(image.file, target)
  }
}

/** @throws DiskFull, FolderNotWritable */
export async function writeGroups(
  grouped: readonly GroupedImage[],
  groups: number,
  { out, copies }: { out: string; copies: boolean }
): Promise<{ table: string; contactSheet: string }> {
  const files = { table: join(out, 'groups.csv'), contactSheet: join(out, 'contact-sheet.png') }
  await writeFileSafely(files.table, groupTable(grouped))
  await writeFileSafely(files.contactSheet, await contactSheet(grouped, groups))
  if (copies) await copyIntoGroups(grouped, out)
  return files
}
