import { open } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { SmaltiError } from '../../contract/errors.ts'
import type { Location } from '../location.ts'
import { fetchFollowing } from './redirects.ts'
import { sharedWork } from './sharedWork.ts'

/** A file on this computer or on a server, read by ranges. */
export interface ByteSource {
  readonly name: string
  readonly size: number
  /** @throws UnreadableImage when the range ends beyond the file or can't be read; Cancelled */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Buffer>
  close(): Promise<void>
}

export const cutShort = (path: string): SmaltiError =>
  new SmaltiError('UnreadableImage', { path, reason: 'the file is truncated' })

/**
 * Opens a file or an address.
 * @param signal  cancels the opening, not later reads
 * @throws UnreadableImage, Cancelled
 */
export function openSource(location: Location, signal?: AbortSignal): Promise<ByteSource> {
  return location.kind === 'address' ? openRemote(location.url.href, signal) : openFile(location.path)
}

async function openFile(path: string): Promise<ByteSource> {
  const handle = await open(path)
  const { size } = await handle.stat().catch(async (fault: unknown) => {
    await handle.close()
    throw fault
  })
  return {
    name: path,
    size,
    async read(offset, length) {
      if (offset + length > size) throw cutShort(path)
      const buffer = Buffer.allocUnsafeSlow(length)
      const { bytesRead } = await handle.read(buffer, 0, length, offset)
      if (bytesRead < length) throw cutShort(path)
      return buffer
    },
    close: () => handle.close()
  }
}

/** Headers are read in many small pieces, so small reads fetch whole pages, which are cached. */
const PAGE = 64 * 1024
const KEPT_PAGES = 64
const SMALL = 8 * 1024
const ATTEMPTS = 4
const WAIT = 250
const LIMIT = 30_000

async function openRemote(address: string, signal?: AbortSignal): Promise<ByteSource> {
  const first = await fetchRange(address, 0, PAGE, undefined, signal)
  const pages = sharedWork<Buffer>({ most: KEPT_PAGES })
  await pages.get('0', { make: () => Promise.resolve(first.bytes) })
  const open = new AbortController()
  const page = (number: number, reading?: AbortSignal): Promise<Buffer> => {
    const from = number * PAGE
    const length = Math.min(PAGE, first.total - from)
    return pages.get(String(number), {
      signal: reading,
      make: async (work) => (await fetchRange(address, from, length, first.version, work)).bytes
    })
  }
  return {
    name: address,
    size: first.total,
    async read(offset, length, reading) {
      if (offset + length > first.total) throw cutShort(address)
      if (length > SMALL)
        return (
          await fetchRange(
            address,
            offset,
            length,
            first.version,
            reading ? AbortSignal.any([reading, open.signal]) : open.signal
          )
        ).bytes
      const [from, to] = [Math.floor(offset / PAGE), Math.floor((offset + length - 1) / PAGE)]
      const parts = await Promise.all(Array.from({ length: to - from + 1 }, (_, i) => page(from + i, reading)))
      return Buffer.concat(parts).subarray(offset - from * PAGE, offset - from * PAGE + length)
    },
    close: () => {
      open.abort()
      return pages.close()
    }
  }
}

interface Fetched {
  bytes: Buffer
  total: number
  /** Distinguishes one state of the remote file from another. */
  version: string
}

/** Fetches a range by HTTP and retries when the connection drops. @throws UnreadableImage, Cancelled */
async function fetchRange(
  address: string,
  offset: number,
  length: number,
  version: string | undefined,
  signal?: AbortSignal
): Promise<Fetched> {
  const refused = (reason: string): SmaltiError => new SmaltiError('UnreadableImage', { path: address, reason })
  for (let attempt = 1; ; attempt++) {
    if (signal?.aborted) throw new SmaltiError('Cancelled')
    try {
      const limit = AbortSignal.timeout(LIMIT)
      const response = await fetchFollowing(
        address,
        {
          headers: { range: `bytes=${offset}-${offset + length - 1}` },
          signal: signal ? AbortSignal.any([signal, limit]) : limit
        },
        refused
      )
      if (response.status >= 500) throw new Error(`the server returned status ${response.status}`)
      if (response.status !== 206) {
        await response.body?.cancel()
        throw refused(
          response.ok
            ? "the server doesn't support range requests, which read part of a file"
            : `the server returned status ${response.status} ${response.statusText}`.trim()
        )
      }
      const total = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1])
      if (!Number.isSafeInteger(total)) throw refused("the server doesn't report the size of the file")
      const found = `${response.headers.get('etag') ?? ''} ${response.headers.get('last-modified') ?? ''} ${total}`
      if (version !== undefined && found !== version)
        throw refused('the file on the server changed while it was being read. Reload it')
      const bytes = await bounded(response, length)
      if (!bytes) throw refused('the server sent more than was requested')
      if (bytes.length !== Math.min(length, total - offset)) throw new Error('the connection dropped')
      return { bytes, total, version: found }
    } catch (fault) {
      if (signal?.aborted) throw new SmaltiError('Cancelled')
      if (fault instanceof SmaltiError) throw fault
      if (attempt === ATTEMPTS) throw refused(`${reasonOfFetch(fault)} (${ATTEMPTS} attempts)`)
      await pause(WAIT * 2 ** attempt, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** Reads a response's body, or returns undefined if it is longer than `most`. */
async function bounded(response: Response, most: number): Promise<Buffer | undefined> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    length += part.length
    // Leaving the loop closes the connection.
    if (length > most) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts, length)
}

function reasonOfFetch(fault: unknown): string {
  const { message, cause } = fault as Error & { cause?: { code?: string } }
  const { code } = cause ?? {}
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND') return 'server not found'
  return code ? `the connection failed (${code})` : message
}
