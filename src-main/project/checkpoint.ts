import { existsSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { SmaltiError } from '../contract/errors.ts'
import { readIfPresent, writeFileSafely } from './files.ts'

const MAGIC = Buffer.from('SMALTI01')
/** The magic bytes of checkpoints written by Tessera, as Smalti was first called; the rest is identical. */
const FORMER_MAGIC = Buffer.from('TESSERA1')
const HEADER = z.object({
  digest: z.string(),
  meta: z.unknown(),
  arrays: z.array(z.object({ name: z.string(), length: z.int().nonnegative() }))
})

/** A run's state: JSON metadata and named arrays of weights. */
export interface Checkpoint {
  meta: unknown
  arrays: Record<string, Float32Array>
}

/** Returns the name of the previous checkpoint, which is kept until the next one is complete. */
const previousOf = (path: string): string => `${path}.previous`
/** Returns the files that may contain a checkpoint, newest first, because a crash may occur between two renames. */
const candidatesOf = (path: string): string[] => [`${path}.next`, path, previousOf(path)]

/**
 * Writes a checkpoint: `SMALTI01`, the uint32 length of the header, the header in JSON, then float32 arrays, all
 * little-endian. The header names the arrays and contains the SHA-256 of their bytes.
 * @throws DiskFull, FolderNotWritable
 */
export async function writeCheckpoint(path: string, { meta, arrays }: Checkpoint): Promise<void> {
  const entries = Object.entries(arrays)
  const bodies = entries.map(([, values]) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  const digest = createHash('sha256')
  for (const body of bodies) digest.update(body)
  const header = Buffer.from(
    JSON.stringify({
      digest: digest.digest('hex'),
      meta,
      arrays: entries.map(([name, values]) => ({ name, length: values.length }))
    })
  )
  const length = Buffer.alloc(4)
  length.writeUInt32LE(header.length)
  const temporary = `${path}.next`
  await writeFileSafely(temporary, [MAGIC, length, header, ...bodies])
  await rename(path, previousOf(path)).catch((fault: NodeJS.ErrnoException) => {
    if (fault.code !== 'ENOENT') throw fault
  })
  await rename(temporary, path)
}

/**
 * Reads the newest intact checkpoint, or returns undefined if there are none.
 * @throws CheckpointUnreadable when there are files but none is intact
 */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  let fault: unknown
  for (const candidate of candidatesOf(path)) {
    const bytes = await readIfPresent(candidate)
    if (!bytes) continue
    try {
      return decode(bytes)
    } catch (damage) {
      fault = damage
    }
  }
  if (fault === undefined) return undefined
  throw new SmaltiError('CheckpointUnreadable', { path, reason: (fault as Error).message })
}

/**
 * Reads the newest checkpoint's metadata without its weights, or returns undefined if there are none.
 * @throws Error when the file isn't a checkpoint
 */
export async function checkpointNotes(path: string): Promise<unknown> {
  for (const candidate of candidatesOf(path)) if (existsSync(candidate)) return notesIn(candidate)
  return undefined
}

async function notesIn(path: string): Promise<unknown> {
  const handle = await open(path, 'r')
  try {
    const start = Buffer.alloc(MAGIC.length + 4)
    await handle.read(start, 0, start.length, 0)
    const header = Buffer.alloc(headerLengthOf(start))
    await handle.read(header, 0, header.length, start.length)
    return HEADER.parse(JSON.parse(header.toString())).meta
  } finally {
    await handle.close()
  }
}

/** Reads the length of a checkpoint's header. @throws Error when the file isn't a checkpoint */
function headerLengthOf(bytes: Buffer): number {
  const magic = bytes.subarray(0, MAGIC.length)
  if (!magic.equals(MAGIC) && !magic.equals(FORMER_MAGIC)) throw new Error("it isn't a checkpoint")
  return bytes.readUInt32LE(MAGIC.length)
}

function decode(bytes: Buffer): Checkpoint {
  const start = MAGIC.length + 4
  const headerLength = headerLengthOf(bytes)
  const {
    digest,
    meta,
    arrays: entries
  } = HEADER.parse(JSON.parse(bytes.subarray(start, start + headerLength).toString()))
  const body = bytes.subarray(start + headerLength)
  if (createHash('sha256').update(body).digest('hex') !== digest) throw new Error('it is damaged')
  const values = new Float32Array(body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength))
  const arrays: Checkpoint['arrays'] = {}
  let at = 0
  for (const { name, length } of entries) arrays[name] = values.subarray(at, (at += length))
  return { meta, arrays }
}
