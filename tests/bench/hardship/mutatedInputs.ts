import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommandInput, CommandName } from '../../../src-main/contract/commands.ts'
import { SmaltiError } from '../../../src-main/contract/errors.ts'
import { DEFAULT_SETTINGS } from '../../../src-main/contract/settings.ts'
import { integerBelow, uniformFrom } from '../../../src-main/learning/random.ts'
import { drawScenes } from '../../fixtures/commandLine.ts'
import { startBuiltEngine } from '../../fixtures/engine.ts'
import { mutatedBytes, mutatedJson } from './mutatedProjects.ts'
import { writeScene } from '../scene.ts'

const LIMIT = 5000
/** Milliseconds for a recipe, which has to be trained with if it is valid. */
const TRAINING = 60_000
const RECIPE = { radius: 5, pairs: 2, crop: 64, width: 0.5, views: { quarterTurns: true } }

/**
 * Damages files that users supply besides images, `times` times: areas of interest, classes and styles of other runs,
 * recipes, tables of true classes. Each must be accepted, or rejected with a named error, in time, and the engine must
 * survive.
 */
export async function measureMutatedInputs(times: number, seed: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-inputs-'))
  const uniform = uniformFrom(seed)
  const outcomes = new Map<string, number>()
  const failures: string[] = []
  let engine = startBuiltEngine()
  try {
    const { images, truth } = await drawScenes(base, 2, 96)
    const project = join(base, 'p.smalti')
    await engine.call('train', {
      sources: [images],
      project,
      settings: { ...DEFAULT_SETTINGS, preset: 'preview', classes: 3, over: 6, backend: 'onnxruntime' }
    })
    await engine.call('segment', { project })
    for (const name of ['classes.json', 'classes.qml'])
      await engine.call('classes', { project, head: 'A', into: join(base, name), edits: [], overwrite: false })
    const scene = join(base, 'scene.tif')
    await writeScene(scene, 256)
    const drawn = await engine.call('area', {
      file: scene,
      add: [
        [10, 10],
        [200, 20],
        [120, 220]
      ],
      project: join(base, 'areas.smalti'),
      sources: [scene]
    })
    const originals = {
      area: await readFile(drawn.area!, 'utf8'),
      classes: await readFile(join(base, 'classes.json'), 'utf8'),
      style: await readFile(join(base, 'classes.qml'), 'utf8'),
      recipe: JSON.stringify(RECIPE),
      truthMap: JSON.stringify({ 0: 0, 1: 1, 2: 2, 3: 3, 4: 4 })
    }
    const kinds = Object.keys(originals) as (keyof typeof originals)[]
    for (let time = 0; time < times; time++) {
      // Valid recipes take seconds.
      const kind =
        uniform() < 0.03 ? 'recipe' : kinds.filter((name) => name !== 'recipe')[integerBelow(kinds.length - 1, uniform)]
      const bytes = Buffer.from(originals[kind])
      const inJson = kind !== 'style' && (kind === 'recipe' || kind === 'truthMap' || uniform() < 0.7)
      const content = inJson ? mutatedJson(bytes.toString(), uniform) : mutatedBytes(bytes, uniform)
      const file = join(base, `given-${kind}.${kind === 'style' ? 'qml' : kind === 'area' ? 'geojson' : 'json'}`)
      await writeFile(file, content)
      const [name, input]: [CommandName, object] =
        kind === 'area'
          ? ['area', { file: scene, area: file, project: join(base, 'areas.smalti'), sources: [scene] }]
          : kind === 'recipe'
            ? [
                'train',
                {
                  sources: [images],
                  project: join(base, 'recipes.smalti'),
                  settings: {
                    ...DEFAULT_SETTINGS,
                    classes: 3,
                    over: 6,
                    steps: 1,
                    backend: 'onnxruntime',
                    recipe: JSON.parse(String(content)) as object
                  }
                }
              ]
            : kind === 'truthMap'
              ? [
                  'evaluate',
                  { project, truth, head: 'A', mapping: 'many-to-one', truthMap: JSON.parse(String(content)) as object }
                ]
              : ['classes', { project, head: 'A', from: file, edits: [], overwrite: false }]
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<string>(
        (done) => (timer = setTimeout(() => done('HANG'), kind === 'recipe' ? TRAINING : LIMIT))
      )
      const outcome = await Promise.race([
        engine.call(name, input as CommandInput<CommandName>).then(
          () => 'taken',
          (fault: unknown) =>
            fault instanceof SmaltiError
              ? fault.name === 'InternalError'
                ? `InternalError ${fault.message}`
                : fault.name
              : `UNNAMED ${String(fault)}`
        ),
        late
      ])
      clearTimeout(timer)
      const key = `${kind}: ${outcome.split(' ')[0]}`
      outcomes.set(key, (outcomes.get(key) ?? 0) + 1)
      if (/^(HANG|UNNAMED|EngineStopped|InternalError)/.test(outcome)) {
        failures.push(
          `${time} ${kind}: ${outcome.slice(0, 200)} for ${String(content).replace(/\s+/g, ' ').slice(0, 300)}`
        )
        await engine.kill()
        engine = startBuiltEngine()
      }
    }
  } finally {
    await engine.kill()
    await rm(base, { recursive: true, force: true })
  }
  console.log(
    `${times} mutated areas, classes, styles, recipes and tables of truth (seed ${seed}; ${[...outcomes]
      .sort()
      .map(([what, count]) => `${what} ${count}`)
      .join(', ')}): ${failures.length === 0 ? 'all taken or refused by name' : `${failures.length} were not`}`
  )
  for (const failure of failures.slice(0, 40)) console.log(`  ${failure}`)
}
