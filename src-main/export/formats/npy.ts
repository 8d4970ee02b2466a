import { stripes } from '../../labels/source.ts'
import { withLabels } from '../areas.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { ExportFormat } from '../format.ts'

const MAGIC = Buffer.from('\x93NUMPY\x01\x00', 'latin1')

/** Returns the header of NumPy's format, version 1: a Python literal, padded to 64 bytes. Rows follow. */
function headerOf(height: number, width: number): Buffer {
  const text = `{'descr': '|u1', 'fortran_order': False, 'shape': (${height}, ${width}), }`
  const padding = 64 - ((MAGIC.length + 2 + text.length + 1) % 64)
  const body = Buffer.from(`${text}${' '.repeat(padding % 64)}\n`)
  const length = Buffer.alloc(2)
  length.writeUInt16LE(body.length)
  return Buffer.concat([MAGIC, length, body])
}

const nameOf = (stem: string): string => `${stem}.npy`

/** Writes an 8-bit array [height, width] for each image, 255 where there is no label, and the classes. */
export const npyArrays: ExportFormat = {
  files: (items) => [...items.map(({ stem }) => nameOf(stem)), 'classes.json'],
  async write({ out, items, classes, signal, onProgress }) {
    for (const [done, item] of items.entries()) {
      await withLabels(item, (labels) =>
        out.stream(nameOf(item.stem), async (handle) => {
          await handle.appendFile(headerOf(item.height, item.width))
          for (const window of stripes(labels)) {
            if (signal.aborted) throw new SmaltiError('Cancelled')
            await handle.appendFile(await labels.read(window, signal))
          }
        })
      )
      onProgress((done + 1) / items.length)
    }
    await out.write('classes.json', classesJson(classes))
  }
}

/** Lists names and colours by value. */
export function classesJson(classes: readonly { name: string; colour: string }[]): string {
  return `${JSON.stringify({ classes: classes.map((entry, index) => ({ index, ...entry })) }, null, 2)}\n`
}
