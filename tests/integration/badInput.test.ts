import { spawnSync } from 'node:child_process'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { type CommandOutput } from '../../src-main/contract/commands.ts'
import '../fixtures/gpu.ts'
import { json, sceneFolder, smalti, TRAIN } from '../fixtures/commandLine.ts'

let folder: string
let scenes: { images: string; truth: string }

beforeAll(async () => void ({ folder, scenes } = await sceneFolder()))

describe('bad input', () => {
  async function expectNamed(name: string, ...args: string[]): Promise<void> {
    const finished = await smalti(...args, '--json')
    expect(finished.code, finished.stderr).toBe(2)
    expect(json<{ error: { name: string } }>(finished).error.name).toBe(name)
    expect(finished.stderr).not.toMatch(/\n {4}at /)
    expect(finished.stderr.trim().length).toBeGreaterThan(10)
  }
  const train = (images: string, project = join(folder, 'bad.smalti')): string[] => [
    'train',
    images,
    '--project',
    project,
    ...TRAIN,
    '--steps',
    '2'
  ]

  it('is named: an empty or missing folder, and one without images or readable images', async () => {
    const [empty, texts, broken] = [join(folder, 'empty'), join(folder, 'texts'), join(folder, 'broken')]
    for (const path of [empty, texts, broken]) await mkdir(path)
    await writeFile(join(texts, 'a.txt'), 'text')
    const whole = await readFile(join(scenes.images, 'scene 1.png'))
    await writeFile(join(broken, 'half.png'), whole.subarray(0, whole.length / 2))
    await expectNamed('EmptyFolder', ...train(empty))
    await expectNamed('FolderNotFound', ...train(join(folder, 'nowhere')))
    await expectNamed('NoReadableImages', ...train(texts))
    await expectNamed('NoReadableImages', ...train(broken))
  })

  it('is named: images of one pixel', async () => {
    const tiny = join(folder, 'tiny')
    await mkdir(tiny)
    await sharp(new Uint8Array(3), { raw: { width: 1, height: 1, channels: 3 } })
      .png()
      .toFile(join(tiny, 'one.png'))
    await expectNamed('NotEnoughPixels', ...train(tiny))
  })

  it('is skipped if other images are good', async () => {
    const mixed = join(folder, 'mixed')
    await cp(scenes.images, mixed, { recursive: true })
    const whole = await readFile(join(mixed, 'scene 1.png'))
    await writeFile(join(mixed, 'half.png'), whole.subarray(0, whole.length / 2))
    await writeFile(
      join(mixed, 'garbled.png'),
      Buffer.concat([whole.subarray(0, 200), Buffer.alloc(whole.length - 400, 7), whole.subarray(-200)])
    )
    await sharp(new Uint8Array(3), { raw: { width: 1, height: 1, channels: 3 } })
      .png()
      .toFile(join(mixed, 'one.png'))
    const trained = await smalti(...train(mixed, join(folder, 'mixed.smalti')), '--json')
    expect(trained.code, trained.stderr).toBe(0)
    const { skipped, images } = json<CommandOutput<'train'>>(trained)
    expect(skipped.map(({ path }) => path).sort()).toEqual(['garbled.png', 'half.png', 'one.png'])
    expect(images).toBe(3)
    const segmented = json<CommandOutput<'segment'>>(await smalti('segment', join(folder, 'mixed.smalti'), '--json'))
    expect(segmented.skipped.map(({ path }) => path).sort()).toEqual(['garbled.png', 'half.png'])
    expect(segmented.images).toBe(4)
  })

  it('is named: a missing, untrained or unsegmented project', async () => {
    await expectNamed('ProjectNotFound', 'segment', join(folder, 'nowhere.smalti'))
    const project = join(folder, 'untrained.smalti')
    await mkdir(project)
    await writeFile(join(project, 'project.json'), JSON.stringify({ format: 1, images: scenes.images }))
    await expectNamed('NothingTrained', 'segment', project)
    await expectNamed('NothingSegmented', 'export', project, '--out', join(folder, 'out'))
  })

  it('is rejected with the usage: unknown options and values out of range', async () => {
    for (const args of [
      ['train'],
      [...train(scenes.images), '--classes', '1'],
      [...train(scenes.images), '--scale', '2'],
      ['fly'],
      ['segment', 'p', '--quickly']
    ]) {
      expect((await smalti(...args)).code).toBe(2)
    }
  })

  it('has examples to follow in the help of every command', async () => {
    for (const command of ['train', 'segment', 'evaluate', 'export', 'info']) {
      const { code, stdout } = await smalti(command, '--help')
      expect(code).toBe(0)
      expect(stdout).toContain(`$ smalti ${command}`)
    }
  })
})

/** Mounts a small file system, if the machine allows it. */
function mount(path: string, options: string): boolean {
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path])
  if (status !== 0) console.warn('NOT TESTED: a file system cannot be mounted here')
  return status === 0
}

describe('full and read-only file systems', () => {
  it('are reported, and saved work stays intact', async () => {
    const disk = join(folder, 'disk')
    await mkdir(disk)
    if (!mount(disk, 'size=2m')) return
    try {
      const project = join(disk, 'p')
      const full = await smalti('train', scenes.images, '--project', project, ...TRAIN, '--steps', '5', '--json')
      expect(full.code, full.stderr).toBe(2)
      expect(json<{ error: { name: string } }>(full).error.name).toBe('DiskFull')
      expect((await smalti('segment', project, '--json')).stderr).not.toMatch(/ProjectUnreadable/)
      expect(spawnSync('mount', ['-o', 'remount,ro', disk]).status).toBe(0)
      const readOnly = await smalti(
        'train',
        scenes.images,
        '--project',
        join(disk, 'q'),
        ...TRAIN,
        '--steps',
        '5',
        '--json'
      )
      expect(readOnly.code).toBe(2)
      expect(json<{ error: { name: string } }>(readOnly).error.name).toBe('FolderNotWritable')
    } finally {
      spawnSync('umount', [disk])
    }
  })
})
