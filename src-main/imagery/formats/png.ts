import { open } from 'node:fs/promises'

/** How a PNG stores its values, before its decoder expands them to 8 bits or colours. */
export interface PngStorage {
  /** Bits per sample: 1, 2, 4, 8 or 16. */
  bits: number
  /** Colours `0xrrggbb` by index, if the values are indices. */
  palette?: number[]
}

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
const INDEXED = 3
/** Most chunks that a sensible file has before its pixels. */
const MOST_CHUNKS = 10_000

/** Reads from a PNG's header how it stores its values; undefined if the file isn't a PNG or its header is damaged. */
export async function pngStorage(path: string): Promise<PngStorage | undefined> {
  const handle = await open(path)
  const read = async (offset: number, length: number): Promise<Buffer> => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset)
    return buffer.subarray(0, bytesRead)
  }
  try {
    const header = await read(0, 33)
    if (header.length < 33 || !header.subarray(0, 8).equals(SIGNATURE) || header.toString('latin1', 12, 16) !== 'IHDR')
      return undefined
    const [bits, colourType] = [header[24], header[25]]
    if (colourType !== INDEXED) return { bits }
    for (let offset = 33, chunks = 0; chunks < MOST_CHUNKS; chunks++) {
      const start = await read(offset, 8)
      if (start.length < 8) return undefined
      const [length, name] = [start.readUInt32BE(0), start.toString('latin1', 4, 8)]
      if (name === 'IDAT') return undefined
      if (name === 'PLTE') {
        const colours = await read(offset + 8, Math.min(length, 768))
        return {
          bits,
          palette: Array.from({ length: Math.floor(colours.length / 3) }, (_, i) => colours.readUIntBE(3 * i, 3))
        }
      }
      offset += 12 + length
    }
    return undefined
  } finally {
    await handle.close()
  }
}
