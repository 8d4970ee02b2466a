import { existsSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { SmaltiError } from '../contract/errors.ts'
import { readIfPresent, writeFileSafely } from './files.ts'

const MAGIC = Buffer.from('SMALTI01')
/** What checkpoints began with when the program had another name; the rest is the same. */
const FORMER_MAGIC = Buffer.from('TESSERA1')
const HEADER = z.object({
  digest: z.string(),
  meta: z.unknown(),
  arrays: z.array(z.object({ name: z.string(), length: z.int().nonnegative() }))
})

export interface Checkpoint {
  meta: unknown
  arrays: Record<string, Float32Array>
}

/** The checkpoint before the last, kept until the next one is complete. */
const previousOf = (path: string): string => `${path}.previous`
/** Where a checkpoint may be, the newest first: a kill may have come between two of its names. */
const candidatesOf = (path: string): string[] => [`${path}.next`, path, previousOf(path)]

/**
 * Layout: `SMALTI01`, uint32 length of the header, header in JSON, float32 arrays one after the other, all
 * little-endian. The header names the arrays and carries the SHA-256 of their bytes.
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
 * The newest checkpoint that is whole, or undefined where there is none.
 * @throws CheckpointUnreadable when there are files but none is whole
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

/** What the newest checkpoint says besides its weights, which are not read; undefined where there is none. @throws Error when it is none */
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

/** Length of a checkpoint's header by how it begins. @throws Error when it does not begin as one */
function headerLengthOf(bytes: Buffer): number {
  const magic = bytes.subarray(0, MAGIC.length)
  if (!magic.equals(MAGIC) && !magic.equals(FORMER_MAGIC)) throw new Error('it does not begin as one')
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
