import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type CommandOutput } from '../../src-main/contract/commands.ts'
import { type RecipeChanges } from '../../src-main/contract/recipe.ts'
import { BACKENDS } from '../../src-main/contract/settings.ts'
import '../fixtures/gpu.ts'
import { drawScenes, type Finished, json, maskBytes, sceneFolder, smalti } from '../fixtures/commandLine.ts'

let folder: string
let scenes: { images: string; truth: string }

beforeAll(async () => void ({ folder, scenes } = await sceneFolder()))

describe('backends', () => {
  it('measures once which backend is fastest, and remembers it', async () => {
    const train = (project: string, ...more: string[]): Promise<Finished> =>
      smalti(
        'train',
        scenes.images,
        '--project',
        join(folder, project),
        '--classes',
        '5',
        '--over',
        '8',
        '--steps',
        '2',
        '--recipe',
        join(folder, 'tiny.json'),
        '--backend',
        'auto',
        '--json',
        ...more
      )
    await writeFile(join(folder, 'tiny.json'), '{"layers":"8s2,M,8","pairs":2,"crop":64}')
    const measured = json<CommandOutput<'train'>>(await train('measured.smalti', '--retime'))
    expect(measured.backendChosen).toBe('measured')
    const remembered = json<CommandOutput<'train'>>(await train('remembered.smalti'))
    expect([remembered.backendChosen, remembered.backend]).toEqual(['remembered', measured.backend])
  })

  it('reports which backends are available and what they run on', async () => {
    const info = json<CommandOutput<'info'>>(await smalti('info', '--json'))
    expect(info.backends.map(({ name }) => name)).toEqual([...BACKENDS])
    for (const { used, device, reason } of info.backends) expect(used ? device : reason).toBeDefined()
  })

  it('trains and segments on WebGPU, or explains why it cannot', async () => {
    const recipe = join(folder, 'tiny.json')
    await writeFile(
      recipe,
      JSON.stringify({
        layers: '8,M,8',
        width: 1,
        pairs: 1,
        crop: 32,
        statistics: [],
        warmStart: 0,
        refit: null
      } satisfies RecipeChanges)
    )
    const project = join(folder, 'gpu.smalti')
    const { backends } = json<CommandOutput<'info'>>(await smalti('info', '--json'))
    const { used, reason } = backends.find(({ name }) => name === 'webgpu')!
    const { images } = await drawScenes(join(folder, 'small'), 1, 96)
    const train = [
      'train',
      images,
      '--project',
      project,
      '--classes',
      '3',
      '--over',
      '6',
      '--recipe',
      recipe,
      '--steps',
      '3',
      '--backend',
      'webgpu',
      '--json'
    ]
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
    expect(Object.keys(there)).toHaveLength(1)
    expect(there).toEqual(here)
  })
})
