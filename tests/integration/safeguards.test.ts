import { spawnSync } from 'node:child_process'
import { chmod, cp, mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CommandOutput } from '../../src-main/contract/commands.ts'
import type { Catalogue } from '../../src-main/contract/imagery.ts'
import { drawSampleScene } from '../../src-main/engine/sample/sampleScene.ts'
import { json, smalti, temporaryFolder } from '../fixtures/commandLine.ts'
import { TRAIN } from '../fixtures/scenes.ts'

describe('safeguards', () => {
  let images: string
  let project: string

  beforeAll(async () => {
    const base = await temporaryFolder()
    images = join(base, 'images')
    await mkdir(images)
    for (const seed of [1, 2])
      await sharp(drawSampleScene(160, seed).colours, { raw: { width: 160, height: 160, channels: 3 } })
        .png()
        .toFile(join(images, `${seed}.png`))
    project = join(base, 'p.smalti')
    await smalti('train', images, '--project', project, ...TRAIN)
    await smalti('segment', project)
  })

  it('no export overwrites the originals or goes among them', async () => {
    const before = await readFile(join(images, '1.png'))
    for (const out of [images, join(images, 'masks'), join(images, '..', 'images')]) {
      const refused = await smalti('export', project, '--format', 'png', '--out', out, '--overwrite')
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('outside the images')])
    }
    const link = join(images, '..', 'link')
    await symlink(images, link)
    expect((await smalti('export', project, '--out', link)).code).toBe(2)
    expect(await readFile(join(images, '1.png'))).toEqual(before)
    expect((await readdir(images)).sort()).toEqual(['1.png', '2.png'])
  })

  it('no export overwrites a file that it didn’t write', async () => {
    const out = join(project, '..', 'out')
    await mkdir(out)
    await writeFile(join(out, '2.png'), 'mine')
    const refused = await smalti('export', project, '--out', out)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('2.png')])
    expect(refused.stderr).toContain('allow overwriting')
    expect((await readdir(out)).sort()).toEqual(['2.png'])
    expect((await smalti('export', project, '--out', out, '--overwrite')).code).toBe(0)
    expect((await smalti('export', project, '--out', out)).code, 'an export may overwrite its own files').toBe(0)
    await writeFile(join(out, '1.png'), 'edited since')
    expect((await smalti('export', project, '--out', out)).code).toBe(2)
    expect(await readFile(join(out, '1.png'), 'utf8')).toBe('edited since')
  })

  it.skipIf(process.platform === 'win32')('a limit on open files doesn’t end a large export', async () => {
    const base = await temporaryFolder()
    const many = join(base, 'many')
    await mkdir(many)
    for (let i = 0; i < 130; i++) await cp(join(images, '1.png'), join(many, `${i}.png`))
    const p = join(base, 'p')
    await smalti('train', many, '--project', p, ...TRAIN)
    await smalti('segment', p)
    const { status, stderr } = spawnSync(
      'sh',
      [
        '-c',
        `ulimit -n 110; exec "${process.execPath}" resources/setup/smalti.mjs export "${p}" --format csv --out "${join(base, 'out')}"`
      ],
      { encoding: 'utf8' }
    )
    expect(status, stderr).toBe(0)
    expect((await readFile(join(base, 'out', 'areas.csv'), 'utf8')).trim().split('\r\n')).toHaveLength(1 + 130 * 8)
  })

  it('a project isn’t taken for a folder of images', async () => {
    const refused = await smalti('train', project, '--project', join(project, '..', 'of-project'), ...TRAIN)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('is a Smalti project')])
  })

  it('an unreadable folder doesn’t end the catalogue, and a missing image is named by its path', async () => {
    const base = await temporaryFolder()
    await cp(images, base, { recursive: true })
    await mkdir(join(base, 'locked'))
    await symlink('/proc/1/root', join(base, 'root')).catch(() => undefined)
    await chmod(join(base, 'locked'), 0)
    const trained = await smalti('train', base, '--project', join(project, '..', 'locked.smalti'), ...TRAIN, '--json')
    expect(trained.code, trained.stderr).toBe(0)
    await chmod(join(base, 'locked'), 0o755)
    const p = join(project, '..', 'locked.smalti')
    const catalogue = JSON.parse(await readFile(join(p, 'runs', 'run-0001', 'catalogue.json'), 'utf8')) as Catalogue
    expect(catalogue.images.map(({ path }) => path)).toEqual(['1.png', '2.png'])
  })

  it('a project in the first format still opens', async () => {
    const base = await temporaryFolder()
    const old = join(base, 'photos.tessera')
    await cp(project, old, { recursive: true })
    const run = join(old, 'runs', 'run-0001')
    // As Tessera 0.1 wrote it: one folder, a number of bands, another name and magic for the checkpoint, PNG masks.
    await writeFile(join(old, 'project.json'), JSON.stringify({ format: 1, images, run: 'run-0001' }))
    await rename(join(run, 'checkpoint.smalti'), join(run, 'checkpoint.tessera'))
    await rm(join(run, 'checkpoint.smalti.previous'), { force: true })
    const bytes = await readFile(join(run, 'checkpoint.tessera'))
    const length = bytes.readUInt32LE(8)
    const header = JSON.parse(bytes.subarray(12, 12 + length).toString()) as { meta: Record<string, unknown> }
    header.meta.bands = 3
    header.meta.catalogue = {
      folder: images,
      images: ['1.png', '2.png'].map((path) => ({ path, width: 160, height: 160, bands: 3 })),
      skipped: []
    }
    header.meta.statistics = (header.meta.statistics as { mean: number; deviation: number }[]).map(
      ({ mean, deviation }) => ({ mean, deviation })
    )
    const encoded = Buffer.from(JSON.stringify(header))
    const size = Buffer.alloc(4)
    size.writeUInt32LE(encoded.length)
    await writeFile(
      join(run, 'checkpoint.tessera'),
      Buffer.concat([Buffer.from('TESSERA1'), size, encoded, bytes.subarray(12 + length)])
    )
    await rm(join(run, 'catalogue.json'))
    await rm(join(run, 'labels'), { recursive: true })
    await mkdir(join(run, 'labels', 'A'), { recursive: true })
    for (const name of ['1.png', '2.png']) {
      await sharp(new Uint8Array(160 * 160).fill(3), { raw: { width: 160, height: 160, channels: 1 } })
        .toColourspace('b-w')
        .png()
        .toFile(join(run, 'labels', 'A', `${name}.png`))
    }
    const classes = Array.from({ length: 8 }, (_, c) => ({ name: `Cluster ${c + 1}`, colour: '#aabbcc' }))
    await writeFile(
      join(run, 'labels', 'labels.json'),
      JSON.stringify({
        format: 1,
        step: 0,
        folder: images,
        skipped: [],
        classes: { A: classes, B: classes.slice(4) },
        images: ['1.png', '2.png'].map((path) => ({
          path,
          width: 160,
          height: 160,
          masks: { A: `A/${path}.png`, B: `A/${path}.png` }
        }))
      })
    )
    const out = join(base, 'old-masks')
    const exported = await smalti('export', old, '--format', 'png', '--out', out, '--json')
    expect(exported.code, exported.stderr).toBe(0)
    expect([...new Set(await sharp(join(out, '1.png')).extractChannel(0).raw().toBuffer())]).toEqual([3])
    const segmented = await smalti('segment', old, '--json')
    expect(segmented.code, segmented.stderr).toBe(0)
    expect(json<CommandOutput<'segment'>>(segmented)).toMatchObject({ images: 2, labelled: 2 })
    expect(basename(old)).toBe('photos.tessera')
  })
})
