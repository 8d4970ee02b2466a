import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { locationOf } from '../../../src-main/imagery/location.ts'
import { openSource } from '../../../src-main/imagery/reading/byteSource.ts'
import { isPrivate, refusalToFollow } from '../../../src-main/imagery/reading/redirects.ts'

const HOSTS: Record<string, string[]> = {
  'tiles.example.org': ['93.184.216.34'],
  'cdn.example.org': ['2606:2800:220:1::1'],
  'sly.example.org': ['93.184.216.34', '10.0.0.5'],
  'nas.local': ['192.168.1.20']
}
const from = (a: string, b: string): Promise<string | undefined> =>
  refusalToFollow(new URL(a), new URL(b), (host) => Promise.resolve(HOSTS[host] ?? []))

describe('redirects', () => {
  it.each([
    ['https://tiles.example.org/a.tif', 'https://cdn.example.org/a.tif'],
    ['http://tiles.example.org/a.tif', 'https://cdn.example.org/a.tif'],
    ['http://nas.local/a.tif', 'http://192.168.1.21/a.tif'],
    ['http://127.0.0.1:8000/a.tif', 'http://127.0.0.1:9000/a.tif']
  ])('are followed from %s to %s', async (a, b) => expect(await from(a, b)).toBeUndefined())

  it.each([
    ['https://tiles.example.org/a.tif', 'http://cdn.example.org/a.tif', 'encrypted'],
    ['https://tiles.example.org/a.tif', 'https://169.254.169.254/latest/meta-data', 'into your private network'],
    ['https://tiles.example.org/a.tif', 'https://[::1]/a.tif', 'into your private network'],
    ['https://tiles.example.org/a.tif', 'https://[::ffff:10.0.0.1]/a.tif', 'into your private network'],
    ['https://tiles.example.org/a.tif', 'https://nas.local/a.tif', 'into your private network'],
    ['https://tiles.example.org/a.tif', 'https://sly.example.org/a.tif', 'into your private network'],
    ['https://tiles.example.org/a.tif', 'file:///etc/passwd', 'unsupported kind']
  ])('are rejected from %s to %s: %s', async (a, b, reason) => expect(await from(a, b)).toContain(reason))

  it('are checked against all private addresses', () => {
    for (const ip of [
      '127.0.0.1',
      '10.1.2.3',
      '172.31.0.1',
      '192.168.0.1',
      '169.254.0.1',
      '::1',
      'fe80::1',
      'fd00::1',
      '0.0.0.0',
      '::ffff:7f00:1'
    ])
      expect(isPrivate(ip), ip).toBe(true)
    for (const ip of ['8.8.8.8', '172.32.0.1', '2606:2800:220:1::1', '::ffff:8.8.8.8'])
      expect(isPrivate(ip), ip).toBe(false)
  })

  it('stop in a loop, and accept no more bytes than were requested', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/round.tif') return void response.writeHead(302, { location: '/round.tif' }).end()
      response.writeHead(206, { 'content-range': 'bytes 0-65535/100000000', etag: 'x' })
      // Sends without end.
      const pour = (): void =>
        void (response.destroyed || response.write(Buffer.alloc(1 << 20), () => setImmediate(pour)))
      pour()
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await expect(openSource(locationOf(`${at}/round.tif`))).rejects.toMatchObject({
      name: 'UnreadableImage',
      details: { reason: expect.stringContaining('redirects too many times') as string }
    })
    const before = process.memoryUsage().rss
    await expect(openSource(locationOf(`${at}/endless.tif`))).rejects.toMatchObject({ name: 'UnreadableImage' })
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6)
    server.closeAllConnections()
    server.close()
  })
})
