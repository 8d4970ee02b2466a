import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import { asSmaltiError } from '../contract/errors.ts'
import { NO_LABEL } from '../contract/labels.ts'
import { syncFolder } from '../project/files.ts'
import {
  type Placed,
  type RasterNotes,
  type TileGrid,
  encodeDirectories,
  encodeHeader,
  halve,
  headerBytes,
  meanOf,
  mostFrequent,
  needsBigTiff,
  packTile,
  pyramidOf,
  tilesAlong
} from './tiffFile.ts'

const inflated = promisify(inflate)
/** Number of tiles packed at a time. */
const AT_ONCE = 6
/** Least time between entries in the journal, so that small tiles don't wait for the disk. */
const FLUSH_MILLISECONDS = 2000

/** Describes a raster to write. */
export interface RasterFile extends TileGrid {
  notes: RasterNotes
  /** Identifies everything that the values depend on; only a raster with the same key is resumed. */
  key: string
  /** How overviews are computed: `mode` for labels, the default, or `mean` for measurements. */
  overviews?: 'mode' | 'mean'
}

/** Names of an unfinished raster and of its journal, which lists the parts already written. */
const growing = (path: string): string => `${path}.part`
const journalOf = (path: string): string => `${path}.rows`

interface JournalLine {
  rows: number
  end: number
  tiles: [level: number, index: number, offset: number, bytes: number][]
}

/**
 * Writes a raster of 8-bit values, 255 without data, tile by tile, with its overviews as they become complete: first
 * tiles, then directories, and last the bytes of the header that point to them. After a crash it resumes after the last
 * rows in the journal, and produces the same bytes.
 */
export class RasterWriter {
  readonly #path: string
  readonly #file: RasterFile
  readonly #handle: FileHandle
  readonly #journal: FileHandle
  readonly #sizes
  readonly #big: boolean
  readonly #placed: Placed[][]
  readonly #pending = new Map<string, { values: Uint8Array; missing: number }>()
  #end: number
  #news: JournalLine['tiles'] = []
  #lines: JournalLine[] = []
  #writing: Promise<void> = Promise.resolve()
  #waiting: Promise<unknown>[] = []
  #flushed = performance.now()
  #fault: unknown
  /** Number of tile rows that are already written. */
  rowsDone = 0

  private constructor(path: string, file: RasterFile, handle: FileHandle, journal: FileHandle) {
    this.#path = path
    this.#file = file
    this.#handle = handle
    this.#journal = journal
    this.#sizes = pyramidOf(file)
    this.#big = needsBigTiff(file)
    this.#end = headerBytes(this.#big)
    this.#placed = this.#sizes.map((_, level) => Array<Placed>(this.#tilesOf(level) * (file.bands ?? 1)))
  }

  /** Starts a raster, or resumes one that was started for the same key. @throws DiskFull, FolderNotWritable */
  static async open(path: string, file: RasterFile): Promise<RasterWriter> {
    const opened: FileHandle[] = []
    const openFile = async (name: string, flags: string): Promise<FileHandle> => {
      const handle = await open(name, flags)
      opened.push(handle)
      return handle
    }
    try {
      await mkdir(dirname(path), { recursive: true })
      const lines = await readJournal(path, file)
      const resumed = lines !== undefined
      const writer = new RasterWriter(
        path,
        file,
        await openFile(growing(path), resumed ? 'r+' : 'w+'),
        await openFile(journalOf(path), resumed ? 'r+' : 'w')
      )
      if (lines) await writer.#resume(lines)
      else await writer.#begin()
      return writer
    } catch (fault) {
      for (const handle of opened) await handle.close()
      throw asSmaltiError(fault, path)
    }
  }

  async #begin(): Promise<void> {
    await this.#handle.write(encodeHeader(this.#big, 0), 0, headerBytes(this.#big), 0)
    await this.#journal.write(`${JSON.stringify(identity(this.#file))}\n`)
  }

  async #resume(lines: readonly JournalLine[]): Promise<void> {
    for (const { rows, end, tiles } of lines) {
      for (const [level, index, offset, bytes] of tiles) this.#placed[level][index] = { offset, bytes }
      this.rowsDone = rows
      this.#end = end
    }
    await this.#handle.truncate(this.#end)
    const whole = [identity(this.#file), ...lines].map((line) => `${JSON.stringify(line)}\n`).join('')
    await this.#journal.truncate(0)
    await this.#journal.write(whole, 0)
    await this.#rebuildPending()
  }

  /** Returns the number of tiles in one band. */
  #tilesOf(level: number): number {
    const { width, height } = this.#sizes[level]
    return tilesAlong(width, this.#file.tile) * tilesAlong(height, this.#file.tile)
  }

  #indexOf(level: number, column: number, row: number, band: number): number {
    return band * this.#tilesOf(level) + row * tilesAlong(this.#sizes[level].width, this.#file.tile) + column
  }

  /** Rebuilds overview tiles whose source tiles are only partly written. */
  async #rebuildPending(): Promise<void> {
    const { tile } = this.#file
    for (let level = 0; level + 1 < this.#sizes.length; level++) {
      const across = tilesAlong(this.#sizes[level].width, tile)
      for (const [index, placed] of this.#placed[level].entries()) {
        if (!placed) continue
        const [band, within] = [Math.floor(index / this.#tilesOf(level)), index % this.#tilesOf(level)]
        const [column, row] = [within % across, Math.floor(within / across)]
        if (this.#placed[level + 1][this.#indexOf(level + 1, column >> 1, row >> 1, band)]) continue
        this.#joinParent(level, column, row, band, await readTile(this.#handle, placed, tile))
      }
    }
  }

  /** Adds a tile to its parent. Returns the parent once it is complete. */
  #joinParent(level: number, column: number, row: number, band: number, values: Uint8Array): Uint8Array | undefined {
    const { tile, overviews } = this.#file
    const { width, height } = this.#sizes[level]
    const key = `${level + 1}/${this.#indexOf(level + 1, column >> 1, row >> 1, band)}`
    let parent = this.#pending.get(key)
    if (!parent) {
      const along = (first: number, length: number): number => Math.min(2, tilesAlong(length, tile) - first)
      parent = {
        values: new Uint8Array(tile * tile).fill(NO_LABEL),
        missing: along(column & ~1, width) * along(row & ~1, height)
      }
      this.#pending.set(key, parent)
    }
    halve(
      values,
      tile,
      parent.values,
      { column: column & 1, row: row & 1 },
      overviews === 'mean' ? meanOf : mostFrequent
    )
    if (--parent.missing > 0) return undefined
    this.#pending.delete(key)
    return parent.values
  }

  /**
   * Accepts a tile of a band, row-major and padded with 255, and returns when there is room for another. All tiles of a
   * row must be written before `endRows` is called for it.
   * @throws DiskFull, FolderNotWritable
   */
  async write(column: number, row: number, values: Uint8Array, band = 0): Promise<void> {
    this.#append(0, column, row, band, values)
    while (this.#waiting.length > AT_ONCE) await this.#waiting.shift()
    if (this.#fault !== undefined) throw asSmaltiError(this.#fault, this.#path)
  }

  #append(level: number, column: number, row: number, band: number, values: Uint8Array): void {
    const packed = packTile(values, this.#file.tile)
    const index = this.#indexOf(level, column, row, band)
    this.#writing = this.#writing.then(async () => {
      if (this.#fault !== undefined) return
      try {
        const bytes = await packed
        await writeWhole(this.#handle, bytes, this.#end)
        this.#placed[level][index] = { offset: this.#end, bytes: bytes.length }
        this.#news.push([level, index, this.#end, bytes.length])
        this.#end += bytes.length
      } catch (fault) {
        this.#fault = fault
      }
    })
    this.#waiting.push(this.#writing)
    const parent = level + 1 < this.#sizes.length ? this.#joinParent(level, column, row, band, values) : undefined
    if (parent) this.#append(level + 1, column >> 1, row >> 1, band, parent)
  }

  /** Declares all tiles above a row complete. @throws DiskFull, FolderNotWritable */
  async endRows(rows: number): Promise<void> {
    this.#writing = this.#writing.then(() => {
      this.#lines.push({ rows, end: this.#end, tiles: this.#news })
      this.#news = []
    })
    if (performance.now() - this.#flushed >= FLUSH_MILLISECONDS) await this.#flush()
  }

  /** Makes sure that all complete rows survive a crash. */
  async #flush(): Promise<void> {
    try {
      await this.#settle()
      const lines = this.#lines.splice(0)
      if (lines.length === 0) return
      await this.#handle.sync()
      await this.#journal.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
      await this.#journal.sync()
      this.#flushed = performance.now()
    } catch (fault) {
      throw asSmaltiError(fault, this.#path)
    }
  }

  async #settle(): Promise<void> {
    await this.#writing
    this.#waiting = []
    if (this.#fault !== undefined) throw this.#fault
  }

  /** Completes the file and gives it its name. @throws DiskFull, FolderNotWritable */
  async finish(): Promise<void> {
    try {
      await this.#settle()
      const start = this.#end + (this.#end % 2)
      await writeWhole(this.#handle, encodeDirectories(start, this.#file, this.#placed, this.#file.notes), start)
      await this.#handle.sync()
      await writeWhole(this.#handle, encodeHeader(this.#big, start), 0)
      await this.#handle.sync()
      await this.#close()
      await rename(growing(this.#path), this.#path)
      await rm(journalOf(this.#path), { force: true })
      await syncFolder(dirname(this.#path))
    } catch (fault) {
      await this.#close()
      throw asSmaltiError(fault, this.#path)
    }
  }

  /**
   * Closes the unfinished file so that it can be resumed after its last complete row.
   * @throws DiskFull, FolderNotWritable
   */
  async pause(): Promise<void> {
    try {
      await this.#flush()
    } finally {
      await this.#close()
    }
  }

  async #close(): Promise<void> {
    await this.#writing
    await this.#handle.close().catch(() => undefined)
    await this.#journal.close().catch(() => undefined)
  }
}

/** Returns the number of rows already written to a raster that was started for the same key. */
export async function rowsWritten(path: string, file: RasterFile): Promise<number> {
  return (await readJournal(path, file))?.at(-1)?.rows ?? 0
}

/** Removes an unfinished raster. */
export async function discardUnfinished(path: string): Promise<void> {
  await rm(growing(path), { force: true })
  await rm(journalOf(path), { force: true })
}

const identity = ({ width, height, tile, bands, key }: RasterFile): object => ({ width, height, tile, bands, key })

/** Reads the journal, if it belongs to the same raster. A line that was cut off doesn't count. */
async function readJournal(path: string, file: RasterFile): Promise<JournalLine[] | undefined> {
  const text = await readFile(journalOf(path), 'utf8').catch(() => undefined)
  const started = await stat(growing(path)).then(
    () => true,
    () => false
  )
  if (text === undefined || !started) return undefined
  const [first, ...lines] = text.split('\n').slice(0, -1)
  if (first !== JSON.stringify(identity(file))) return undefined
  const told: JournalLine[] = []
  for (const line of lines) {
    try {
      told.push(JSON.parse(line) as JournalLine)
    } catch {
      break
    }
  }
  return told
}

async function readTile(handle: FileHandle, { offset, bytes }: Placed, side: number): Promise<Uint8Array> {
  const packed = Buffer.alloc(bytes)
  await handle.read(packed, 0, bytes, offset)
  const values = await inflated(packed)
  for (let row = 0; row < values.length; row += side)
    for (let i = row + 1; i < row + side; i++) values[i] = (values[i] + values[i - 1]) & 255
  return values
}

/** Writes all bytes, because a nearly full disk may accept only some of them. */
export async function writeWhole(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}
