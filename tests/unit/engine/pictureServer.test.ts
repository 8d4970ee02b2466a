import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { MadePicture, PictureQuery } from '../../../src-main/contract/window/pictures.ts'
import { thumbnail, tile } from '../../../src-main/engine/pictures/pictures.ts'
import type { openRaster } from '../../../src-main/imagery/reading/openRaster.ts'
import { type Queue, lastFirst } from '../../../src-main/engine/pictures/queue.ts'
import { serveFiles } from '../../fixtures/server.ts'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'smalti-tiles-'))))
afterAll(() => rm(folder, { recursive: true }))

type Asked = Omit<PictureQuery<'tile'>, 'project'> & { project?: string }
const queueOf = (atATime: number): Queue<Asked, MadePicture> =>
  lastFirst(atATime, ({ project = folder, ...asked }, signal) => tile({ ...asked, project }, signal))
const noise = (width: number, height: number): Sharp =>
  sharp({
    create: { width, height, channels: 3, background: '#456', noise: { type: 'gaussian', mean: 120, sigma: 40 } }
  })
const size = async (picture: MadePicture | undefined): Promise<unknown> => {
  const { width, height } = await sharp(picture?.bytes).metadata()
  return { width, height }
}
/** Outcome of a dropped request: undefined, or the name of its error. */
const given = (asked: Promise<unknown>): Promise<unknown> => asked.catch((fault: Error) => fault.name)

describe.each([1, 2, 8])('pictures made %i at a time', (atATime) => {
  it('are made from a server even if the first caller for the image has left', async () => {
    const path = join(folder, `remote-${atATime}.tif`)
    await noise(2000, 1500).tiff({ tile: true, tileWidth: 256, tileHeight: 256, compression: 'deflate' }).toFile(path)
    const server = await serveFiles([path])
    const [queue, held] = [queueOf(atATime), server.hold()]
    const at = (column: number, row: number): Asked => ({ file: server.address(path), level: 0, column, row })
    const asked = [
      [0, 0],
      [1, 0],
      [2, 1]
    ].map(([column, row], id) => queue.ask(id, at(column, row)))
    await vi.waitUntil(() => server.sent().requests > 0)
    queue.drop(0)
    held.goOn()
    expect(await given(asked[0])).toBeOneOf([undefined, 'Cancelled'])
    expect(await Promise.all(asked.slice(1).map(async (picture) => size(await picture)))).toEqual([
      { width: 512, height: 512 },
      { width: 512, height: 512 }
    ])
    // Reading the rest of the header later must not depend on the caller who opened the file.
    expect(await size(await queue.ask(9, at(3, 2)))).toEqual({ width: 464, height: 476 })
    expect(await size(await queue.ask(10, at(0, 0)))).toEqual({ width: 512, height: 512 })
    await server.close()
  })

  it('are made even if the first caller leaves while a large photograph is copied', async () => {
    const [file, project] = [join(folder, `large-${atATime}.jpg`), join(folder, `large-${atATime}.smalti`)]
    await sharp({ create: { width: 8000, height: 4500, channels: 3, background: '#456' } })
      .jpeg()
      .toFile(file)
    const queue = queueOf(atATime)
    const at = (column: number): Asked => ({ file, project, level: 0, column, row: 0 })
    const asked = [0, 1, 2].map((column) => queue.ask(column, at(column)))
    await vi.waitUntil(async () => (await readdir(join(project, 'cache')).catch(() => [])).length > 0)
    queue.drop(0)
    expect(await given(asked[0])).toBeOneOf([undefined, 'Cancelled'])
    for (const picture of asked.slice(1)) expect(await size(await picture)).toEqual({ width: 512, height: 512 })
    expect((await readdir(join(project, 'cache'))).filter((name) => !name.endsWith('.tif'))).toEqual([])
    expect(await size(await queue.ask(9, at(0)))).toEqual({ width: 512, height: 512 })
  })
})

describe('queued pictures', () => {
  it('are made latest first, a few at a time, and dropped ones are not made', async () => {
    const made: string[] = []
    let finish = (): void => undefined
    const queue = lastFirst<string, string>(1, async (name) => {
      made.push(name)
      if (name === 'first') await new Promise<void>((resolve) => (finish = resolve))
      return name
    })
    const asked = ['first', 'second', 'third', 'fourth'].map((name, id) => queue.ask(id, name))
    queue.drop(2)
    finish()
    expect(await Promise.all(asked)).toEqual(['first', 'second', undefined, 'fourth'])
    expect(made).toEqual(['first', 'fourth', 'second'])
  })
})

describe('a large image', () => {
  it('stays open while many others are opened', async () => {
    const paths = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const path = join(folder, `many-${i}.tif`)
        await noise(900, 700).tiff({ tile: true, tileWidth: 256, tileHeight: 256 }).toFile(path)
        return path
      })
    )
    const queue = queueOf(8)
    const pictures = await Promise.all(
      paths.flatMap((file, i) => [0, 1].map((column) => queue.ask(2 * i + column, { file, level: 0, column, row: 0 })))
    )
    expect(await Promise.all(pictures.map(size))).toEqual(
      paths.flatMap(() => [
        { width: 512, height: 512 },
        { width: 388, height: 512 }
      ])
    )
    const { signal } = new AbortController()
    expect(await size(await thumbnail({ file: paths[0], side: 96 }, signal))).toEqual({ width: 96, height: 96 })
  })
})

describe('the tiled copy of a large photograph', () => {
  it.each([2, 8])('is made by one of %i threads while the others wait', async (threads) => {
    const [file, cache] = [join(folder, `threads-${threads}.jpg`), join(folder, `cache-${threads}`)]
    await sharp({ create: { width: 8000, height: 4500, channels: 3, background: '#654' } })
      .jpeg()
      .toFile(file)
    // Each has its own copy of the code and its state, as a thread does.
    const openers: { openRaster: typeof openRaster }[] = []
    for (let thread = 0; thread < threads; thread++) {
      vi.resetModules()
      openers.push(await import('../../../src-main/imagery/reading/openRaster.ts'))
    }
    const makers = new Set<number>()
    const rasters = await Promise.all(
      openers.map((own, thread) =>
        own.openRaster(
          { kind: 'file', path: file },
          { copies: { folder: cache, onProgress: () => void makers.add(thread) } }
        )
      )
    )
    for (const raster of rasters) {
      expect([raster.width, raster.height]).toEqual([8000, 4500])
      await raster.close()
    }
    expect(await readdir(cache)).toEqual([expect.stringMatching(/^[0-9a-f]{24}\.tif$/)])
    expect(makers.size).toBeLessThanOrEqual(1)
  })
})
