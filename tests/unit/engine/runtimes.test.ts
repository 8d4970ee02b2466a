import { createHash } from 'node:crypto'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Pack, fetchPack, folderOf } from '../../../src-main/engine/runtime/runtimes.ts'

const FILES = {
  'tensorflow.cjs': Buffer.from('module.exports = 7'),
  'deps/lib/large.so.2': Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 2654435761) >>> 24))
}
const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

describe('a runtime', () => {
  const served = new Map<string, Buffer>()
  const asked: string[] = []
  let cutAt: number | undefined
  let delay = 0
  const server = createServer((request, response) => {
    const name = request.url!.slice(1)
    asked.push(name)
    const bytes = served.get(name)
    if (!bytes) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-length': bytes.length })
    if (cutAt === undefined || bytes.length < cutAt) return void setTimeout(() => response.end(bytes), delay)
    response.write(bytes.subarray(0, cutAt), () => setTimeout(() => request.socket.destroy(), 50))
  })
  let home: string
  let pack: Pack
  beforeAll(() => new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening)))
  afterAll(() => server.close())
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'smalti-runtimes-'))
    vi.stubEnv('XDG_DATA_HOME', home)
    served.clear()
    asked.length = 0
    cutAt = undefined
    const from = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const files = Object.entries(FILES).map(([path, bytes]) => {
      const packed = gzipSync(bytes)
      served.set(hashOf(bytes), packed)
      return { path, from: from + hashOf(bytes), sha256: hashOf(bytes), bytes: bytes.length, packed: packed.length }
    })
    pack = { name: 'tensorflow', version: '2.21.0', entry: 'tensorflow.cjs', files }
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(home, { recursive: true })
  })

  const fetched = (one = pack, signal = new AbortController().signal): Promise<void> =>
    fetchPack(one, signal, () => undefined)
  const folders = async (): Promise<string[]> => (await readdir(join(home, 'smalti', 'runtimes'))).sort()
  const refusal = (reason: RegExp): object => ({
    name: 'RuntimeUnavailable',
    message: expect.stringMatching(reason) as string
  })

  it('is downloaded completely and only once, with progress', async () => {
    const shares: number[] = []
    await fetchPack(pack, new AbortController().signal, (share) => shares.push(share))
    for (const [path, bytes] of Object.entries(FILES))
      expect((await readFile(join(folderOf(pack), path))).equals(bytes)).toBe(true)
    expect(shares.at(-1)).toBe(1)
    expect(shares).toEqual([...shares].sort((a, b) => a - b))
    await fetched()
    expect(asked).toHaveLength(2)
  })

  it('resumes after a lost connection, keeping the complete files', async () => {
    cutAt = 1000
    await expect(fetched()).rejects.toMatchObject(refusal(/./))
    expect((await folders()).some((name) => folderOf(pack).endsWith(name))).toBe(false)
    cutAt = undefined
    await fetched()
    expect(asked.map((name) => pack.files.findIndex(({ sha256 }) => sha256 === name))).toEqual([0, 1, 1])
    expect(await folders()).toEqual([folderOf(pack).split('/').at(-1)])
  })

  it.each<[string, (pack: Pack) => void, RegExp]>([
    [
      'has different content',
      (one) => served.set(one.files[1].sha256, gzipSync(Buffer.from(FILES['deps/lib/large.so.2']).fill(1, 0, 9))),
      /larger than|doesn't match|dropped/
    ],
    [
      'has another hash',
      (one) => (one.files[1].sha256 = hashOf(Buffer.from('other'))),
      /the checksum of .* doesn't match/
    ],
    ['is longer than the release says', (one) => (one.files[1].bytes -= 1), /is larger than expected when unpacked/],
    ['arrives in more bytes than the release says', (one) => (one.files[1].packed -= 1), /is larger than expected/],
    [
      'is not an archive',
      (one) => served.set(one.files[1].sha256, Buffer.alloc(one.files[1].packed, 7)),
      /sent unexpected data/
    ],
    ['is missing', (one) => served.delete(one.files[1].sha256), /returned status 404/],
    ['is on a server that does not respond', (one) => (one.files[1].from = 'http://127.0.0.1:9/x'), /isn't responding/]
  ])('is not used when a file %s', async (_, change, reason) => {
    change(pack)
    await expect(fetched()).rejects.toMatchObject(refusal(reason))
    expect(await folders()).toEqual([`${folderOf(pack).split('/').at(-1)}.unfinished`])
    expect(
      (await readdir(join(home, 'smalti', 'runtimes'), { recursive: true })).filter((name) => name.endsWith('.partial'))
    ).toEqual([])
  })

  it('can be cancelled', async () => {
    const controller = new AbortController()
    await expect(fetchPack(pack, controller.signal, () => controller.abort())).rejects.toMatchObject({
      name: 'Cancelled'
    })
  })

  it('is downloaded by one process at a time', async () => {
    delay = 150
    const both = await Promise.allSettled([fetched(), fetched()])
    delay = 0
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: refusal(/another Smalti window or command is downloading it/)
    })
  })

  it('of an earlier release is removed once the next one is complete', async () => {
    await fetched()
    const next: Pack = { ...pack, version: '2.22.0' }
    await fetched(next)
    expect(await folders()).toEqual([folderOf(next).split('/').at(-1)])
  })

  it('does not start a download that the disk has no room for', async () => {
    pack.files[1].bytes = 2 ** 52
    await expect(fetched()).rejects.toMatchObject({ name: 'DiskFull' })
    expect(asked).toEqual([])
  })
})
