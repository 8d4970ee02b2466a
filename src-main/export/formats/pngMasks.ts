import type { FileHandle } from 'node:fs/promises'
import { createDeflate } from 'node:zlib'
import { rgbOf } from '../../classes/palette.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { Size } from '../../imagery/raster.ts'
import { type LabelSource, stripes } from '../../labels/source.ts'
import { withLabels } from '../areas.ts'
import { firstBytes } from '../../project/fileNames.ts'
import type { ExportContext, ExportFormat, ExportItem } from '../format.ts'
import { classesJson } from './npy.ts'

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c
})

function chunk(type: string, body: Uint8Array): Buffer {
  const whole = Buffer.alloc(body.length + 12)
  whole.writeUInt32BE(body.length)
  whole.write(type, 4, 'latin1')
  whole.set(body, 8)
  let crc = 0xffffffff
  for (let i = 4; i < body.length + 8; i++) crc = CRC_TABLE[(crc ^ whole[i]) & 255] ^ (crc >>> 8)
  whole.writeUInt32BE((crc ^ 0xffffffff) >>> 0, body.length + 8)
  return whole
}

const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10])
const COLOUR_TYPE = { grey: 0, rgb: 2, palette: 3 } as const

/**
 * Writes an 8-bit PNG row by row, so that no image is ever in memory whole.
 * @param rows  supplies the bytes of consecutive rows, from top to bottom
 */
export async function writePng(
  handle: FileHandle,
  { width, height }: Size,
  kind: keyof typeof COLOUR_TYPE,
  rows: AsyncIterable<Uint8Array>,
  palette?: Uint8Array
): Promise<void> {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width)
  header.writeUInt32BE(height, 4)
  header.set([8, COLOUR_TYPE[kind], 0, 0, 0], 8)
  await handle.appendFile(
    Buffer.concat([SIGNATURE, chunk('IHDR', header), ...(palette ? [chunk('PLTE', palette)] : [])])
  )
  const rowBytes = width * (kind === 'rgb' ? 3 : 1)
  const deflate = createDeflate({ level: 6 })
  const feeding = (async () => {
    for await (const part of rows) {
      const filtered = Buffer.alloc((part.length / rowBytes) * (rowBytes + 1))
      for (let from = 0, to = 0; from < part.length; from += rowBytes, to += rowBytes + 1)
        filtered.set(part.subarray(from, from + rowBytes), to + 1)
      if (!deflate.write(filtered)) await new Promise((resolve) => deflate.once('drain', resolve))
    }
    deflate.end()
  })()
  feeding.catch((fault: Error) => deflate.destroy(fault))
  for await (const part of deflate) await handle.appendFile(chunk('IDAT', part as Buffer))
  await feeding
  await handle.appendFile(chunk('IEND', new Uint8Array(0)))
}

/** Reads an image's labels from top to bottom. @throws Cancelled */
export async function* labelRows(
  labels: LabelSource,
  signal: AbortSignal,
  change: (values: Uint8Array) => Uint8Array = (values) => values
): AsyncGenerator<Uint8Array> {
  for (const window of stripes(labels)) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    yield change(await labels.read(window, signal))
  }
}

async function writeEach(
  { items, onProgress }: ExportContext,
  write: (item: ExportItem, labels: LabelSource) => Promise<void>
): Promise<void> {
  for (const [done, item] of items.entries()) {
    await withLabels(item, (labels) => write(item, labels))
    onProgress((done + 1) / items.length)
  }
}

const nameOf = (stem: string): string => `${stem}.png`

/** Writes a one-channel 8-bit PNG of class indices for each image, 255 where there is no label, and `classes.json`. */
export const pngMasks: ExportFormat = {
  files: (items) => [...items.map(({ stem }) => nameOf(stem)), 'classes.json'],
  async write(context) {
    const { out, classes, signal } = context
    await writeEach(context, (item, labels) =>
      out.stream(nameOf(item.stem), (handle) => writePng(handle, item, 'grey', labelRows(labels, signal)))
    )
    await out.write('classes.json', classesJson(classes))
  }
}

/** Writes the same as an indexed PNG, so that viewers show the classes' colours. */
export const palettePng: ExportFormat = {
  files: pngMasks.files,
  async write(context) {
    const { out, classes, signal } = context
    const palette = new Uint8Array(3 * 256)
    classes.forEach(({ colour }, i) => palette.set(rgbOf(colour), 3 * i))
    await writeEach(context, (item, labels) =>
      out.stream(nameOf(item.stem), (handle) => writePng(handle, item, 'palette', labelRows(labels, signal), palette))
    )
    await out.write('classes.json', classesJson(classes))
  }
}

/** Most characters of a class name in a file name, and most bytes of the file name. */
const CLASS_NAME = { characters: 80, bytes: 240 }

/** Returns a file name for a class: its number, and as much of its name as all file systems accept. */
export function classFileName(name: string, value: number): string {
  const safe = Array.from(name.replace(/[\p{Cc}<>:"/\\|?*]+/gu, '_').trim())
    .slice(0, CLASS_NAME.characters)
    .join('')
  return `${String(value).padStart(3, '0')} ${firstBytes(safe, CLASS_NAME.bytes)}`.replace(/[. ]+$/, '')
}

/** Writes a mask for each image and class, 255 inside the class and 0 elsewhere. */
export const pngPerClass: ExportFormat = {
  files: (items, classes) => [
    ...items.flatMap(({ stem }) => classes.map(({ name }, value) => `${stem}/${classFileName(name, value)}.png`)),
    'classes.json'
  ],
  async write(context) {
    const { out, classes, signal } = context
    await writeEach(context, async (item, labels) => {
      for (const [value, { name }] of classes.entries()) {
        const only = (values: Uint8Array): Uint8Array => values.map((label) => (label === value ? 255 : 0))
        await out.stream(`${item.stem}/${classFileName(name, value)}.png`, (handle) =>
          writePng(handle, item, 'grey', labelRows(labels, signal, only))
        )
      }
    })
    await out.write('classes.json', classesJson(classes))
  }
}
