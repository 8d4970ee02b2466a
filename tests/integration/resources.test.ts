import { cp, readFile, readdir, readlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { CommandInput, CommandName } from '../../src-main/contract/commands.ts'
import { SmaltiError } from '../../src-main/contract/errors.ts'
import { DEFAULT_SETTINGS } from '../../src-main/contract/settings.ts'
import type { RecipeChanges } from '../../src-main/contract/recipe.ts'
import '../fixtures/gpu.ts'
import { drawScenes, temporaryFolder } from '../fixtures/commandLine.ts'
import { type WatchedEngine, startBuiltEngine } from '../fixtures/engine.ts'
import { processesOf } from '../fixtures/interruption.ts'
import { drawNetwork } from '../fixtures/network.ts'

const SMALL = {
  layers: '8,M,8',
  width: 1,
  pairs: 2,
  crop: 64,
  statistics: [],
  warmStart: 0,
  refit: null,
  restarts: { trials: 1, share: 0.2 }
} satisfies RecipeChanges
const settings = { ...DEFAULT_SETTINGS, classes: 3, over: 6, steps: 3, recipe: SMALL, backend: 'onnxruntime' as const }

let folder: string
let images: string
let truth: string
let project: string
let engine: WatchedEngine

/** Counts an engine's open user files, threads and child processes. */
async function held(): Promise<{ files: string[]; threads: number; processes: number }> {
  const links = await Promise.all(
    (await readdir(`/proc/${engine.pid}/fd`)).map((fd) => readlink(`/proc/${engine.pid}/fd/${fd}`).catch(() => ''))
  )
  return {
    files: links.filter((path) => path.startsWith(folder)),
    threads: (await readdir(`/proc/${engine.pid}/task`)).length,
    processes: processesOf('parent', engine.pid).length
  }
}
let threads: number
/** Threads by which the decoder's own pool may grow and shrink. */
const SPARE = 2
/**
 * Returns files that are still open and processes that still run after everything has had time to end; undefined if
 * there are none.
 */
async function leftBy(name: string): Promise<string | undefined> {
  const ended = async (): Promise<boolean> => {
    const { files, threads: now, processes } = await held()
    return files.length === 0 && now <= threads + SPARE && processes === 0
  }
  return vi.waitUntil(ended, { timeout: 15_000, interval: 20 }).then(
    () => undefined,
    async () => `${name}: ${JSON.stringify({ ...(await held()), before: threads })}`
  )
}

beforeAll(async () => {
  folder = await temporaryFolder()
  ;({ images, truth } = await drawScenes(folder, 3, 160))
  project = join(folder, 'p.smalti')
  engine = startBuiltEngine()
  await drawNetwork(join(folder, 'network.onnx'), { tokens: true })
  // Libraries keep threads of their own once they are loaded.
  for (const { command, input } of Object.values(WORK)) await engine.call(command, input())
  threads = (await held()).threads
})
afterAll(() => engine.kill())

interface Work<N extends CommandName = CommandName> {
  command: N
  input(): CommandInput<N>
}
const work = <N extends CommandName>(command: N, input: () => CommandInput<N>): Work => ({
  command,
  input: input as Work['input']
})
const OWN_TRUTH = (): CommandInput<'evaluate'> => ({ project, truth, head: 'A', mapping: 'many-to-one' })

const WORK: Record<string, Work> = {
  'reading a catalogue': work('catalogue', () => ({ sources: [images] })),
  training: work('train', () => ({ sources: [images], project, settings })),
  'training by another method first': work('train', () => ({
    sources: [images],
    project: join(folder, 'pre.smalti'),
    settings: { ...settings, steps: 4, recipe: { ...SMALL, pretrain: { method: 'context', share: 0.5 } } }
  })),
  'training while an image is watched': work('train', () => ({
    sources: [images],
    project: join(folder, 'watched.smalti'),
    settings,
    watch: 'scene 1.png'
  })),
  'clustering features': work('train', () => ({
    sources: [images],
    project: join(folder, 'features.smalti'),
    settings: { ...settings, recipe: undefined, steps: undefined, features: { file: join(folder, 'network.onnx') } }
  })),
  segmenting: work('segment', () => ({ project, heatmaps: true })),
  describing: work('describe', () => ({ project, head: 'A' })),
  'changing classes': work('classes', () => ({
    project,
    head: 'A',
    edits: [{ kind: 'rename', class: 0, name: 'Water' }]
  })),
  correcting: work('correct', () => ({
    project,
    head: 'A',
    path: 'scene 1.png',
    shape: {
      kind: 'brush',
      line: [
        [20, 20],
        [60, 60]
      ],
      radius: 9
    },
    to: 0
  })),
  evaluating: work('evaluate', OWN_TRUTH),
  diagnosing: work('diagnose', () => ({ project })),
  grouping: work('group', () => ({
    sources: [images],
    project: join(folder, 'groups.smalti'),
    groups: 2,
    method: 'information',
    seed: 0,
    steps: 2,
    backend: 'onnxruntime'
  })),
  ...Object.fromEntries(
    (['geotiff', 'png', 'geopackage', 'csv', 'report', 'onnx', 'coco-rle', 'npy', 'yolo', 'flatgeobuf'] as const).map(
      (format) => [
        `exporting ${format}`,
        work('export', () => ({ project, head: 'A', format, out: join(folder, `out-${format}`), overwrite: true }))
      ]
    )
  ),
  'exporting confidence': work('export', () => ({
    project,
    head: 'A',
    format: 'geotiff',
    out: join(folder, 'out-measures'),
    confidence: true,
    probabilities: true,
    overwrite: true
  })),
  'reading the details of an image': work('details', () => ({ sources: [join(images, 'scene 1.png')] })),
  'trying backends': work('info', () => ({}))
}

describe.skipIf(process.platform !== 'linux')('an engine', () => {
  it('releases everything that a job opened or started when the job succeeds', async () => {
    const left: (string | undefined)[] = []
    for (const [name, { command, input }] of Object.entries(WORK)) {
      await engine.call(command, input())
      left.push(await leftBy(name))
    }
    expect(left.filter(Boolean)).toEqual([])
  })

  it('releases everything when a job is cancelled, at its first progress or later', async () => {
    const left: (string | undefined)[] = []
    for (const [name, { command, input }] of Object.entries(WORK)) {
      for (const sign of [1, 3]) {
        const controller = new AbortController()
        let signs = 0
        const outcome = await engine
          .call(command, input(), {
            signal: controller.signal,
            onProgress: () => void (++signs === sign && controller.abort())
          })
          .then(
            () => 'done',
            (fault: SmaltiError) => fault.name
          )
        expect(['done', 'Cancelled'], name).toContain(outcome)
        left.push(await leftBy(`${name}, cancelled at sign ${sign}`))
      }
    }
    expect(left.filter(Boolean)).toEqual([])
  })

  it('answers at once when a waiting job is cancelled, and runs the others in turn', async () => {
    const [first, second] = [new AbortController(), new AbortController()]
    const begun = new Promise<void>(
      (resolve) =>
        void engine
          .call(
            'train',
            { sources: [images], project: join(folder, 'long.smalti'), settings: { ...settings, steps: 1_000_000 } },
            { signal: first.signal, onProgress: ({ stage }) => stage === 'Training' && resolve() }
          )
          .catch(() => resolve())
    )
    const waiting = engine.call('evaluate', OWN_TRUTH(), { signal: second.signal })
    const last = engine.call('evaluate', OWN_TRUTH())
    await begun
    second.abort()
    await expect(waiting).rejects.toMatchObject({ name: 'Cancelled' })
    const order = Promise.race([
      last.then(() => 'the last'),
      new Promise((resolve) => setImmediate(() => resolve('none')))
    ])
    expect(await order, 'the first is still training').toBe('none')
    first.abort()
    expect((await last).pixels).toBeGreaterThan(0)
  })

  it('releases everything when a job fails halfway', async () => {
    const broken = join(folder, 'broken')
    await cp(images, broken, { recursive: true })
    for (const name of ['north/scene 0.png', 'scene 1.png', 'scene 2.png']) await truncate(join(broken, name), 3000)
    const spoilt = join(folder, 'spoilt.smalti')
    await cp(project, spoilt, { recursive: true })
    const rasters = (await readdir(join(spoilt, 'runs'), { recursive: true })).filter((name) =>
      /labels\/.*\.tif$/.test(name)
    )
    for (const name of rasters) await truncate(join(spoilt, 'runs', name), 700)
    await writeFile(join(folder, 'no network.onnx'), await readFile(join(images, 'scene 1.png')))
    const failing: Record<string, Work> = {
      'damaged images': work('train', () => ({
        sources: [broken],
        project: join(folder, 'b.smalti'),
        settings
      })),
      'numbers that overflow': work('train', () => ({
        sources: [images],
        project: join(folder, 'd.smalti'),
        settings: { ...settings, steps: 40, recipe: { ...SMALL, rate: 1e30 } }
      })),
      'a file that is not a network': work('train', () => ({
        sources: [images],
        project: join(folder, 'n.smalti'),
        settings: { ...settings, features: { file: join(folder, 'no network.onnx') } }
      })),
      'nothing to train': work('train', () => ({
        sources: [images],
        project: join(folder, 'f.smalti'),
        settings: { ...settings, recipe: { layers: 'A,A', pretrain: { method: 'context', share: 0.5 } } }
      })),
      'truth of another size': work('evaluate', () => ({ ...OWN_TRUTH(), truth: images })),
      'damaged labels, evaluated': work('evaluate', () => ({ ...OWN_TRUTH(), project: spoilt })),
      ...Object.fromEntries(
        (['geotiff', 'png', 'geopackage', 'csv', 'report', 'npy'] as const).map((format) => [
          `damaged labels, as ${format}`,
          work('export', () => ({
            project: spoilt,
            head: 'A',
            format,
            out: join(folder, `spoilt-${format}`),
            overwrite: true
          }))
        ])
      ),
      'a fill of damaged labels': work('correct', () => ({
        project: spoilt,
        head: 'A',
        path: 'scene 1.png',
        shape: { kind: 'fill', at: [20, 20] },
        to: 0
      })),
      'a file in place of a folder': work('export', () => ({
        project,
        head: 'A',
        format: 'png',
        out: join(images, 'scene 1.png')
      })),
      'too few images to group': work('group', () => ({
        sources: [images],
        groups: 60,
        method: 'information',
        seed: 0,
        steps: 2,
        backend: 'onnxruntime',
        out: join(folder, 'few')
      }))
    }
    const left: (string | undefined)[] = []
    for (const [name, { command, input }] of Object.entries(failing)) {
      await engine.call(command, input()).then(
        () => undefined,
        (fault: unknown) => expect(fault, name).toBeInstanceOf(SmaltiError)
      )
      left.push(await leftBy(name))
    }
    expect(left.filter(Boolean)).toEqual([])
  })
})
