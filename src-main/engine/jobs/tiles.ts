import { stat } from 'node:fs/promises'
import sharp from 'sharp'
import { rgbOf } from '../../classes/palette.ts'
import { TILE_SIDE } from '../../contract/commands.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { isAddress } from '../../imagery/byteSource.ts'
import { type Shown, openShown, shownWindow, thumbnailOf } from '../../imagery/display.ts'
import { openRaster } from '../../imagery/openRaster.ts'
import { named } from '../../imagery/pictures.ts'
import type { Raster, Size, Window } from '../../imagery/raster.ts'
import { type LabelIndex, type LabelSet, labelSetOf, labelsChanged, loadLabelIndex, storedHead } from '../../project/labelSets.ts'
import { type Project, copiesFolder, openProject } from '../../project/project.ts'
import type { Job } from '../job.ts'

async function encode(path: string, make: () => Promise<{ type: string; bytes: Buffer }>): Promise<{ type: string; base64: string }> {
  try {
    const { type, bytes } = await make()
    return { type, base64: bytes.toString('base64') }
  } catch (fault) {
    throw named(fault, path)
  }
}

export const thumbnailJob: Job<'thumbnail'> = ({ file, side }) =>
  encode(file, async () => ({ type: 'image/webp', bytes: await (await thumbnailOf(file, side)).webp({ quality: 75 }).toBuffer() }))

/** The part of a level that a tile covers. @throws InvalidSetting when it lies outside */
function tileWindow({ width, height }: Size, column: number, row: number): Window {
  const [left, top] = [column * TILE_SIDE, row * TILE_SIDE]
  if (left >= width || top >= height) throw new SmaltiError('InvalidSetting', { setting: 'tile', reason: 'it lies outside the picture' })
  return { left, top, width: Math.min(TILE_SIDE, width - left), height: Math.min(TILE_SIDE, height - top) }
}

const halved = ({ width, height }: Size, level: number): Size => ({ width: Math.ceil(width / 2 ** level), height: Math.ceil(height / 2 ** level) })

/** Files kept open between tiles: a view asks for dozens at once. */
const KEPT_OPEN = 4

function keepOpen<T extends { close(): Promise<void> }>(): (key: string, open: () => Promise<T>) => Promise<T> {
  const kept = new Map<string, Promise<T>>()
  return (key, open) => {
    const known = kept.get(key)
    kept.delete(key)
    const opened = known ?? open()
    kept.set(key, opened)
    opened.catch(() => kept.delete(key))
    const [oldest] = kept.keys()
    if (kept.size > KEPT_OPEN) {
      const closing = kept.get(oldest)!
      kept.delete(oldest)
      // Tiles of it may still be on their way.
      setTimeout(() => void closing.then((file) => file.close()).catch(() => undefined), 10_000).unref()
    }
    return opened
  }
}

const shownImages = keepOpen<Shown & { close(): Promise<void> }>()
const labelRasters = keepOpen<Raster>()

async function stateOf(file: string): Promise<string> {
  if (isAddress(file)) return file
  const { mtimeMs, size } = await stat(file)
  return `${file} ${mtimeMs} ${size}`
}

export const tileJob: Job<'tile'> = ({ file, project, level, column, row }, { signal, onProgress }) =>
  encode(file, async () => {
    const copies = { folder: copiesFolder({ folder: project, sources: [] }), signal, onProgress: (share: number) => onProgress({ stage: 'Preparing the picture', share }) }
    const shown = await shownImages(await stateOf(file), async () => {
      const opened = await openShown(file, copies)
      return { ...opened, close: () => opened.raster.close() }
    })
    const size = halved(shown.raster, level)
    const picture = await shownWindow(shown, size, tileWindow(size, column, row))
    return { type: 'image/webp', bytes: await picture.webp({ quality: 90 }).toBuffer() }
  })

let lastRead: { set: string; changed: number; index: LabelIndex } | undefined

/** The set's label index, read again only when it has changed. */
async function labelIndexOf(project: Project, set: LabelSet): Promise<LabelIndex | undefined> {
  const changed = await labelsChanged(set)
  if (lastRead?.set === set.folder && lastRead.changed === changed) return lastRead.index
  const index = await loadLabelIndex(project, set)
  lastRead = index && changed !== undefined ? { set: set.folder, changed, index } : undefined
  return index
}

export const labelTileJob: Job<'labelTile'> = ({ project: folder, head, path, level, column, row }) =>
  encode(path, async () => {
    const project = await openProject(folder)
    const set = labelSetOf(project)
    const index = await labelIndexOf(project, set)
    const image = index?.images.find((entry) => entry.path === path)
    if (!index || !image) throw new SmaltiError('NothingSegmented', { path: folder })
    const { raster: file, table } = storedHead(set, index, image, head)
    const raster = await labelRasters(await stateOf(file), () => openRaster(file))
    const { window, values } = await labelWindow(raster, level, column, row)
    const colours = index.classes[head].map(({ colour }) => rgbOf(colour))
    const painted = new Uint8Array(values.length * 4)
    values.forEach((value, i) => {
      const colour = colours[table ? table[value] : value]
      if (colour) painted.set([...colour, 255], 4 * i)
    })
    const picture = sharp(painted, { raw: { width: window.width, height: window.height, channels: 4 } })
    return { type: 'image/png', bytes: await picture.png({ compressionLevel: 3 }).toBuffer() }
  })

/** Labels of a tile, from the stored level that fits, or the nearest finer one. */
async function labelWindow(raster: Raster, level: number, column: number, row: number): Promise<{ window: Window; values: Uint8Array }> {
  const stored = Math.min(level, raster.levels.length - 1)
  const window = tileWindow(halved(raster, level), column, row)
  const step = 2 ** (level - stored)
  const { width, height } = raster.levels[stored]
  const [left, top] = [window.left * step, window.top * step]
  const source = { left, top, width: Math.min(window.width * step, width - left), height: Math.min(window.height * step, height - top) }
  const { bands: [labels] } = await raster.read(source, { level: stored, bands: [0] })
  if (step === 1) return { window, values: labels as Uint8Array }
  const values = Uint8Array.from({ length: window.width * window.height }, (_, i) => labels[Math.min(Math.floor(i / window.width) * step, source.height - 1) * source.width + Math.min((i % window.width) * step, source.width - 1)])
  return { window, values }
}
