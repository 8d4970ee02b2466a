import { constants, existsSync, realpathSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { SmaltiError } from '../../contract/errors.ts'
import { isAddress } from '../../contract/sources.ts'
import { TOLERANCE, polygonsOf } from '../../labels/polygons.ts'
import { withLabels } from '../areas.ts'
import type { ExportFormat, ExportItem } from '../format.ts'

const labelsName = ({ stem }: ExportItem): string => `labels/${stem}.txt`
/** Where Ultralytics finds an image's labels: `images` becomes `labels`, and the ending `.txt`. */
const imageName = ({ stem, path }: ExportItem): string => `images/${stem}${extname(path)}`
const DIGITS = 6
/** Every fifth image validates. */
const VALIDATES = 5

/** An image that can be trained on: one at an address, or one that no longer exists, cannot. */
const isThere = ({ file }: ExportItem): boolean => !isAddress(file) && existsSync(file)
/** Whether an image already is where its labels make Ultralytics look. */
function isInPlace(item: ExportItem, folder: string): boolean {
  const place = join(folder, imageName(item))
  return existsSync(place) && realpathSync.native(place) === realpathSync.native(item.file)
}
const copied = (items: readonly ExportItem[], folder: string): ExportItem[] =>
  items.filter((item) => isThere(item) && !isInPlace(item, folder))

/**
 * A data set that Ultralytics trains on: for each image its labels, a copy beside them unless the image is there
 * already, and lists of those that train and validate. A link in a copy's place would let a trainer that repairs
 * images change the user's own.
 *
 * For each patch a line has its class and the corners of one ring, 0…1 across and down. A hole cannot be said there:
 * it is joined to the outer ring by a cut there and back.
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
          `${missing} ${missing === 1 ? 'image' : 'images'} could not be copied next to the labels: train.txt and val.txt leave ${missing === 1 ? 'it' : 'them'} out.`
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
      // Where the file system can, the copy takes no room until one of the two is changed.
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
      (item) => `# Not copied, and in neither list: ${quoted(item.path)} belongs at ${quoted(imageName(item))}\n`
    )
    const names = classes.map(({ name }, value) => `  ${value}: ${quoted(name)}\n`)
    const place = `# The folder of this file; change it after moving the folder.\npath: ${quoted(out.folder)}\n`
    await out.write('data.yaml', `${place}train: train.txt\nval: val.txt\n${left.join('')}names:\n${names.join('')}`)
  }
}

/** Every fifth image validates, the last of fewer; a single one does both. */
function split<T>(images: readonly T[]): { train: T[]; val: T[] } {
  if (images.length < 2) return { train: [...images], val: [...images] }
  if (images.length < VALIDATES) return { train: images.slice(0, -1), val: images.slice(-1) }
  const validates = (_: T, i: number): boolean => i % VALIDATES === VALIDATES - 1
  return { train: images.filter((image, i) => !validates(image, i)), val: images.filter(validates) }
}

/** A string of YAML, which is one of JSON without what YAML calls a line end or not printable. */
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
