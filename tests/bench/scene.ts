import { open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { drawSampleScene } from '../../src-main/cli/sampleScene.ts'

const deflated = promisify(deflate)
const TILE = 512
const BANDS = 3

/** Fields of a directory: tag, type (3 short, 4 long, 12 double), values. */
type Field = [tag: number, type: 3 | 4 | 12, values: number[]]
const BYTES = { 3: 2, 4: 4, 12: 8 }

/**
 * Writes a georeferenced scene of any size, tile after tile: patches of generated scenes, which differ in brightness from
 * place to place. EPSG 32633, half a metre a pixel, deflated, without overviews.
 */
export async function writeScene(path: string, side: number, seed = 1): Promise<void> {
  const pattern = drawSampleScene(2048, seed)
  const across = Math.ceil(side / TILE)
  const handle = await open(path, 'w')
  const [offsets, counts]: number[][] = [[], []]
  let end = 8
  const packed = async (tile: number): Promise<Buffer> => {
    const [column, row] = [tile % across, Math.floor(tile / across)]
    const values = new Uint8Array(TILE * TILE * BANDS)
    const shade = 0.75 + 0.25 * Math.cos(row / 5) * Math.cos(column / 7)
    const [dx, dy] = [(column * 211) % (2048 - TILE), (row * 307 + column * 97) % (2048 - TILE)]
    for (let y = 0; y < TILE; y++) {
      const from = ((y + dy) * 2048 + dx) * BANDS
      for (let i = 0; i < TILE * BANDS; i++) values[y * TILE * BANDS + i] = pattern.colours[from + i] * shade
    }
    return deflated(values, { level: 1 })
  }
  for (let first = 0; first < across * across; first += 8) {
    const tiles = await Promise.all(Array.from({ length: Math.min(8, across * across - first) }, (_, i) => packed(first + i)))
    for (const bytes of tiles) {
      await handle.write(bytes, 0, bytes.length, end)
      offsets.push(end)
      counts.push(bytes.length)
      end += bytes.length
    }
  }
  const fields: Field[] = [
    [256, 4, [side]], [257, 4, [side]], [258, 3, [8, 8, 8]], [259, 3, [8]], [262, 3, [2]], [277, 3, [BANDS]], [284, 3, [1]], [322, 3, [TILE]], [323, 3, [TILE]],
    [324, 4, offsets], [325, 4, counts], [33550, 12, [0.5, 0.5, 0]], [33922, 12, [0, 0, 0, 500000, 5000000, 0]], [34735, 3, [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633]]
  ]
  end += end % 2
  const table = Buffer.alloc(2 + 12 * fields.length + 4)
  table.writeUInt16LE(fields.length)
  const behind: Buffer[] = []
  let spare = end + table.length
  fields.forEach(([tag, type, values], i) => {
    const at = 2 + 12 * i
    table.writeUInt16LE(tag, at)
    table.writeUInt16LE(type, at + 2)
    table.writeUInt32LE(values.length, at + 4)
    const body = Buffer.alloc(values.length * BYTES[type])
    values.forEach((value, k) => (type === 3 ? body.writeUInt16LE(value, 2 * k) : type === 4 ? body.writeUInt32LE(value, 4 * k) : body.writeDoubleLE(value, 8 * k)))
    if (body.length <= 4) {
      body.copy(table, at + 8)
    } else {
      table.writeUInt32LE(spare, at + 8)
      behind.push(body)
      spare += body.length
    }
  })
  await handle.write(Buffer.concat([table, ...behind]), 0, undefined, end)
  const header = Buffer.from('II*\0\0\0\0\0')
  header.writeUInt32LE(end, 4)
  await handle.write(header, 0, 8, 0)
  await handle.close()
}
