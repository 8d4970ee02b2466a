import { join, resolve, sep } from 'node:path'
import sharp from 'sharp'
import { rgbOf } from '../../classes/palette.ts'
import { TILE_SIDE } from '../../contract/commands.ts'
import { TesseraError } from '../../contract/errors.ts'
import { type LabelIndex, type Project, labelFolder, labelsChanged, loadLabelIndex, openProject } from '../../project/project.ts'
import type { Job } from '../job.ts'

/** A file inside `folder`. @throws UnreadableImage when the path leads out of it */
function inside(folder: string, path: string): string {
  const file = resolve(folder, path)
  if (!file.startsWith(resolve(folder) + sep)) throw new TesseraError('UnreadableImage', { path, reason: 'it lies outside the folder' })
  return file
}

async function encode(path: string, make: () => Promise<{ type: string; bytes: Buffer }>): Promise<{ type: string; base64: string }> {
  try {
    const { type, bytes } = await make()
    return { type, base64: bytes.toString('base64') }
  } catch (fault) {
    if (fault instanceof TesseraError) throw fault
    throw new TesseraError('UnreadableImage', { path, reason: (fault as Error).message })
  }
}

export const thumbnailJob: Job<'thumbnail'> = ({ folder, path, side }) =>
  encode(path, async () => {
    const picture = sharp(inside(folder, path), { limitInputPixels: false }).autoOrient().resize(side, side, { fit: 'cover' })
    return { type: 'image/webp', bytes: await picture.webp({ quality: 75 }).toBuffer() }
  })

/** The part of the full picture that a tile covers. */
function region(size: { width: number; height: number }, level: number, column: number, row: number): { left: number; top: number; width: number; height: number } {
  const span = TILE_SIDE * 2 ** level
  const [left, top] = [column * span, row * span]
  if (left >= size.width || top >= size.height) throw new TesseraError('InvalidSetting', { setting: 'tile', reason: 'it lies outside the picture' })
  return { left, top, width: Math.min(span, size.width - left), height: Math.min(span, size.height - top) }
}

const shrunk = (length: number, level: number): number => Math.max(1, Math.round(length / 2 ** level))

export const tileJob: Job<'tile'> = ({ folder, path, level, column, row }) =>
  encode(path, async () => {
    const turned = sharp(inside(folder, path), { limitInputPixels: false }).autoOrient()
    const { autoOrient: size } = await sharp(inside(folder, path), { limitInputPixels: false }).metadata()
    const part = region(size, level, column, row)
    const picture = turned.extract(part).resize(shrunk(part.width, level), shrunk(part.height, level), { fit: 'fill' })
    return { type: 'image/webp', bytes: await picture.webp({ quality: 90 }).toBuffer() }
  })

let lastRead: { project: string; run?: string; changed: number; index: LabelIndex } | undefined

/** The project's label index, read again only when it has changed: a view asks for dozens of tiles at once. */
async function labelIndexOf(project: Project): Promise<LabelIndex | undefined> {
  const changed = await labelsChanged(project)
  if (lastRead?.project === project.folder && lastRead.run === project.run && lastRead.changed === changed) return lastRead.index
  const index = await loadLabelIndex(project)
  lastRead = index && changed !== undefined ? { project: project.folder, run: project.run, changed, index } : undefined
  return index
}

export const labelTileJob: Job<'labelTile'> = ({ project: folder, head, path, level, column, row }) =>
  encode(path, async () => {
    const project = await openProject(folder)
    const index = await labelIndexOf(project)
    const image = index?.images.find((entry) => entry.path === path)
    if (!index || !image) throw new TesseraError('NothingSegmented', { path: folder })
    const part = region(image, level, column, row)
    const mask = sharp(join(labelFolder(project), image.masks[head]!), { limitInputPixels: false })
    const small = mask.extract(part).resize(shrunk(part.width, level), shrunk(part.height, level), { fit: 'fill', kernel: 'nearest' })
    const { data, info } = await small.extractChannel(0).raw().toBuffer({ resolveWithObject: true })
    const colours = index.classes[head]!.map(({ colour }) => rgbOf(colour))
    const painted = new Uint8Array(data.length * 3)
    data.forEach((cluster, i) => painted.set(colours[cluster] ?? [0, 0, 0], 3 * i))
    const picture = sharp(painted, { raw: { width: info.width, height: info.height, channels: 3 } })
    return { type: 'image/png', bytes: await picture.png({ compressionLevel: 3 }).toBuffer() }
  })
