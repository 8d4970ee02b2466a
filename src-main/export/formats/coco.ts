import { NO_LABEL, type ClusterClass } from '../../contract/labels.ts'
import { rgbOf } from '../../classes/palette.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { Size } from '../../imagery/raster.ts'
import { type LabelSource, STRIPE, stripes } from '../../labels/source.ts'
import { withLabels } from '../areas.ts'
import type { ExportFormat, ExportItem } from '../format.ts'
import { labelRows, writePng } from './pngMasks.ts'

/** COCO counts categories from 1; 0 means no segment. */
const idOf = (value: number): number => value + 1

const categories = (classes: readonly ClusterClass[]): object[] =>
  classes.map(({ name, colour }, value) => ({
    id: idOf(value),
    name,
    supercategory: '',
    isthing: 0,
    color: rgbOf(colour)
  }))

/** Metadata that readers copy into their results. */
const INFO = { info: { description: 'Labels exported by Smalti' }, licenses: [] }

const imagesOf = (items: readonly ExportItem[]): object[] =>
  items.map(({ path, width, height }, i) => ({ id: i + 1, file_name: path, width, height }))

interface Segment {
  area: number
  left: number
  top: number
  right: number
  bottom: number
}

/** Measures the area and bounding box of each class. */
async function segmentsOf(labels: LabelSource, signal: AbortSignal): Promise<Map<number, Segment>> {
  const found = new Map<number, Segment>()
  for (const window of stripes(labels)) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const values = await labels.read(window, signal)
    for (let i = 0; i < values.length; i++) {
      const value = values[i]
      if (value === NO_LABEL) continue
      const [x, y] = [i % window.width, window.top + Math.floor(i / window.width)]
      const segment = found.get(value)
      if (!segment) {
        found.set(value, { area: 1, left: x, top: y, right: x, bottom: y })
        continue
      }
      segment.area++
      if (x < segment.left) segment.left = x
      if (x > segment.right) segment.right = x
      segment.bottom = y
    }
  }
  return found
}

const boxOf = ({ left, top, right, bottom }: Segment): number[] => [left, top, right - left + 1, bottom - top + 1]

const pngName = (stem: string): string => `panoptic/${stem}.png`

/** COCO's panoptic format: a PNG of segment ids per image, and one JSON file. Each class is one segment per image. */
export const cocoPanoptic: ExportFormat = {
  files: (items) => [...items.map(({ stem }) => pngName(stem)), 'panoptic.json'],
  async write({ out, items, classes, signal, onProgress }) {
    const annotations: object[] = []
    for (const [done, item] of items.entries()) {
      await withLabels(item, async (labels) => {
        // A segment id is written as red + 256 green + 65536 blue.
        const painted = (values: Uint8Array): Uint8Array => {
          const colours = new Uint8Array(3 * values.length)
          values.forEach((value, i) => (colours[3 * i] = value === NO_LABEL ? 0 : idOf(value)))
          return colours
        }
        await out.stream(pngName(item.stem), (handle) =>
          writePng(handle, item, 'rgb', labelRows(labels, signal, painted))
        )
        const segments = [...(await segmentsOf(labels, signal))].sort(([a], [b]) => a - b)
        annotations.push({
          image_id: done + 1,
          file_name: `${item.stem}.png`,
          segments_info: segments.map(([value, segment]) => ({
            id: idOf(value),
            category_id: idOf(value),
            area: segment.area,
            bbox: boxOf(segment),
            iscrowd: 0
          }))
        })
      })
      onProgress((done + 1) / items.length)
    }
    await out.write(
      'panoptic.json',
      JSON.stringify({ ...INFO, images: imagesOf(items), annotations, categories: categories(classes) })
    )
  }
}

/**
 * COCO's instance format with compressed run lengths. As in COCO-Stuff, each class in an image is one annotation that
 * isn't a crowd, because loaders skip crowds.
 */
export const cocoRle: ExportFormat = {
  files: () => ['annotations.json'],
  async write({ out, items, classes, signal, onProgress }) {
    const annotations: object[] = []
    for (const [done, item] of items.entries()) {
      await withLabels(item, async (labels) => {
        const segments = await segmentsOf(labels, signal)
        const runs = await runLengths(labels, [...segments.keys()], signal)
        for (const [value, segment] of [...segments].sort(([a], [b]) => a - b)) {
          const segmentation = { size: [item.height, item.width], counts: compressed(runs.get(value)!) }
          annotations.push({
            id: annotations.length + 1,
            image_id: done + 1,
            category_id: idOf(value),
            area: segment.area,
            bbox: boxOf(segment),
            iscrowd: 0,
            segmentation
          })
        }
      })
      onProgress((done + 1) / items.length)
    }
    await out.write(
      'annotations.json',
      JSON.stringify({ ...INFO, images: imagesOf(items), annotations, categories: categories(classes) })
    )
  }
}

/** Returns the run lengths of each class, alternately outside and inside, column by column as in COCO. */
async function runLengths(
  labels: LabelSource & Size,
  values: readonly number[],
  signal: AbortSignal
): Promise<Map<number, number[]>> {
  const runs = new Map(values.map((value) => [value, [] as number[]]))
  const ends = new Map(values.map((value) => [value, 0]))
  let [current, at] = [NO_LABEL, 0]
  const close = (to: number): void => {
    const list = runs.get(current)
    if (list) {
      list.push(to - at)
      ends.set(current, to)
    }
  }
  let place = 0
  for (let left = 0; left < labels.width; left += STRIPE) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const width = Math.min(STRIPE, labels.width - left)
    const part = await labels.read({ left, top: 0, width, height: labels.height }, signal)
    for (let c = 0; c < width; c++) {
      for (let r = 0, i = c; r < labels.height; r++, i += width, place++) {
        if (part[i] === current) continue
        close(place)
        current = part[i]
        at = place
        runs.get(current)?.push(place - ends.get(current)!)
      }
    }
  }
  close(place)
  for (const [value, list] of runs) if (ends.get(value)! < place) list.push(place - ends.get(value)!)
  return runs
}

/** Encodes run lengths as COCO text: the difference to the length two before, five bits per character. */
function compressed(lengths: readonly number[]): string {
  let text = ''
  lengths.forEach((length, i) => {
    let x = i > 2 ? length - lengths[i - 2] : length
    for (let more = true; more;) {
      let bits = x % 32
      if (bits < 0) bits += 32
      x = Math.floor(x / 32)
      more = bits & 16 ? x !== -1 : x !== 0
      text += String.fromCharCode((more ? bits | 32 : bits) + 48)
    }
  })
  return text
}
