import { type FileHandle, open } from 'node:fs/promises'

/**
 * Whether a file lacks the end of its image, judged by the structure of its format. Data after the end doesn't count:
 * videos in photographs, padding. Only headers are read if the file ends as its format does; otherwise a JPEG is read
 * once.
 */
export async function isTruncated(path: string, size: number, format: string): Promise<boolean> {
  const look = { png: pngEnds, jpeg: jpegEnds, webp: webpEnds }[format]
  if (!look) return false
  const handle = await open(path)
  try {
    return !(await look(handle, size))
  } finally {
    await handle.close()
  }
}

async function bytesAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await handle.read(buffer, 0, length, offset)
  return buffer.subarray(0, bytesRead)
}

async function webpEnds(handle: FileHandle, size: number): Promise<boolean> {
  const head = await bytesAt(handle, 0, 8)
  return head.length === 8 && head.readUInt32LE(4) + 8 <= size
}

const PNG_SIGNATURE = 8
/** Length, name and checksum of a chunk. */
const PNG_FRAME = 12
const PNG_END = Buffer.from('0000000049454e44ae426082', 'hex')

async function pngEnds(handle: FileHandle, size: number): Promise<boolean> {
  if ((await bytesAt(handle, Math.max(0, size - PNG_END.length), PNG_END.length)).equals(PNG_END)) return true
  for (let at = PNG_SIGNATURE; at + PNG_FRAME <= size;) {
    const head = await bytesAt(handle, at, 8)
    if (head.toString('latin1', 4) === 'IEND') return true
    at += PNG_FRAME + head.readUInt32BE(0)
  }
  return false
}

const JPEG = {
  prefix: 0xff,
  stuffed: 0x00,
  firstRestart: 0xd0,
  lastRestart: 0xd7,
  start: 0xd8,
  end: 0xd9,
  scan: 0xda,
  alone: 0x01
} as const
/** Bytes of a JPEG's scans that are searched at a time. */
const PIECE = 2 ** 20

async function jpegEnds(handle: FileHandle, size: number): Promise<boolean> {
  const tail = await bytesAt(handle, Math.max(0, size - 2), 2)
  const ended = tail[0] === JPEG.prefix && tail[1] === JPEG.end
  for (let at = 2; at + 2 <= size;) {
    const [prefix, marker, high, low] = await bytesAt(handle, at, 4)
    if (prefix !== JPEG.prefix) return false
    if (marker === JPEG.prefix) {
      at++ // Markers may be padded.
      continue
    }
    if (marker === JPEG.end) return true
    if (standsAlone(marker)) {
      at += 2
      continue
    }
    if (low === undefined) return false
    at += 2 + high * 256 + low
    if (marker !== JPEG.scan) continue
    // After the headers with their thumbnails, an end marker at the end of the file belongs to the image itself.
    if (ended && at <= size - 2) return true
    const next = await afterScan(handle, at, size)
    if (next === undefined) return false
    at = next
  }
  return false
}

const standsAlone = (marker: number): boolean =>
  marker === JPEG.alone || (marker >= JPEG.firstRestart && marker <= JPEG.start)

/** Finds the marker after a scan's data; undefined if the file ends first. */
async function afterScan(handle: FileHandle, start: number, size: number): Promise<number | undefined> {
  for (let from = start; from < size;) {
    const piece = await bytesAt(handle, from, Math.min(PIECE, size - from))
    if (piece.length === 0) return undefined
    for (let i = piece.indexOf(JPEG.prefix); i >= 0 && i + 1 < piece.length; i = piece.indexOf(JPEG.prefix, i + 1)) {
      const next = piece[i + 1]
      const data =
        next === JPEG.stuffed || next === JPEG.prefix || (next >= JPEG.firstRestart && next <= JPEG.lastRestart)
      if (!data) return from + i
    }
    // A prefix at the end of the piece is read again with the next one.
    from += piece.length > 1 ? piece.length - 1 : piece.length
  }
  return undefined
}
