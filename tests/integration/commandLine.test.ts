import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { type CommandOutput } from '../../src-main/contract/commands.ts'
import { LEARNT_METHODS, METHODS, type RecipeChanges } from '../../src-main/contract/recipe.ts'
import { BACKENDS } from '../../src-main/contract/settings.ts'
import { uniformFrom } from '../../src-main/learning/random.ts'
import '../fixtures/gpu.ts'
import { drawNetwork } from '../fixtures/network.ts'
import { type Finished, drawScenes, json, start, temporaryFolder, smalti } from '../fixtures/commandLine.ts'

const TRAIN = ['--classes', '5', '--over', '8', '--seed', '3', '--backend', 'onnxruntime']
let folder: string
let scenes: { images: string; truth: string }

beforeAll(async () => {
  folder = await temporaryFolder()
  scenes = await drawScenes(folder, 3, 192)
})

async function maskBytes(out: string): Promise<Record<string, string>> {
  const names = (await readdir(out, { recursive: true })).filter((name) => name.endsWith('.png'))
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, (await readFile(join(out, name))).toString('base64')] as const)))
}

describe('the whole job', () => {
  it('goes from a folder to masks, and says how good they are', async () => {
    const project = join(folder, 'whole.smalti')
    const trained = await smalti('train', scenes.images, '--project', project, ...TRAIN, '--steps', '25', '--json')
    expect(trained.code, trained.stderr).toBe(0)
    expect(json<CommandOutput<'train'>>(trained)).toMatchObject({ steps: 25, images: 3, backend: 'onnxruntime', resumedFrom: 0 })
    const segmented = json<CommandOutput<'segment'>>(await smalti('segment', project, '--json'))
    expect(segmented).toMatchObject({ images: 3, skipped: [] })
    const out = join(folder, 'masks')
    expect(json<CommandOutput<'export'>>(await smalti('export', project, '--format', 'png', '--out', out, '--json')).files).toBe(3)
    expect(Object.keys(await maskBytes(out)).sort()).toEqual(['north/scene 0.png', 'scene 1.png', 'scene 2.png'])
    const mask = await sharp(join(out, 'scene 1.png')).metadata()
    expect(mask).toMatchObject({ width: 192, height: 192, channels: 1, depth: 'uchar' })
    const classes = JSON.parse(await readFile(join(out, 'classes.json'), 'utf8')) as { classes: unknown[] }
    expect(classes.classes).toHaveLength(8)
    const evaluated = json<CommandOutput<'evaluate'>>(await smalti('evaluate', project, '--truth', scenes.truth, '--json'))
    expect(evaluated.pixels).toBe(3 * 192 * 192)
    expect(evaluated.accuracy).toBeGreaterThanOrEqual(evaluated.majority)
    const again = await smalti('train', scenes.images, '--project', join(folder, 'again.smalti'), ...TRAIN, '--steps', '25', '--json')
    expect(again.code).toBe(0)
    await smalti('segment', join(folder, 'again.smalti'))
    await smalti('export', join(folder, 'again.smalti'), '--out', join(folder, 'masks-again'))
    expect(await maskBytes(join(folder, 'masks-again')), 'the same seed and backend give the same masks').toEqual(await maskBytes(out))
  })

  it('makes classes of clusters step by step, exports them, and goes back and forth', async () => {
    const project = join(folder, 'classes.smalti')
    await cp(join(folder, 'whole.smalti'), project, { recursive: true })
    const classes = async (...more: string[]): Promise<CommandOutput<'classes'>> => {
      const finished = await smalti('classes', project, ...more, '--json')
      expect(finished.code, finished.stderr).toBe(0)
      return json<CommandOutput<'classes'>>(finished)
    }
    const found = await classes()
    expect([found.scheme.classes.length, found.steps, found.pixels!.reduce((sum, n) => sum + n)]).toEqual([8, ['As they were found'], 3 * 192 * 192])
    const made = await classes('--merge', '3,7', '--merge', '1,2', '--name', 'Water', '--rename', '3=Forest', '--recolour', '3=#00ff00', '--ignore', '4')
    expect(made.scheme.classes.map(({ id, name, ignored }) => [id, name, ignored])).toEqual([[0, 'Water', false], [2, 'Forest', false], [3, 'Cluster 4', true], [4, 'Cluster 5', false], [5, 'Cluster 6', false], [7, 'Cluster 8', false]])
    expect(made.pixels![0]).toBe(found.pixels![0] + found.pixels![1])
    expect(made.steps).toEqual(['As they were found', 'Merge Cluster 3 and Cluster 7', 'Merge Cluster 1 and Cluster 2', 'Rename Cluster 3 to Forest', 'Recolour Forest', 'Ignore Cluster 4'])
    const out = join(folder, 'classes-out')
    await smalti('export', project, '--out', out)
    const values = [...(await sharp(join(out, 'scene 1.png')).raw().toBuffer())]
    const before = [...(await sharp(join(folder, 'masks', 'scene 1.png')).raw().toBuffer())]
    expect(values).toEqual(before.map((cluster) => [0, 0, 1, 255, 3, 4, 1, 5][cluster]))
    expect((JSON.parse(await readFile(join(out, 'classes.json'), 'utf8')) as { classes: { name: string; colour: string }[] }).classes[1]).toMatchObject({ name: 'Forest', colour: '#00ff00' })

    expect((await classes('--undo', '2')).scheme.classes.find(({ id }) => id === 2)!.colour).toBe(found.scheme.classes[2].colour)
    expect((await classes('--redo')).cursor).toBe(4)
    expect((await classes('--redo')).scheme).toEqual(made.scheme)
    const cut = await classes('--cut', '5')
    expect([cut.scheme.classes.length, cut.steps.at(-1)]).toEqual([5, 'Cut into 5 classes'])
    await classes('--undo')
    const file = join(folder, 'made.json')
    await classes('--export', file)
    const other = join(folder, 'again.smalti')
    expect(json<CommandOutput<'classes'>>(await smalti('classes', other, '--import', file, '--json')).scheme).toEqual(made.scheme)
    expect((await smalti('classes', project, '--history')).stdout).toContain('→ 5  Ignore Cluster 4')
    await smalti('classes', project, '--rename', '1=Water & <b>roads</b>')
    const report = join(folder, 'report')
    expect(json<CommandOutput<'export'>>(await smalti('export', project, '--format', 'report', '--out', report, '--json'))).toMatchObject({ files: 1, format: 'report' })
    const page = await readFile(join(report, 'report.html'), 'utf8')
    expect(page).toContain('Water &#38; &#60;b&#62;roads&#60;/b&#62;')
    expect(page).toContain('Cluster 4 <small>ignored</small>')
    expect(page.match(/data:image\/webp;base64,/g)).toHaveLength(2 * 3)
    // It needs nothing but itself.
    expect(page.match(/(src|href)="(?!data:)|url\(|<script|@import/g)).toBeNull()
    expect(page).toMatch(/smalti train \S+ --project \S+ --over 8 --steps 25 --seed 3 --backend onnxruntime/)
    const shares = [...page.matchAll(/<td>(\d+\.\d) %<\/td>/g)].map(([, share]) => Number(share))
    expect(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 100)).toBeLessThan(0.5)
    for (const [args, words] of [[['--merge', '1'], 'two or more'], [['--merge', '2,2'], 'two or more'], [['--name', 'Water'], '--name: it goes with --merge']] as const) {
      expect(await smalti('classes', project, ...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(words) as string })
    }
    const refused = await smalti('classes', project, '--merge', '1,99')
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('there is no class 99')])
    expect((await smalti('classes', project, '--rename', 'Water')).code).toBe(2)
    // Several at a time wait for each other: each is a step, and none is lost.
    const together = await Promise.all(['a', 'b', 'c', 'd'].map((name) => smalti('classes', other, '--rename', `1=${name}`)))
    expect(together.map(({ code }) => code)).toEqual([0, 0, 0, 0])
    expect(json<CommandOutput<'classes'>>(await smalti('classes', other, '--json')).steps).toHaveLength(2 + 4)
  })

  it('scores only what the truth map names', async () => {
    const map = join(folder, 'map.json')
    await writeFile(map, '{"0": 0, "1": 1, "4": 1}')
    const project = join(folder, 'whole.smalti')
    const { classes, pixels } = json<CommandOutput<'evaluate'>>(await smalti('evaluate', project, '--truth', scenes.truth, '--truth-map', map, '--head', 'B', '--mapping', 'hungarian', '--json'))
    expect(classes).toEqual([0, 1])
    expect(pixels).toBeLessThan(3 * 192 * 192)
  })

  it('measures which backend is the fastest once, and remembers it', async () => {
    const train = (project: string, ...more: string[]): Promise<Finished> =>
      smalti('train', scenes.images, '--project', join(folder, project), '--classes', '5', '--over', '8', '--steps', '2', '--recipe', join(folder, 'tiny.json'), '--backend', 'auto', '--json', ...more)
    await writeFile(join(folder, 'tiny.json'), '{"layers":"8s2,M,8","pairs":2,"crop":64}')
    const measured = json<CommandOutput<'train'>>(await train('measured.smalti', '--retime'))
    expect(measured.backendChosen).toBe('measured')
    const remembered = json<CommandOutput<'train'>>(await train('remembered.smalti'))
    expect([remembered.backendChosen, remembered.backend]).toEqual(['remembered', measured.backend])
  })

  it('takes truth in colours only where it is told which class each is, and then scores it alike', async () => {
    const [project, coloured, map] = [join(folder, 'whole.smalti'), join(folder, 'coloured'), join(folder, 'colours.json')]
    const values = new Set<number>()
    for (const name of (await readdir(scenes.truth, { recursive: true })).filter((entry) => entry.endsWith('.png'))) {
      const { data, info } = await sharp(join(scenes.truth, name)).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true })
      const colours = Buffer.alloc(3 * data.length)
      data.forEach((value, i) => colours.set([200, 10 * value, 40], 3 * i))
      data.forEach((value) => values.add(value))
      await mkdir(join(coloured, name, '..'), { recursive: true })
      await sharp(colours, { raw: { width: info.width, height: info.height, channels: 3 } }).png().toFile(join(coloured, name))
    }
    const refused = await smalti('evaluate', project, '--truth', coloured)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--truth-map')])
    await writeFile(map, JSON.stringify(Object.fromEntries([...values].map((value) => [`#c8${(10 * value).toString(16).padStart(2, '0')}28`, value]))))
    const [byColour, byValue] = [['--truth', coloured, '--truth-map', map], ['--truth', scenes.truth]].map((truth) => smalti('evaluate', project, ...truth, '--json'))
    expect(json<CommandOutput<'evaluate'>>(await byColour)).toEqual(json<CommandOutput<'evaluate'>>(await byValue))
  })

  it('tells what decisions are worth, and how many errors lie near a boundary', async () => {
    const { accuracy, curve, boundary, pixels } = json<CommandOutput<'evaluate'>>(await smalti('evaluate', join(folder, 'whole.smalti'), '--truth', scenes.truth, '--curve', '--boundary', '5', '--json'))
    expect(curve).toHaveLength(8)
    expect(curve![7]).toBeCloseTo(accuracy, 9)
    curve!.slice(1).forEach((value, i) => expect(value).toBeGreaterThanOrEqual(curve![i]))
    expect(boundary!.pixels).toBeGreaterThan(0)
    expect(boundary!.pixels).toBeLessThan(pixels)
    expect(boundary!.errorRate).toBeGreaterThan(0)
    const refused = await smalti('evaluate', join(folder, 'whole.smalti'), '--truth', scenes.truth, '--curve', '--head', 'B')
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('head A')])
  })

  it.each(METHODS.filter((method) => !(LEARNT_METHODS as readonly string[]).includes(method) && method !== 'features'))('clusters by %s in seconds, and segments with it', async (method) => {
    const project = join(folder, `${method}.smalti`)
    const clustered = json<CommandOutput<'train'>>(await smalti('train', scenes.images, '--project', project, ...TRAIN, '--method', method, '--json'))
    expect(clustered).toMatchObject({ method, steps: 0, images: 3 })
    expect(json<CommandOutput<'segment'>>(await smalti('segment', project, '--json')).images).toBe(3)
    const evaluated = json<CommandOutput<'evaluate'>>(await smalti('evaluate', project, '--truth', scenes.truth, '--json'))
    expect(evaluated.accuracy).toBeGreaterThanOrEqual(evaluated.majority)
  })

  it('shows more in a preview than the largest class', async () => {
    const project = join(folder, 'preview.smalti')
    await smalti('train', scenes.images, '--project', project, ...TRAIN, '--preset', 'preview')
    await smalti('segment', project)
    const { accuracy, majority } = json<CommandOutput<'evaluate'>>(await smalti('evaluate', project, '--truth', scenes.truth, '--json'))
    expect(accuracy).toBeGreaterThan(majority + 0.1)
  })

  it('clusters the features of any network with a place for every part of an image, and keeps to that very network', async () => {
    const [own, other] = [join(folder, 'network.onnx'), join(folder, 'other.onnx')]
    await drawNetwork(own, { tokens: true, notes: { image_mean: '[0.4]', image_std: '[0.3]' } })
    await drawNetwork(other, { side: 64 })
    const labelled = async (name: string, network: string, ...more: string[]): Promise<Record<string, string>> => {
      const project = join(folder, name)
      const trained = await smalti('train', scenes.images, '--project', project, ...TRAIN, '--features', network, ...more, '--json')
      expect(trained.code, trained.stderr).toBe(0)
      expect(json<CommandOutput<'train'>>(trained)).toMatchObject({ method: 'features', images: 3, steps: 0 })
      expect((await smalti('segment', project)).code).toBe(0)
      for (const head of ['A', 'B']) await smalti('export', project, '--head', head, '--out', join(folder, `${name}-${head}`))
      return maskBytes(join(folder, `${name}-A`))
    }
    const found = await labelled('features.smalti', own)
    const project = join(folder, 'features.smalti')
    const { accuracy, majority } = json<CommandOutput<'evaluate'>>(await smalti('evaluate', project, '--truth', scenes.truth, '--curve', '--json'))
    expect(accuracy).toBeGreaterThan(majority + 0.1)
    expect(new Set((await sharp(join(folder, 'features.smalti-B', 'scene 1.png')).raw().toBuffer()).filter((value) => value !== 255)).size).toBeLessThanOrEqual(5)
    expect(await labelled('features-again.smalti', own)).toEqual(found)
    // Whether the numbers are the network's own or given, they count.
    expect(await labelled('features-given.smalti', own, '--features-mean', '0.4,0.4,0.4', '--features-std', '0.3')).toEqual(found)
    expect(await labelled('features-unlike.smalti', own, '--features-mean', '0', '--features-std', '1')).not.toEqual(found)
    await labelled('features-fixed.smalti', other)
    const portable = await smalti('export', project, '--format', 'onnx', '--out', join(folder, 'features-onnx'))
    expect([portable.code, portable.stderr]).toEqual([2, expect.stringContaining('network.onnx, which cannot be joined')])
    await cp(other, own)
    const changed = await smalti('segment', project)
    expect([changed.code, changed.stderr]).toEqual([2, expect.stringContaining('the file has changed since the run was made')])
    await rm(own)
    const gone = await smalti('segment', project)
    expect([gone.code, gone.stderr]).toEqual([2, expect.stringContaining('there is no such file')])
  })

  it('refuses networks that cannot do it, each in its words', async () => {
    const refused = async (reason: string, options: Parameters<typeof drawNetwork>[1], ...more: string[]): Promise<void> => {
      const network = join(folder, 'unfit.onnx')
      await drawNetwork(network, options)
      const { code, stderr } = await smalti('train', scenes.images, '--project', join(folder, 'unfit.smalti'), ...TRAIN, '--features', network, ...more)
      expect([code, stderr]).toEqual([2, expect.stringContaining(reason)])
    }
    await refused('none of its outputs has a place for every part of the image', { pooled: true })
    await refused('it takes 4 bands, and the images have 3', { bands: 4 })
    await refused('it takes 2 bands, and the images have 3; choose which (--bands)', { bands: 2 })
    await refused('it takes 3 bands, and means are given for 2', {}, '--features-mean', '0.1,0.2')
    await refused('the method kmeans-bands does without them', {}, '--method', 'kmeans-bands')
    const without = await smalti('train', scenes.images, '--project', join(folder, 'unfit.smalti'), ...TRAIN, '--method', 'features')
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('--features')])
  })

  it('follows a recipe of all that a preset leaves out, and repeats itself to the bit', async () => {
    const recipe = join(folder, 'recipe.json')
    const changes: RecipeChanges = {
      pairs: 5, objective: 'perDisplacement', displacements: 5, radius: 6, sobel: true, statistics: [9], warmStart: 2, auxiliary: [12], subHeads: 2, headB: 'trained',
      lambda: { A: [1, 1.5], B: 1 }, clip: 5, averaging: 0.9, restarts: { trials: 2, share: 0.2 }, patience: 0.9,
      views: { quarterTurns: true, shift: 20, affine: { degrees: 10, scale: 0.1, shear: 0.05 }, deformation: { strength: 2, smoothness: 12 }, hsv: 0.1, blur: 1, noise: 0.02, adef: { steps: 5 }, wasserstein: { epsilon: 3, eta: 4 }, sinkhorn: { epsilon: 2, steps: 2 } }
    }
    await writeFile(recipe, JSON.stringify(changes))
    const run = async (name: string): Promise<Record<string, string>> => {
      const project = join(folder, name)
      const trained = await smalti('train', scenes.images, '--project', project, ...TRAIN, '--steps', '10', '--recipe', recipe, '--json')
      expect(trained.code, trained.stderr).toBe(0)
      expect(json<CommandOutput<'train'>>(trained).report!.heads.map(({ name: head, masses }) => [head, masses.length])).toEqual([['A', 8], ['B', 5], ['C1', 12]])
      await smalti('segment', project)
      await smalti('export', project, '--out', join(folder, `${name}-masks`))
      return maskBytes(join(folder, `${name}-masks`))
    }
    expect(await run('rich.smalti')).toEqual(await run('rich-again.smalti'))
  })

  it.each(['deep-infomax', 'co-occurrence', 'context', 'exemplar', 'adaptive', 'embedded', 'sift'])('learns by %s, labels, tells who is alike, and gives the same masks for the same seed', async (method) => {
    const run = async (name: string): Promise<Record<string, string>> => {
      const project = join(folder, name)
      const recipe = join(folder, `${method}.json`)
      await writeFile(recipe, JSON.stringify({ pairs: 4, width: 0.25 } satisfies RecipeChanges))
      const trained = json<CommandOutput<'train'>>(await smalti('train', scenes.images, '--project', project, ...TRAIN, '--method', method, '--recipe', recipe, '--steps', '4', '--json'))
      expect(trained).toMatchObject({ method, steps: method === 'sift' ? 0 : 4 })
      if (method !== 'sift') expect(Number.isFinite(trained.report?.heads[0].information)).toBe(true)
      expect((await smalti('segment', project)).code).toBe(0)
      if (!['adaptive', 'embedded'].includes(method)) expect((await smalti('classes', project, '--cut', '3')).stdout).toContain('3 classes of 8 clusters')
      expect((await smalti('export', project, '--out', join(folder, `${name}-masks`), '--what', 'clusters')).code).toBe(0)
      return maskBytes(join(folder, `${name}-masks`))
    }
    const masks = await run(`${method}.smalti`)
    const model = await smalti('export', join(folder, `${method}.smalti`), '--format', 'onnx', '--out', join(folder, `${method}-model`))
    expect(method === 'sift' ? [model.code, model.stderr.includes('no network')] : model.code).toEqual(method === 'sift' ? [2, true] : 0)
    if (['deep-infomax', 'adaptive'].includes(method)) expect(await run(`${method}-again.smalti`)).toEqual(masks)
  })

  it('begins by another method where a recipe says so, and refuses to without anything that could learn', async () => {
    const recipe = join(folder, 'pretrained.json')
    await writeFile(recipe, JSON.stringify({ pairs: 2, crop: 64, pretrain: { method: 'context', share: 0.5 } } satisfies RecipeChanges))
    const project = join(folder, 'pretrained.smalti')
    const trained = json<CommandOutput<'train'>>(await smalti('train', scenes.images, '--project', project, ...TRAIN, '--recipe', recipe, '--steps', '8', '--json'))
    expect(trained).toMatchObject({ method: 'information', steps: 4 })
    const told = json<CommandOutput<'diagnose'>>(await smalti('diagnose', project, '--json'))
    expect(told.information).toBeGreaterThan(0)
    expect(json<CommandOutput<'runs'>>(await smalti('runs', project, '--json')).runs[0].diagnosis).toMatchObject({ steps: 4, information: told.information })
    await smalti('segment', project)
    await smalti('export', project, '--format', 'report', '--out', join(folder, 'diagnosed'))
    expect(await readFile(join(folder, 'diagnosed', 'report.html'), 'utf8')).toContain(`tell at least ${told.information.toFixed(2)} nats`)
    const kept = join(project, 'runs', 'run-0001', 'diagnosis.json')
    await writeFile(kept, (await readFile(kept, 'utf8')).replace('"steps": 4', '"steps": 3'))
    expect(json<CommandOutput<'runs'>>(await smalti('runs', project, '--json')).runs[0].diagnosis, 'of weights that have gone on learning').toBeUndefined()
    await writeFile(recipe, JSON.stringify({ layers: 'A,A', pretrain: { method: 'context', share: 0.5 } } satisfies RecipeChanges))
    expect((await smalti('train', scenes.images, '--project', join(folder, 'flat.smalti'), ...TRAIN, '--recipe', recipe, '--steps', '8')).stderr).toContain('no convolution that could learn')
  })

  it('says which part of a recipe it does not understand', async () => {
    const recipe = join(folder, 'wrong.json')
    await writeFile(recipe, '{"radius": 5, "views": {"shft": 3}}')
    const finished = await smalti('train', scenes.images, '--project', join(folder, 'wrong.smalti'), ...TRAIN, '--recipe', recipe)
    expect(finished.code).toBe(2)
    expect(finished.stderr).toContain('shft')
  })

  it('groups whole images into a table, a contact sheet and sub-folders', async () => {
    const out = join(folder, 'grouped')
    const grouped = json<CommandOutput<'group'>>(await smalti('group', scenes.images, '--out', out, '--groups', '2', '--steps', '3', '--copies', '--backend', 'onnxruntime', '--json'))
    expect(grouped).toMatchObject({ images: 3, steps: 3 })
    expect(grouped.sizes.reduce((a, b) => a + b)).toBe(3)
    const rows = (await readFile(join(out, 'groups.csv'), 'utf8')).trim().split('\r\n')
    expect(rows[0]).toBe('path,group,name,confidence')
    for (const row of rows.slice(1)) {
      const [path, group] = row.split(',')
      const copy = await readFile(join(out, `group-0${group}`, path))
      expect(copy.equals(await readFile(join(scenes.images, path)))).toBe(true)
    }
    expect(await sharp(join(out, 'contact-sheet.png')).metadata()).toMatchObject({ format: 'png', channels: 3 })
    const project = join(folder, 'grouped.smalti')
    expect((await smalti('groups', project)).stderr).toContain('no Smalti project')
    await smalti('group', scenes.images, '--project', project, '--groups', '2', '--steps', '3', '--backend', 'onnxruntime')
    const [image] = rows[1].split(',')
    const changed = await smalti('groups', project, '--add', 'Mine', '--move', `${image}=3`, '--rename', '3=Ours', '--history')
    expect(changed.stdout).toContain('1  Ours')
    const again = json<CommandOutput<'groups'>>(await smalti('groups', project, '--undo', '2', '--json'))
    expect(again.history).toMatchObject({ done: 1, edits: [{ kind: 'add' }, { kind: 'move', paths: [image], to: 2 }, { kind: 'rename' }] })
    await smalti('groups', project, '--redo', '--out', join(folder, 'grouped-again'), '--copies')
    expect((await readFile(join(folder, 'grouped-again', 'group-03 Mine', image))).equals(await readFile(join(scenes.images, image)))).toBe(true)
    const among = json<{ error: { name: string } }>(await smalti('group', scenes.images, '--out', join(scenes.images, 'sorted'), '--groups', '2', '--steps', '3', '--json'))
    expect(among.error.name).toBe('AmongImages')
    for (const method of ['deep-infomax', 'exemplar', 'adaptive', 'random-cnn']) expect((await smalti('group', scenes.images, '--out', join(folder, `grouped-${method}`), '--method', method, '--groups', '2', '--steps', '3', '--backend', 'onnxruntime')).stderr).not.toContain('wrong')
    const few = await smalti('group', scenes.images, '--out', out, '--groups', '9', '--json')
    expect(few.code).toBe(2)
    expect(json<{ error: { name: string } }>(few).error.name).toBe('NotEnoughImages')
  })

  it('tells what it runs on', async () => {
    const info = json<CommandOutput<'info'>>(await smalti('info', '--json'))
    expect(info.backends.map(({ name }) => name)).toEqual([...BACKENDS])
    for (const { used, device, reason } of info.backends) expect(used ? device : reason).toBeDefined()
  })

  it('learns and labels on WebGPU, or says why it cannot', async () => {
    const recipe = join(folder, 'tiny.json')
    await writeFile(recipe, JSON.stringify({ layers: '8,M,8', width: 1, pairs: 1, crop: 32, statistics: [], warmStart: 0, refit: null } satisfies RecipeChanges))
    const project = join(folder, 'gpu.smalti')
    const { backends } = json<CommandOutput<'info'>>(await smalti('info', '--json'))
    const { used, reason } = backends.find(({ name }) => name === 'webgpu')!
    const train = ['train', scenes.images, '--project', project, '--classes', '3', '--over', '6', '--recipe', recipe, '--steps', '3', '--backend', 'webgpu', '--json']
    const trained = await smalti(...train)
    if (!used) {
      console.warn(`NOT TESTED: ${reason}`)
      expect(trained.code).toBe(2)
      expect(json<{ error: { name: string } }>(trained).error.name).toBe('BackendUnavailable')
      return
    }
    expect(json<CommandOutput<'train'>>(trained), trained.stderr).toMatchObject({ steps: 3, backend: 'webgpu' })
    const out = async (backend: string): Promise<Record<string, string>> => {
      expect((await smalti('segment', project, '--backend', backend)).code).toBe(0)
      await smalti('export', project, '--out', join(folder, backend))
      return maskBytes(join(folder, backend))
    }
    const [there, here] = [await out('webgpu'), await out('onnxruntime')]
    expect(Object.keys(there)).toHaveLength(3)
    expect(there).toEqual(here)
  })
})

describe('bad input', () => {
  async function expectNamed(name: string, ...args: string[]): Promise<void> {
    const finished = await smalti(...args, '--json')
    expect(finished.code, finished.stderr).toBe(2)
    expect(json<{ error: { name: string } }>(finished).error.name).toBe(name)
    expect(finished.stderr).not.toMatch(/\n {4}at /)
    expect(finished.stderr.trim().length).toBeGreaterThan(10)
  }
  const train = (images: string, project = join(folder, 'bad.smalti')): string[] => ['train', images, '--project', project, ...TRAIN, '--steps', '2']

  it('is named: a folder that is empty, absent, without images, without readable ones', async () => {
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
    await sharp(new Uint8Array(3), { raw: { width: 1, height: 1, channels: 3 } }).png().toFile(join(tiny, 'one.png'))
    await expectNamed('NotEnoughPixels', ...train(tiny))
  })

  it('is skipped where other images are good', async () => {
    const mixed = join(folder, 'mixed')
    await cp(scenes.images, mixed, { recursive: true })
    const whole = await readFile(join(mixed, 'scene 1.png'))
    await writeFile(join(mixed, 'half.png'), whole.subarray(0, whole.length / 2))
    await writeFile(join(mixed, 'garbled.png'), Buffer.concat([whole.subarray(0, 200), Buffer.alloc(whole.length - 400, 7), whole.subarray(-200)]))
    await sharp(new Uint8Array(3), { raw: { width: 1, height: 1, channels: 3 } }).png().toFile(join(mixed, 'one.png'))
    const trained = await smalti(...train(mixed, join(folder, 'mixed.smalti')), '--json')
    expect(trained.code, trained.stderr).toBe(0)
    const { skipped, images } = json<CommandOutput<'train'>>(trained)
    expect(skipped.map(({ path }) => path).sort()).toEqual(['garbled.png', 'half.png', 'one.png'])
    expect(images).toBe(3)
    const segmented = json<CommandOutput<'segment'>>(await smalti('segment', join(folder, 'mixed.smalti'), '--json'))
    expect(segmented.skipped.map(({ path }) => path).sort()).toEqual(['garbled.png', 'half.png'])
    expect(segmented.images).toBe(4)
  })

  it('is named: a project that is absent, untrained, unsegmented', async () => {
    await expectNamed('ProjectNotFound', 'segment', join(folder, 'nowhere.smalti'))
    const project = join(folder, 'untrained.smalti')
    await mkdir(project)
    await writeFile(join(project, 'project.json'), JSON.stringify({ format: 1, images: scenes.images }))
    await expectNamed('NothingTrained', 'segment', project)
    await expectNamed('NothingSegmented', 'export', project, '--out', join(folder, 'out'))
  })

  it('is refused with the usage: unknown options and values out of range', async () => {
    for (const args of [['train'], [...train(scenes.images), '--classes', '1'], [...train(scenes.images), '--scale', '2'], ['fly'], ['segment', 'p', '--quickly']]) {
      expect((await smalti(...args)).code).toBe(2)
    }
  })

  it('shows examples in every help', async () => {
    for (const command of ['train', 'segment', 'evaluate', 'export', 'info']) {
      const { code, stdout } = await smalti(command, '--help')
      expect(code).toBe(0)
      expect(stdout).toContain(`$ smalti ${command}`)
    }
  })
})

/** Mounts a small file system, where the machine allows it. */
function mount(path: string, options: string): boolean {
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path])
  if (status !== 0) console.warn('NOT TESTED: a file system cannot be mounted here')
  return status === 0
}

describe('file systems that refuse', () => {
  it('are named, and what was saved before is intact', async () => {
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
      const readOnly = await smalti('train', scenes.images, '--project', join(disk, 'q'), ...TRAIN, '--steps', '5', '--json')
      expect(readOnly.code).toBe(2)
      expect(json<{ error: { name: string } }>(readOnly).error.name).toBe('FolderNotWritable')
    } finally {
      spawnSync('umount', [disk])
    }
  })
})

describe('interruption', () => {
  it('by ctrl-C saves, exits with 130 and goes on from there', async () => {
    const project = join(folder, 'interrupted.smalti')
    const running = start('train', scenes.images, '--project', project, ...TRAIN, '--minutes', '5')
    await new Promise((resolve) => setTimeout(resolve, 6000))
    running.child.kill('SIGINT')
    expect((await running.finished).code).toBe(130)
    const resumed = json<CommandOutput<'train'>>(await smalti('train', scenes.images, '--project', project, ...TRAIN, '--minutes', '0.05', '--json'))
    expect(resumed.resumedFrom).toBeGreaterThan(0)
  })

  it('after another method began the trunk ends where one that nobody stopped does', async () => {
    const [project, recipe] = [join(folder, 'begun.smalti'), join(folder, 'begun.json')]
    await writeFile(recipe, JSON.stringify({ pairs: 2, crop: 64, pretrain: { method: 'context', share: 0.01 } } satisfies RecipeChanges))
    const train = ['train', scenes.images, '--project', project, ...TRAIN, '--recipe', recipe]
    const running = start(...train, '--minutes', '5')
    const reached = async (): Promise<number> => (existsSync(join(project, 'project.json')) ? (json<CommandOutput<'runs'>>(await smalti('runs', project, '--json')).runs[0]?.steps ?? 0) : 0)
    // Until a checkpoint holds steps of its own.
    while ((await reached()) === 0) await new Promise((resolve) => setTimeout(resolve, 300))
    running.child.kill('SIGINT')
    await running.finished
    const steps = (await reached()) + 150
    const resumed = json<CommandOutput<'train'>>(await smalti(...train, '--steps', String(steps), '--json'))
    expect(resumed.resumedFrom).toBe(steps - 150)
    expect(resumed.steps).toBe(Math.round(0.99 * steps))
    expect(resumed.steps).toBeLessThan(steps)
  })

  it('before the first step leaves the former run in place, whether it was stopped or killed', async () => {
    const project = join(folder, 'former.smalti')
    await smalti('train', scenes.images, '--project', project, ...TRAIN, '--preset', 'preview')
    await smalti('segment', project)
    const former = json<CommandOutput<'classes'>>(await smalti('classes', project, '--json'))
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const running = start('train', scenes.images, '--project', project, ...TRAIN, '--seed', '9', '--minutes', '5')
      while (!(await readdir(join(project, 'runs'))).includes('run-0002')) await new Promise((resolve) => setTimeout(resolve, 20))
      if (signal === 'SIGKILL') spawnSync('pkill', ['-9', '-P', String(running.child.pid)])
      running.child.kill(signal)
      await running.finished
      expect(json<CommandOutput<'classes'>>(await smalti('classes', project, '--json'))).toEqual(former)
      expect((await smalti('export', project, '--out', join(folder, `former-${signal}`))).code).toBe(0)
      if (signal === 'SIGINT') expect(await readdir(join(project, 'runs'))).toEqual(['run-0001'])
    }
    // What a kill left behind goes with the next training.
    const next = await smalti('train', scenes.images, '--project', project, ...TRAIN, '--steps', '2', '--json')
    expect([next.code, await readdir(join(project, 'runs'))]).toEqual([0, ['run-0001', 'run-0002']])
  })

  it('by kill -9 at random moments leaves a project that opens and goes on', async () => {
    const project = join(folder, 'killed.smalti')
    const uniform = uniformFrom(9)
    let last = 0
    for (let round = 0; round < 10; round++) {
      const running = start('train', scenes.images, '--project', project, ...TRAIN, '--minutes', '10', '--json')
      await new Promise((resolve) => setTimeout(resolve, 300 + 3000 * uniform()))
      spawnSync('pkill', ['-9', '-P', String(running.child.pid)])
      running.child.kill('SIGKILL')
      await running.finished
      const opened = await smalti('segment', project, '--json')
      const names = ['ProjectNotFound', 'NothingTrained']
      if (opened.code !== 0) expect(names).toContain(json<{ error: { name: string } }>(opened).error.name)
    }
    const done = await smalti('train', scenes.images, '--project', project, ...TRAIN, '--steps', '4', '--json')
    expect(done.code, done.stderr).toBe(0)
    last = json<CommandOutput<'train'>>(done).steps
    expect(last).toBeGreaterThanOrEqual(4)
  })
})
