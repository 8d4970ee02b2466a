import { constants, existsSync, realpathSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { SmaltiError } from '../../contract/errors.ts'
import { isAddress } from '../../contract/sources.ts'
import { TOLERANCE, polygonsOf } from '../../labels/polygons.ts'
import { withLabels } from '../areas.ts'
import type { ExportFormat, ExportItem } from '../format.ts'

const labelsName = ({ stem }: ExportItem): string => `labels/${stem}.txt`
/** Ultralytics looks for an image's labels by replacing `images` with `labels` and the extension with `.txt`. */
const imageName = ({ stem, path }: ExportItem): string => `images/${stem}${extname(path)}`
const DIGITS = 6
/** Every fifth image is for validation. */
const VALIDATES = 5

/** Whether an image can be trained on: it is on this computer and still exists. */
const isThere = ({ file }: ExportItem): boolean => !isAddress(file) && existsSync(file)
/** Whether an image is already where Ultralytics expects it, given its labels. */
function isInPlace(item: ExportItem, folder: string): boolean {
  const place = join(folder, imageName(item))
  return existsSync(place) && realpathSync.native(place) === realpathSync.native(item.file)
}
const copied = (items: readonly ExportItem[], folder: string): ExportItem[] =>
  items.filter((item) => isThere(item) && !isInPlace(item, folder))

/**
 * Writes a data set for training with Ultralytics: labels for each image, a copy of the image unless it is already in
 * place, and lists of images for training and validation. Copies aren't links, because a trainer that repairs images
 * would then change the originals.
 *
 * For each patch, one line gives the class and the corners of one ring, 0…1 across and down. The format has no holes: a
 * hole is connected to the outer ring by a cut there and back.
 */
export const yoloSegments: ExportFormat = {
  inList: true,
  files: (items, _, __, folder) => [
    ...items.map(labelsName),
    ...copied(items, folder).map(imageName),
    'data.yaml',
    'train.txt',
    'val.txt'
  ],
  notes: (items) => {
    const missing = items.filter((item) => !isThere(item)).length
    return missing > 0
      ? [
          `${missing} ${missing === 1 ? 'image' : 'images'} could not be copied next to the labels, so train.txt and val.txt omit ${missing === 1 ? 'it' : 'them'}.`
        ]
      : []
  },
  async write({ out, items, classes, signal, onProgress }) {
    const copies = new Set(copied(items, out.folder))
    for (const [done, item] of items.entries()) {
      const patches = await withLabels(item, (labels) => polygonsOf(labels, TOLERANCE, signal))
      const lines = patches.map(({ label, rings }) => {
        const corners = withCuts(rings).map((value, i) =>
          Number((value / (i % 2 ? item.height : item.width)).toFixed(DIGITS))
        )
        return `${label} ${corners.join(' ')}\n`
      })
      await out.write(labelsName(item), lines.join(''))
      if (signal.aborted) throw new SmaltiError('Cancelled')
      // On file systems that support it, the copy takes no space until one of the two files changes.
      if (copies.has(item))
        await out.stream(imageName(item), (_, temporary) => copyFile(item.file, temporary, constants.COPYFILE_FICLONE))
      onProgress((done + 1) / items.length)
    }
    const { train, val } = split(items.filter(isThere))
    const list = (images: readonly ExportItem[]): string => images.map((item) => `./${imageName(item)}\n`).join('')
    await out.write('train.txt', list(train))
    await out.write('val.txt', list(val))
    const missing = items.filter((item) => !isThere(item))
    const left = missing.map(
      (item) => `# Not copied and in neither list: copy ${quoted(item.path)} to ${quoted(imageName(item))}\n`
    )
    const names = classes.map(({ name }, value) => `  ${value}: ${quoted(name)}\n`)
    const place = `# The folder of this file. Update it after moving the folder.\npath: ${quoted(out.folder)}\n`
    await out.write('data.yaml', `${place}train: train.txt\nval: val.txt\n${left.join('')}names:\n${names.join('')}`)
  }
}

/** Assigns every fifth image to validation; of fewer images, the last. A single image serves both. */
function split<T>(images: readonly T[]): { train: T[]; val: T[] } {
  if (images.length < 2) return { train: [...images], val: [...images] }
  if (images.length < VALIDATES) return { train: images.slice(0, -1), val: images.slice(-1) }
  const validates = (_: T, i: number): boolean => i % VALIDATES === VALIDATES - 1
  return { train: images.filter((image, i) => !validates(image, i)), val: images.filter(validates) }
}

/** Quotes a YAML string as JSON, escaping characters that YAML treats as line ends or unprintable. */
function quoted(text: string): string {
  return JSON.stringify(text.replace(/\p{Surrogate}/gu, '\ufffd')).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
}

function withCuts([outer, ...holes]: readonly number[][]): number[] {
  const way = outer.slice(0, -2)
  for (const hole of holes) way.push(outer[0], outer[1], ...hole)
  return holes.length > 0 ? [...way, outer[0], outer[1]] : way
}
