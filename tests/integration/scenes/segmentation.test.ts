import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { CommandOutput } from '../../../src-main/contract/commands.ts'
import { json, smalti, start } from '../../fixtures/commandLine.ts'
import { oracleLack } from '../../fixtures/gdal.ts'
import { TRAIN, described, drawGeoTiff, leftOver, rasterHashes, sceneProject } from '../../fixtures/scenes.ts'
import { serveFiles } from '../../fixtures/server.ts'

describe.skipIf(oracleLack)('scenes', () => {
  let folder: string
  let scenes: string
  let project: string
  beforeAll(async () => void ({ folder, scenes, project } = await sceneProject()))

  it('are segmented again only if they have changed', async () => {
    const own = join(folder, 'again')
    await cp(scenes, own, { recursive: true })
    const p = join(folder, 'again.smalti')
    await smalti('train', own, '--project', p, ...TRAIN)
    await smalti('segment', p)
    expect(json<CommandOutput<'segment'>>(await smalti('segment', p, '--json')).labelled).toBe(0)
    await utimes(join(own, 'north.tif'), new Date(), new Date(Date.now() + 5000))
    expect(json<CommandOutput<'segment'>>(await smalti('segment', p, '--json')).labelled).toBe(1)
    await rm(join(own, 'north.tif'))
    expect(json<CommandOutput<'segment'>>(await smalti('segment', p, '--json'))).toMatchObject({
      images: 1,
      labelled: 0
    })
    expect(Object.keys(await rasterHashes(p)).filter((name) => name.includes('north'))).toEqual([])
    // An area of interest or a clean-up changes the labels.
    expect(
      json<CommandOutput<'segment'>>(await smalti('segment', p, '--sieve', '50px', '--majority', '1', '--json'))
        .labelled
    ).toBe(1)
    expect(await leftOver(p)).toEqual([])
  })

  it('have the same bytes after kills at any moment, and nothing is left behind', async () => {
    const p = join(folder, 'killed.smalti')
    await cp(project, p, { recursive: true })
    await rm(join(p, 'runs', 'run-0001', 'labels'), { recursive: true })
    const written = async (): Promise<number> =>
      (await readdir(join(p, 'runs', 'run-0001'), { recursive: true })).filter((name) => /\.(tif|rows)$/.test(name))
        .length
    let cutOff = 0
    for (const files of [0, 1, 2, 3]) {
      const { child, finished } = start('segment', p)
      await vi.waitUntil(async () => (await written()) >= files || child.exitCode !== null, {
        timeout: 240_000,
        interval: 10
      })
      // The engine ends with the command, because there is no one left to report to.
      child.kill('SIGKILL')
      if ((await finished).code === null) cutOff++
      expect(
        (await smalti('export', p, '--out', join(folder, 'killed-out'))).code,
        'a project opens at any moment'
      ).not.toBe(1)
    }
    expect(cutOff, 'killed in the middle of its work').toBeGreaterThanOrEqual(2)
    const done = await smalti('segment', p, '--json')
    expect(done.code, done.stderr).toBe(0)
    expect(await rasterHashes(p)).toEqual(await rasterHashes(project))
    expect(await leftOver(p)).toEqual([])
    expect(await described(p)).toEqual(await described(project))
  })

  it('leave a project that opens and is marked partial when segmentation is cancelled', async () => {
    const many = join(folder, 'many')
    await mkdir(many)
    for (let copy = 0; copy < 12; copy++) await cp(join(scenes, 'north.tif'), join(many, `${copy}.tif`))
    const p = join(folder, 'stopped.smalti')
    await smalti('train', many, '--project', p, ...TRAIN)
    const { child, finished } = start('segment', p)
    // Cancel as soon as some images are done.
    const done = async (): Promise<number> =>
      (await readdir(join(p, 'runs', 'run-0001'), { recursive: true })).filter((name) => /\/A\/.*\.tif$/.test(name))
        .length
    await vi.waitUntil(async () => (await done()) >= 2, { timeout: 240_000, interval: 10 })
    child.kill('SIGINT')
    expect((await finished).code).toBe(130)
    const index = JSON.parse(
      await readFile(join(p, 'runs', 'run-0001', 'labels', 'training', 'labels.json'), 'utf8')
    ) as { partial: boolean; images: unknown[] }
    expect(index.partial).toBe(true)
    expect(index.images.length).toBeGreaterThanOrEqual(1)
    expect(index.images.length).toBeLessThan(12)
    expect((await smalti('export', p, '--format', 'csv', '--out', join(folder, 'stopped-csv'))).code).toBe(0)
    const rest = json<CommandOutput<'segment'>>(await smalti('segment', p, '--json'))
    expect(rest).toMatchObject({ images: 12 })
    expect(rest.labelled).toBeLessThan(12)
    expect(await leftOver(p)).toEqual([])
  })

  it('are segmented in shards and merged byte for byte, and a missing shard is named', async () => {
    const p = join(folder, 'shards.smalti')
    await cp(project, p, { recursive: true })
    await rm(join(p, 'runs', 'run-0001', 'labels'), { recursive: true })
    // A shard of another division, which was abandoned.
    for (const shard of ['1/2', '1/3', '3/3']) expect((await smalti('segment', p, '--shard', shard)).code).toBe(0)
    const early = await smalti('merge-shards', p)
    expect(early.code).toBe(2)
    expect(early.stderr).toContain('2/3')
    // Two shards at a time don't disturb each other.
    const both = await Promise.all([smalti('segment', p, '--shard', '2/3'), smalti('segment', p, '--shard', '1/3')])
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(json<CommandOutput<'mergeShards'>>(await smalti('merge-shards', p, '--json'))).toMatchObject({
      images: 2,
      shards: 3
    })
    expect(await rasterHashes(p)).toEqual(await rasterHashes(project))
    expect(await described(p)).toEqual(await described(project))
    expect(await leftOver(p)).toEqual([])
  })

  it('keep unfinished shards during a full segmentation, and lose those of an earlier step', async () => {
    const p = join(folder, 'both ways.smalti')
    await cp(project, p, { recursive: true })
    await rm(join(p, 'runs', 'run-0001', 'labels'), { recursive: true })
    expect((await smalti('segment', p, '--shard', '1/2')).code).toBe(0)
    const set = join(p, 'runs', 'run-0001', 'labels', 'training')
    const shards = async (): Promise<string[]> => (await readdir(set)).filter((name) => name.includes('.shard-'))
    const [begun] = await shards()
    expect((await smalti('segment', p)).code).toBe(0)
    expect(await shards()).toEqual([begun])
    expect((await smalti('segment', p, '--shard', '2/2')).code).toBe(0)
    const summary = join(set, begun, 'shard.json')
    for (const name of await shards())
      await writeFile(
        join(set, name, 'shard.json'),
        (await readFile(join(set, name, 'shard.json'), 'utf8')).replace(/"step": \d+/, '"step": -1')
      )
    // Another process is still writing one of them.
    await writeFile(
      join(p, 'shard-1-of-2.lock'),
      JSON.stringify({ id: 'theirs', host: 'elsewhere', boot: '', process: 1, started: '', thread: 0 })
    )
    expect((await smalti('segment', p, '--sieve', '20px')).code).toBe(0)
    expect(existsSync(summary)).toBe(true)
    await rm(join(p, 'shard-1-of-2.lock'))
    expect((await smalti('segment', p)).code).toBe(0)
    expect(await shards()).toEqual([])
  })

  it('keep heatmaps in shards too, merged byte for byte', async () => {
    const [p, whole] = [join(folder, 'shards-heat.smalti'), join(folder, 'whole-heat.smalti')]
    for (const copy of [p, whole]) {
      await cp(project, copy, { recursive: true })
      await rm(join(copy, 'runs', 'run-0001', 'labels'), { recursive: true })
    }
    await smalti('segment', whole, '--heatmaps')
    for (const shard of ['1/3', '2/3', '3/3'])
      expect((await smalti('segment', p, '--heatmaps', '--shard', shard)).code).toBe(0)
    expect((await smalti('merge-shards', p)).code).toBe(0)
    const hashes = await rasterHashes(whole)
    expect(Object.keys(hashes)).toHaveLength(4)
    expect(await rasterHashes(p)).toEqual(hashes)
    expect(await leftOver(p)).toEqual([])
  })

  it('of other folders, files and addresses get labels next to the first ones', async () => {
    const others = join(folder, 'others')
    await mkdir(others)
    await drawGeoTiff(
      join(others, 'east.tif'),
      500,
      3,
      ['-of', 'COG', '-co', 'BLOCKSIZE=128'].filter((_, i) => i < 2),
      0
    )
    const before = await rasterHashes(project)
    const server = await serveFiles([join(others, 'east.tif')])
    try {
      server.dropEvery(5)
      const remote = await smalti('segment', project, '--images', server.address(join(others, 'east.tif')), '--json')
      expect(remote.code, remote.stderr).toBe(0)
      expect(json<CommandOutput<'segment'>>(remote)).toMatchObject({ images: 1, labelled: 1 })
      expect(server.sent().bytes).toBeLessThan(2.5 * (await stat(join(others, 'east.tif'))).size)
      await smalti(
        'export',
        project,
        '--images',
        server.address(join(others, 'east.tif')),
        '--format',
        'geotiff',
        '--out',
        join(folder, 'remote')
      )
    } finally {
      await server.close()
    }
    const local = await smalti('segment', project, '--images', join(others, 'east.tif'), '--json')
    expect(local.code, local.stderr).toBe(0)
    await smalti(
      'export',
      project,
      '--images',
      join(others, 'east.tif'),
      '--format',
      'geotiff',
      '--out',
      join(folder, 'local')
    )
    expect(await readFile(join(folder, 'remote', 'east.tif'))).toEqual(
      await readFile(join(folder, 'local', 'east.tif'))
    )
    expect(await rasterHashes(project)).toMatchObject(before)
  })

  it('on a server that sends only whole files are rejected with a reason', async () => {
    const server = await serveFiles([join(scenes, 'north.tif')])
    try {
      server.ignoreRanges()
      const refused = await smalti('segment', project, '--images', server.address('north.tif'))
      expect(refused.code).toBe(2)
      expect(refused.stderr).toContain('range requests')
      const nowhere = await smalti('segment', project, '--images', server.address('missing.tif'))
      expect(nowhere.stderr).toContain('404')
    } finally {
      await server.close()
    }
  })
})
