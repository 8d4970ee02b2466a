import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { type CommandOutput } from '../../src-main/contract/commands.ts'
import { LEARNT_METHODS, METHODS, type RecipeChanges } from '../../src-main/contract/recipe.ts'
import '../fixtures/gpu.ts'
import { drawNetwork } from '../fixtures/network.ts'
import { json, maskBytes, sceneFolder, smalti, TRAIN } from '../fixtures/commandLine.ts'

let folder: string
let scenes: { images: string; truth: string }

beforeAll(async () => void ({ folder, scenes } = await sceneFolder()))

describe('methods', () => {
  it.each(METHODS.filter((method) => !(LEARNT_METHODS as readonly string[]).includes(method) && method !== 'features'))(
    'clusters with %s in seconds and segments the images',
    async (method) => {
      const project = join(folder, `${method}.smalti`)
      const clustered = json<CommandOutput<'train'>>(
        await smalti('train', scenes.images, '--project', project, ...TRAIN, '--method', method, '--json')
      )
      expect(clustered).toMatchObject({ method, steps: 0, images: 3 })
      expect(json<CommandOutput<'segment'>>(await smalti('segment', project, '--json')).images).toBe(3)
      const evaluated = json<CommandOutput<'evaluate'>>(
        await smalti('evaluate', project, '--truth', scenes.truth, '--json')
      )
      expect(evaluated.accuracy).toBeGreaterThanOrEqual(evaluated.majority)
    }
  )

  it('clusters the features of any network with a position per image part, and insists on that network', async () => {
    const [own, other] = [join(folder, 'network.onnx'), join(folder, 'other.onnx')]
    await drawNetwork(own, { tokens: true, notes: { image_mean: '[0.4]', image_std: '[0.3]' } })
    await drawNetwork(other, { side: 64 })
    const labelled = async (name: string, network: string, ...more: string[]): Promise<Record<string, string>> => {
      const project = join(folder, name)
      const trained = await smalti(
        'train',
        scenes.images,
        '--project',
        project,
        ...TRAIN,
        '--features',
        network,
        ...more,
        '--json'
      )
      expect(trained.code, trained.stderr).toBe(0)
      expect(json<CommandOutput<'train'>>(trained)).toMatchObject({ method: 'features', images: 3, steps: 0 })
      expect((await smalti('segment', project)).code).toBe(0)
      for (const head of ['A', 'B'])
        await smalti('export', project, '--head', head, '--out', join(folder, `${name}-${head}`))
      return maskBytes(join(folder, `${name}-A`))
    }
    const found = await labelled('features.smalti', own)
    const project = join(folder, 'features.smalti')
    const { accuracy, majority } = json<CommandOutput<'evaluate'>>(
      await smalti('evaluate', project, '--truth', scenes.truth, '--curve', '--json')
    )
    expect(accuracy).toBeGreaterThan(majority + 0.1)
    expect(
      new Set(
        (
          await sharp(join(folder, 'features.smalti-B', 'scene 1.png'))
            .raw()
            .toBuffer()
        ).filter((value) => value !== 255)
      ).size
    ).toBeLessThanOrEqual(5)
    // Normalisation has the same effect whether its values come from the network's metadata or from options.
    expect(
      await labelled('features-given.smalti', own, '--features-mean', '0.4,0.4,0.4', '--features-std', '0.3')
    ).toEqual(found)
    expect(await labelled('features-unlike.smalti', own, '--features-mean', '0', '--features-std', '1')).not.toEqual(
      found
    )
    await labelled('features-fixed.smalti', other)
    const portable = await smalti('export', project, '--format', 'onnx', '--out', join(folder, 'features-onnx'))
    expect([portable.code, portable.stderr]).toEqual([
      2,
      expect.stringContaining("network.onnx, which can't be exported")
    ])
    await cp(other, own)
    const changed = await smalti('segment', project)
    expect([changed.code, changed.stderr]).toEqual([2, expect.stringContaining('the file has changed since training')])
    await rm(own)
    const gone = await smalti('segment', project)
    expect([gone.code, gone.stderr]).toEqual([2, expect.stringContaining("the file doesn't exist")])
  })

  it('rejects unsuitable networks with a reason', async () => {
    const refused = async (
      reason: string,
      options: Parameters<typeof drawNetwork>[1],
      ...more: string[]
    ): Promise<void> => {
      const network = join(folder, 'unfit.onnx')
      await drawNetwork(network, options)
      const { code, stderr } = await smalti(
        'train',
        scenes.images,
        '--project',
        join(folder, 'unfit.smalti'),
        ...TRAIN,
        '--features',
        network,
        ...more
      )
      expect([code, stderr]).toEqual([2, expect.stringContaining(reason)])
    }
    await refused('none of its outputs is a feature map', { pooled: true })
    await refused('it takes 4 bands; the images have 3', { bands: 4 })
    await refused('it takes 2 bands; the images have 3. Choose which bands to use', { bands: 2 })
    await refused('it takes 3 bands, but 2 means were given', {}, '--features-mean', '0.1,0.2')
    await refused("the method kmeans-bands doesn't use them", {}, '--method', 'kmeans-bands')
    const without = await smalti(
      'train',
      scenes.images,
      '--project',
      join(folder, 'unfit.smalti'),
      ...TRAIN,
      '--method',
      'features'
    )
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('needs the ONNX file')])
  })

  it('follows a recipe of everything that presets leave out, and repeats itself to the bit', async () => {
    const recipe = join(folder, 'recipe.json')
    const changes: RecipeChanges = {
      pairs: 3,
      crop: 64,
      width: 0.25,
      objective: 'perDisplacement',
      displacements: 5,
      radius: 6,
      sobel: true,
      statistics: [9],
      warmStart: 2,
      auxiliary: [12],
      subHeads: 2,
      headB: 'trained',
      lambda: { A: [1, 1.5], B: 1 },
      clip: 5,
      averaging: 0.9,
      restarts: { trials: 2, share: 0.2 },
      patience: 0.9,
      views: {
        quarterTurns: true,
        shift: 20,
        affine: { degrees: 10, scale: 0.1, shear: 0.05 },
        deformation: { strength: 2, smoothness: 12 },
        hsv: 0.1,
        blur: 1,
        noise: 0.02,
        adef: { steps: 5 },
        wasserstein: { epsilon: 3, eta: 4 },
        sinkhorn: { epsilon: 2, steps: 2 }
      }
    }
    await writeFile(recipe, JSON.stringify(changes))
    const run = async (name: string): Promise<Record<string, string>> => {
      const project = join(folder, name)
      const trained = await smalti(
        'train',
        scenes.images,
        '--project',
        project,
        ...TRAIN,
        '--steps',
        '6',
        '--recipe',
        recipe,
        '--json'
      )
      expect(trained.code, trained.stderr).toBe(0)
      expect(
        json<CommandOutput<'train'>>(trained).report!.heads.map(({ name: head, masses }) => [head, masses.length])
      ).toEqual([
        ['A', 8],
        ['B', 5],
        ['C1', 12]
      ])
      await smalti('segment', project)
      await smalti('export', project, '--out', join(folder, `${name}-masks`))
      return maskBytes(join(folder, `${name}-masks`))
    }
    expect(await run('rich.smalti')).toEqual(await run('rich-again.smalti'))
  })

  it.each([...LEARNT_METHODS.filter((method) => method !== 'information'), 'sift'])(
    'trains with %s, segments, suggests merges, and gives the same masks for the same seed',
    async (method) => {
      const run = async (name: string): Promise<Record<string, string>> => {
        const project = join(folder, name)
        const recipe = join(folder, `${method}.json`)
        await writeFile(recipe, JSON.stringify({ pairs: 4, width: 0.25 } satisfies RecipeChanges))
        const trained = json<CommandOutput<'train'>>(
          await smalti(
            'train',
            scenes.images,
            '--project',
            project,
            ...TRAIN,
            '--method',
            method,
            '--recipe',
            recipe,
            '--steps',
            '4',
            '--json'
          )
        )
        expect(trained).toMatchObject({ method, steps: method === 'sift' ? 0 : 4 })
        if (method !== 'sift') expect(Number.isFinite(trained.report?.heads[0].information)).toBe(true)
        expect((await smalti('segment', project)).code).toBe(0)
        if (!['adaptive', 'embedded'].includes(method))
          expect((await smalti('classes', project, '--cut', '3')).stdout).toContain('3 classes from 8 clusters')
        expect(
          (await smalti('export', project, '--out', join(folder, `${name}-masks`), '--what', 'clusters')).code
        ).toBe(0)
        return maskBytes(join(folder, `${name}-masks`))
      }
      const masks = await run(`${method}.smalti`)
      const model = await smalti(
        'export',
        join(folder, `${method}.smalti`),
        '--format',
        'onnx',
        '--out',
        join(folder, `${method}-model`)
      )
      expect(method === 'sift' ? [model.code, model.stderr.includes("aren't a network")] : model.code).toEqual(
        method === 'sift' ? [2, true] : 0
      )
      if (['deep-infomax', 'adaptive'].includes(method)) expect(await run(`${method}-again.smalti`)).toEqual(masks)
    }
  )

  it('pretrains with another method if a recipe asks for it, and refuses if no layer can learn', async () => {
    const recipe = join(folder, 'pretrained.json')
    await writeFile(
      recipe,
      JSON.stringify({
        pairs: 2,
        crop: 64,
        width: 0.25,
        pretrain: { method: 'context', share: 0.5 }
      } satisfies RecipeChanges)
    )
    const project = join(folder, 'pretrained.smalti')
    const trained = json<CommandOutput<'train'>>(
      await smalti('train', scenes.images, '--project', project, ...TRAIN, '--recipe', recipe, '--steps', '8', '--json')
    )
    expect(trained).toMatchObject({ method: 'information', steps: 4 })
    const told = json<CommandOutput<'diagnose'>>(await smalti('diagnose', project, '--json'))
    expect(told.information).toBeGreaterThan(0)
    expect(json<CommandOutput<'runs'>>(await smalti('runs', project, '--json')).runs[0].diagnosis).toMatchObject({
      steps: 4,
      information: told.information
    })
    await smalti('segment', project)
    await smalti('export', project, '--format', 'report', '--out', join(folder, 'diagnosed'))
    expect(await readFile(join(folder, 'diagnosed', 'report.html'), 'utf8')).toContain(
      `at least ${told.information.toFixed(2)} nats (MINE)`
    )
    const kept = join(project, 'runs', 'run-0001', 'diagnosis.json')
    await writeFile(kept, (await readFile(kept, 'utf8')).replace('"steps": 4', '"steps": 3'))
    expect(
      json<CommandOutput<'runs'>>(await smalti('runs', project, '--json')).runs[0].diagnosis,
      'diagnosis of weights that have been trained further'
    ).toBeUndefined()
    await writeFile(
      recipe,
      JSON.stringify({ layers: 'A,A', pretrain: { method: 'context', share: 0.5 } } satisfies RecipeChanges)
    )
    expect(
      (
        await smalti(
          'train',
          scenes.images,
          '--project',
          join(folder, 'flat.smalti'),
          ...TRAIN,
          '--recipe',
          recipe,
          '--steps',
          '8'
        )
      ).stderr
    ).toContain('no convolution to pretrain')
  })

  it('names the part of a recipe that it does not understand', async () => {
    const recipe = join(folder, 'wrong.json')
    await writeFile(recipe, '{"radius": 5, "views": {"shft": 3}}')
    const finished = await smalti(
      'train',
      scenes.images,
      '--project',
      join(folder, 'wrong.smalti'),
      ...TRAIN,
      '--recipe',
      recipe
    )
    expect(finished.code).toBe(2)
    expect(finished.stderr).toContain('shft')
  })
})
