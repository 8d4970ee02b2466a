import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { type CommandOutput } from '../../src-main/contract/commands.ts'
import '../fixtures/gpu.ts'
import { json, maskBytes, sceneFolder, smalti, TRAIN } from '../fixtures/commandLine.ts'

let folder: string
let scenes: { images: string; truth: string }

beforeAll(async () => void ({ folder, scenes } = await sceneFolder()))

describe('the command line', () => {
  it('takes a folder to masks, and scores them', async () => {
    const project = join(folder, 'whole.smalti')
    const trained = await smalti('train', scenes.images, '--project', project, ...TRAIN, '--steps', '25', '--json')
    expect(trained.code, trained.stderr).toBe(0)
    expect(json<CommandOutput<'train'>>(trained)).toMatchObject({
      steps: 25,
      images: 3,
      backend: 'onnxruntime',
      resumedFrom: 0
    })
    const segmented = json<CommandOutput<'segment'>>(await smalti('segment', project, '--json'))
    expect(segmented).toMatchObject({ images: 3, skipped: [] })
    const out = join(folder, 'masks')
    expect(
      json<CommandOutput<'export'>>(await smalti('export', project, '--format', 'png', '--out', out, '--json')).files
    ).toBe(3)
    expect(Object.keys(await maskBytes(out)).sort()).toEqual(['north/scene 0.png', 'scene 1.png', 'scene 2.png'])
    const mask = await sharp(join(out, 'scene 1.png')).metadata()
    expect(mask).toMatchObject({ width: 128, height: 128, channels: 1, depth: 'uchar' })
    const classes = JSON.parse(await readFile(join(out, 'classes.json'), 'utf8')) as { classes: unknown[] }
    expect(classes.classes).toHaveLength(8)
    const evaluated = json<CommandOutput<'evaluate'>>(
      await smalti('evaluate', project, '--truth', scenes.truth, '--json')
    )
    expect(evaluated.pixels).toBe(3 * 128 * 128)
    expect(evaluated.accuracy).toBeGreaterThanOrEqual(evaluated.majority)
    const again = await smalti(
      'train',
      scenes.images,
      '--project',
      join(folder, 'again.smalti'),
      ...TRAIN,
      '--steps',
      '25',
      '--json'
    )
    expect(again.code).toBe(0)
    await smalti('segment', join(folder, 'again.smalti'))
    await smalti('export', join(folder, 'again.smalti'), '--out', join(folder, 'masks-again'))
    expect(await maskBytes(join(folder, 'masks-again')), 'the same seed and backend give the same masks').toEqual(
      await maskBytes(out)
    )
  })

  it('makes classes of clusters step by step, exports them, and undoes and redoes steps', async () => {
    const project = join(folder, 'classes.smalti')
    await cp(join(folder, 'whole.smalti'), project, { recursive: true })
    const classes = async (...more: string[]): Promise<CommandOutput<'classes'>> => {
      const finished = await smalti('classes', project, ...more, '--json')
      expect(finished.code, finished.stderr).toBe(0)
      return json<CommandOutput<'classes'>>(finished)
    }
    const found = await classes()
    expect([found.scheme.classes.length, found.steps, found.pixels!.reduce((sum, n) => sum + n)]).toEqual([
      8,
      ['Original clusters'],
      3 * 128 * 128
    ])
    const made = await classes(
      '--merge',
      '3,7',
      '--merge',
      '1,2',
      '--name',
      'Water',
      '--rename',
      '3=Forest',
      '--recolour',
      '3=#00ff00',
      '--ignore',
      '4'
    )
    expect(made.scheme.classes.map(({ id, name, ignored }) => [id, name, ignored])).toEqual([
      [0, 'Water', false],
      [2, 'Forest', false],
      [3, 'Cluster 4', true],
      [4, 'Cluster 5', false],
      [5, 'Cluster 6', false],
      [7, 'Cluster 8', false]
    ])
    expect(made.pixels![0]).toBe(found.pixels![0] + found.pixels![1])
    expect(made.steps).toEqual([
      'Original clusters',
      'Merge Cluster 3 and Cluster 7',
      'Merge Cluster 1 and Cluster 2',
      'Rename Cluster 3 to Forest',
      'Recolour Forest',
      'Ignore Cluster 4'
    ])
    const out = join(folder, 'classes-out')
    await smalti('export', project, '--out', out)
    const values = [...(await sharp(join(out, 'scene 1.png')).raw().toBuffer())]
    const before = [
      ...(await sharp(join(folder, 'masks', 'scene 1.png'))
        .raw()
        .toBuffer())
    ]
    expect(values).toEqual(before.map((cluster) => [0, 0, 1, 255, 3, 4, 1, 5][cluster]))
    expect(
      (JSON.parse(await readFile(join(out, 'classes.json'), 'utf8')) as { classes: { name: string; colour: string }[] })
        .classes[1]
    ).toMatchObject({ name: 'Forest', colour: '#00ff00' })

    expect((await classes('--undo', '2')).scheme.classes.find(({ id }) => id === 2)!.colour).toBe(
      found.scheme.classes[2].colour
    )
    expect((await classes('--redo')).cursor).toBe(4)
    expect((await classes('--redo')).scheme).toEqual(made.scheme)
    const cut = await classes('--cut', '5')
    expect([cut.scheme.classes.length, cut.steps.at(-1)]).toEqual([5, 'Set to 5 classes'])
    await classes('--undo')
    const file = join(folder, 'made.json')
    await classes('--export', file)
    const other = join(folder, 'again.smalti')
    expect(json<CommandOutput<'classes'>>(await smalti('classes', other, '--import', file, '--json')).scheme).toEqual(
      made.scheme
    )
    expect((await smalti('classes', project, '--history')).stdout).toContain('→ 5  Ignore Cluster 4')
    await smalti('classes', project, '--rename', '1=Water & <b>roads</b>')
    const report = join(folder, 'report')
    expect(
      json<CommandOutput<'export'>>(await smalti('export', project, '--format', 'report', '--out', report, '--json'))
    ).toMatchObject({ files: 1, format: 'report' })
    const page = await readFile(join(report, 'report.html'), 'utf8')
    expect(page).toContain('Water &#38; &#60;b&#62;roads&#60;/b&#62;')
    expect(page).toContain('Cluster 4 <small>ignored</small>')
    expect(page.match(/data:image\/webp;base64,/g)).toHaveLength(2 * 3)
    // The page loads nothing from outside.
    expect(page.match(/(src|href)="(?!data:)|url\(|<script|@import/g)).toBeNull()
    expect(page).toMatch(/smalti train \S+ --project \S+ --over 8 --steps 25 --seed 3 --backend onnxruntime/)
    const shares = [...page.matchAll(/<td>(\d+\.\d) %<\/td>/g)].map(([, share]) => Number(share))
    expect(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 100)).toBeLessThan(0.5)
    for (const [args, words] of [
      [['--merge', '1'], 'two or more'],
      [['--merge', '2,2'], 'two or more'],
      [['--name', 'Water'], '--name: use it with --merge']
    ] as const) {
      expect(await smalti('classes', project, ...args)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(words) as string
      })
    }
    const refused = await smalti('classes', project, '--merge', '1,99')
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('there is no class 99')])
    expect((await smalti('classes', project, '--rename', 'Water')).code).toBe(2)
    // Commands that run at the same time wait for each other: each makes a step, and none is lost.
    const together = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => smalti('classes', other, '--rename', `1=${name}`))
    )
    expect(together.map(({ code }) => code)).toEqual([0, 0, 0, 0])
    expect(json<CommandOutput<'classes'>>(await smalti('classes', other, '--json')).steps).toHaveLength(2 + 4)
  })

  it('scores only the values that the truth map names', async () => {
    const map = join(folder, 'map.json')
    await writeFile(map, '{"0": 0, "1": 1, "4": 1}')
    const project = join(folder, 'whole.smalti')
    const { classes, pixels } = json<CommandOutput<'evaluate'>>(
      await smalti(
        'evaluate',
        project,
        '--truth',
        scenes.truth,
        '--truth-map',
        map,
        '--head',
        'B',
        '--mapping',
        'hungarian',
        '--json'
      )
    )
    expect(classes).toEqual([0, 1])
    expect(pixels).toBeLessThan(3 * 128 * 128)
  })

  it('requires a truth map for coloured masks, and then scores them like masks of values', async () => {
    const [project, coloured, map] = [
      join(folder, 'whole.smalti'),
      join(folder, 'coloured'),
      join(folder, 'colours.json')
    ]
    const values = new Set<number>()
    for (const name of (await readdir(scenes.truth, { recursive: true })).filter((entry) => entry.endsWith('.png'))) {
      const { data, info } = await sharp(join(scenes.truth, name))
        .toColourspace('b-w')
        .raw()
        .toBuffer({ resolveWithObject: true })
      const colours = Buffer.alloc(3 * data.length)
      data.forEach((value, i) => colours.set([200, 10 * value, 40], 3 * i))
      data.forEach((value) => values.add(value))
      await mkdir(join(coloured, name, '..'), { recursive: true })
      await sharp(colours, { raw: { width: info.width, height: info.height, channels: 3 } })
        .png()
        .toFile(join(coloured, name))
    }
    const refused = await smalti('evaluate', project, '--truth', coloured)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('not class numbers')])
    await writeFile(
      map,
      JSON.stringify(
        Object.fromEntries([...values].map((value) => [`#c8${(10 * value).toString(16).padStart(2, '0')}28`, value]))
      )
    )
    const [byColour, byValue] = [
      ['--truth', coloured, '--truth-map', map],
      ['--truth', scenes.truth]
    ].map((truth) => smalti('evaluate', project, ...truth, '--json'))
    expect(json<CommandOutput<'evaluate'>>(await byColour)).toEqual(json<CommandOutput<'evaluate'>>(await byValue))
  })

  it('returns the accuracy by number of decisions, and the error rate near boundaries', async () => {
    const { accuracy, curve, boundary, pixels } = json<CommandOutput<'evaluate'>>(
      await smalti(
        'evaluate',
        join(folder, 'whole.smalti'),
        '--truth',
        scenes.truth,
        '--curve',
        '--boundary',
        '5',
        '--json'
      )
    )
    expect(curve).toHaveLength(8)
    expect(curve![7]).toBeCloseTo(accuracy, 9)
    curve!.slice(1).forEach((value, i) => expect(value).toBeGreaterThanOrEqual(curve![i]))
    expect(boundary!.pixels).toBeGreaterThan(0)
    expect(boundary!.pixels).toBeLessThan(pixels)
    expect(boundary!.errorRate).toBeGreaterThan(0)
    const refused = await smalti(
      'evaluate',
      join(folder, 'whole.smalti'),
      '--truth',
      scenes.truth,
      '--curve',
      '--head',
      'B'
    )
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('head A')])
  })

  it('shows more than one class in a preview', async () => {
    const project = join(folder, 'preview.smalti')
    await smalti('train', scenes.images, '--project', project, ...TRAIN, '--preset', 'preview')
    await smalti('segment', project)
    const { accuracy, majority } = json<CommandOutput<'evaluate'>>(
      await smalti('evaluate', project, '--truth', scenes.truth, '--json')
    )
    expect(accuracy).toBeGreaterThan(majority + 0.1)
  })
})
