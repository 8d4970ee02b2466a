import { createHash } from 'node:crypto'
import { cp, mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { integerBelow, uniformFrom } from '../../../src-main/learning/random.ts'
import { drawScenes, smalti } from '../../fixtures/commandLine.ts'
import { labelHash } from './kills.ts'
import { killAfter, startSmalti } from '../processes.ts'

/** Returns a hash of the files of an export. */
export async function bytesOf(folder: string): Promise<string> {
  const hash = createHash('sha256')
  // Notes on the files contain times, so they differ each time.
  for (const name of (await readdir(folder, { recursive: true })).filter((entry) => !entry.startsWith('.')).sort())
    if ((await stat(join(folder, name))).isFile()) hash.update(name).update(await readFile(join(folder, name)))
  return hash.digest('hex')
}
export const LEFT_BEHIND = /\.(part|rows|partial|lock)$|done\.jsonl$/

/**
 * Kills the command line at random moments of training, segmenting, exporting and editing classes, and repeats the
 * command. It must end as if nothing had happened.
 */
export async function measureKillsEverywhere(times: number, seed: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-everywhere-'))
  const uniform = uniformFrom(seed)
  const broken: string[] = []
  const told = new Map<string, number>()
  try {
    const { images } = await drawScenes(base, 3, 160)
    const fresh = join(base, 'fresh.smalti')
    const train = (project: string): string[] => [
      'train',
      images,
      '--project',
      project,
      '--classes',
      '3',
      '--over',
      '6',
      '--steps',
      '12',
      '--backend',
      'onnxruntime'
    ]
    const run = async (args: readonly string[]): Promise<number> => {
      const started = performance.now()
      const { code, stderr } = await smalti(...args)
      if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr.trim().split('\n').at(-1)}`)
      return (performance.now() - started) / 1e3
    }
    const seconds: Record<string, number> = { train: await run(train(fresh)) }
    const labelled = join(base, 'labelled.smalti')
    await cp(fresh, labelled, { recursive: true })
    seconds.segment = await run(['segment', labelled])
    const expected = await labelHash(labelled)
    seconds.export = await run(['export', labelled, '--format', 'geotiff', '--out', join(base, 'out')])
    const exported = await bytesOf(join(base, 'out'))
    const kinds = ['train', 'segment', 'export', 'classes'] as const
    for (let time = 0; time < times; time++) {
      const kind = kinds[integerBelow(kinds.length, uniform)]
      const [project, out] = [join(base, `killed-${time}.smalti`), join(base, `out-${time}`)]
      if (kind !== 'train') await cp(kind === 'segment' ? fresh : labelled, project, { recursive: true })
      const args = {
        train: train(project),
        segment: ['segment', project],
        export: ['export', project, '--format', 'geotiff', '--out', out],
        classes: ['classes', project, '--merge', '1,2', '--name', 'Water']
      }[kind]
      const moment = 1000 * (seconds[kind] ?? 1.5) * uniform()
      await killAfter(startSmalti(args), moment)
      const where = `${kind} after ${moment.toFixed(0)} ms`
      try {
        if (kind !== 'train') await run(['runs', project])
        if (kind === 'classes') {
          const { stdout } = await smalti('classes', project)
          if (!/Water/.test(stdout)) await run(args)
          if (!/Water/.test((await smalti('classes', project)).stdout)) broken.push(`${where}: the classes were lost`)
        } else await run(args)
        if (kind === 'train') await run(['segment', project])
        if (kind !== 'export' && (await labelHash(project)) !== expected) broken.push(`${where}: other labels`)
        if (kind === 'export' && (await bytesOf(out)) !== exported) broken.push(`${where}: another export`)
        const left = (await readdir(kind === 'export' ? out : project, { recursive: true })).filter((name) =>
          LEFT_BEHIND.test(name)
        )
        if (left.length > 0) broken.push(`${where}: ${left.join(', ')} left behind`)
      } catch (fault) {
        broken.push(`${where}: ${(fault as Error).message}`)
      }
      told.set(kind, (told.get(kind) ?? 0) + 1)
      await rm(project, { recursive: true, force: true })
      await rm(out, { recursive: true, force: true })
    }
  } finally {
    await rm(base, { recursive: true, force: true })
  }
  console.log(
    `kill -9 at ${times} moments (seed ${seed}; ${[...told].map(([kind, count]) => `${kind} ${count}`).join(', ')}): ${broken.length === 0 ? 'all ended as if undisturbed, with nothing left behind' : `${broken.length} did not`}`
  )
  for (const one of broken) console.log(`  ${one}`)
}
