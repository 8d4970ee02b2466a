import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEFAULT_SETTINGS } from '../../../src-main/contract/settings.ts'
import { SmaltiError } from '../../../src-main/contract/errors.ts'
import { integerBelow, uniformFrom } from '../../../src-main/learning/random.ts'
import { drawScenes } from '../../fixtures/commandLine.ts'
import { startBuiltEngine } from '../../fixtures/engine.ts'

/** Least-squares slope per minute. */
function slope(points: readonly { minutes: number; value: number }[]): number {
  const mean = (of: (point: (typeof points)[number]) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [x, y] = [mean(({ minutes }) => minutes), mean(({ value }) => value)]
  return (
    points.reduce((sum, { minutes, value }) => sum + (minutes - x) * (value - y), 0) /
    points.reduce((sum, { minutes }) => sum + (minutes - x) ** 2, 1e-9)
  )
}

/**
 * Keeps one engine busy for `minutes` with random opening, training, segmenting, merging, undoing and exporting. Memory
 * and handles must stay flat.
 */
export async function measureSoak(minutes: number, seed: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-soak-'))
  const uniform = uniformFrom(seed)
  const engine = startBuiltEngine()
  const [done, faults] = [new Map<string, number>(), new Map<string, number>()]
  const seen: { minutes: number; memory: number; handles: number; threads: number }[] = []
  try {
    const { images } = await drawScenes(base, 2, 160)
    const settings = { ...DEFAULT_SETTINGS, classes: 3, over: 8, steps: 4, backend: 'onnxruntime' as const }
    const project = join(base, 'p.smalti')
    const actions: Record<string, () => Promise<unknown>> = {
      catalogue: () => engine.call('catalogue', { sources: [images] }),
      open: () => engine.call('openProject', { project }),
      train: () =>
        engine.call('train', { sources: [images], project, settings: { ...settings, seed: integerBelow(3, uniform) } }),
      segment: () => engine.call('segment', { project, heatmaps: uniform() < 0.5 }),
      merge: () =>
        engine.call('classes', {
          project,
          head: 'A',
          edits: [{ kind: 'cut', groups: 2 + integerBelow(5, uniform) }],
          overwrite: false
        }),
      undo: () => engine.call('classes', { project, head: 'A', edits: [], undo: 1, overwrite: false }),
      export: () =>
        engine.call('export', {
          project,
          out: join(base, `out-${integerBelow(3, uniform)}`),
          format: (['png', 'geotiff', 'geopackage', 'csv', 'report'] as const)[integerBelow(5, uniform)],
          head: 'A',
          overwrite: true
        }),
      describe: () => engine.call('describe', { project, head: 'A' })
    }
    await actions.train()
    await actions.segment()
    const started = performance.now()
    const names = Object.keys(actions)
    while (performance.now() - started < 60_000 * minutes && engine.ended() === undefined) {
      const name = names[integerBelow(names.length, uniform)]
      await actions[name]().then(
        () => done.set(name, (done.get(name) ?? 0) + 1),
        (fault: unknown) =>
          faults.set(
            `${name}: ${fault instanceof SmaltiError ? fault.message : String(fault)}`,
            (faults.get(name) ?? 0) + 1
          )
      )
      const status = await readFile(`/proc/${engine.pid}/status`, 'utf8').catch(() => '')
      const handles = await readdir(`/proc/${engine.pid}/fd`).catch(() => [])
      seen.push({
        minutes: (performance.now() - started) / 60_000,
        memory: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024,
        handles: handles.length,
        threads: Number(/Threads:\s+(\d+)/.exec(status)?.[1] ?? 0)
      })
    }
    const later = seen.slice(Math.floor(seen.length / 2))
    const last = later.at(-1)!
    console.log(
      `${minutes} minutes of ${seen.length} random jobs (seed ${seed}; ${[...done].map(([name, count]) => `${name} ${count}`).join(', ')}): ${engine.ended() ? `THE ENGINE ENDED WITH ${engine.ended()}` : 'the engine lives'}`
    )
    console.log(
      `  memory ${last.memory.toFixed(0)} MB at the end, ${slope(later.map(({ minutes: at, memory }) => ({ minutes: at, value: memory }))).toFixed(2)} MB a minute in the second half; open files ${last.handles}, ${slope(later.map(({ minutes: at, handles }) => ({ minutes: at, value: handles }))).toFixed(3)} a minute; threads ${last.threads}, ${seen[0].threads} at first`
    )
    const tenths = Array.from(
      { length: 11 },
      (_, i) => seen[Math.min(seen.length - 1, Math.floor((i * seen.length) / 10))]
    )
    console.log(`  memory over time: ${tenths.map(({ memory }) => memory.toFixed(0)).join(', ')} MB`)
    for (const [fault, count] of faults) console.log(`  ${count} × ${fault}`)
  } finally {
    await engine.kill()
    await rm(base, { recursive: true, force: true })
  }
}
