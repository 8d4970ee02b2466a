import { spawnSync } from 'node:child_process'
import { chmod, chown, cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { integerBelow, uniformFrom } from '../../../src-main/learning/random.ts'
import { drawScenes } from '../../fixtures/commandLine.ts'
import { labelHash } from './kills.ts'
import { LEFT_BEHIND, bytesOf } from './killsEverywhere.ts'
import { runSmalti } from '../processes.ts'

/** An ordinary user, because root may do everything. */
const NOBODY = 65534
/** Seconds after which a command counts as hanging. */
const LIMIT = 60

/** A clock that jumps between a day back and a day ahead, many times a second. */
const JUMPING_CLOCK = `
const RealDate = Date
let offset = 0
setInterval(() => (offset = (Math.random() - 0.5) * 2 * 86400e3), 50).unref()
globalThis.Date = class extends RealDate {
  constructor(...args) { args.length === 0 ? super(RealDate.now() + offset) : super(...args) }
  static now() { return RealDate.now() + offset }
}`

/**
 * Disturbs folders and the clock at random moments of training, segmenting and exporting. The command must succeed or
 * report a named error, and once the disturbance is over, the same command must end as if undisturbed. Needs root, to
 * act as an ordinary user and to unmount file systems.
 */
export async function measureAdversity(times: number, seed: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-adversity-'))
  const [store, place] = [join(base, 'store'), join(base, 'place')]
  if (spawnSync('mount', ['--bind', base, base]).status !== 0) {
    console.log('adversity: SKIPPED, taking file systems away needs root')
    return
  }
  const uniform = uniformFrom(seed)
  const [outcomes, broken] = [new Map<string, number>(), [] as string[]]
  const mount = (...args: string[]): boolean => spawnSync('mount', args).status === 0
  try {
    await mkdir(store)
    await mkdir(place)
    await chmod(base, 0o755)
    await chown(store, NOBODY, NOBODY)
    await writeFile(join(base, 'clock.cjs'), JUMPING_CLOCK)
    const [images, project, out] = ['images', 'p.smalti', 'out'].map((name) => join(place, name))
    await drawScenes(join(base, 'drawn'), 3, 160)
    await cp(join(base, 'drawn', 'images'), join(store, 'images'), { recursive: true })
    await drawScenes(join(base, 'others'), 2, 96)
    const commands = {
      train: [
        'train',
        images,
        '--project',
        project,
        '--classes',
        '3',
        '--over',
        '6',
        '--steps',
        '8',
        '--preset',
        'preview',
        '--backend',
        'onnxruntime'
      ],
      segment: ['segment', project, '--heatmaps'],
      export: ['export', project, '--format', 'geotiff', '--out', out]
    }
    const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}): ReturnType<typeof runSmalti> =>
      runSmalti(args, { env: { HOME: store, ...env }, user: NOBODY, limit: LIMIT })
    const succeed = async (args: readonly string[]): Promise<number> => {
      const started = performance.now()
      const { code, stderr } = await run(args)
      if (code !== 0) throw new Error(`${args[0]}: ${stderr.trim().split('\n').at(-1)}`)
      return performance.now() - started
    }
    mount('--bind', store, place)
    spawnSync('chown', ['-R', String(NOBODY), store])
    const milliseconds = { train: await succeed(commands.train), segment: 0, export: 0 }
    await cp(project, join(base, 'fresh'), { recursive: true })
    milliseconds.segment = await succeed(commands.segment)
    const labels = await labelHash(project)
    await cp(project, join(base, 'labelled'), { recursive: true })
    milliseconds.export = await succeed(commands.export)
    const exported = await bytesOf(out)

    /** Each disturbance returns a function that ends it. */
    const harms: Record<string, () => Promise<() => unknown>> = {
      'permission lost': async () => {
        for (const path of [project, out]) if (existsSync(path)) spawnSync('chmod', ['-R', 'a-rwx', path])
        return () => [project, out].forEach((path) => spawnSync('chmod', ['-R', 'u+rwX', path]))
      },
      'images unreadable': async () => {
        spawnSync('chmod', ['-R', 'a-rwx', images])
        return () => spawnSync('chmod', ['-R', 'u+rwX', images])
      },
      'read-only': async () => {
        // Mounting fails while a file is open for writing.
        for (let attempt = 0; attempt < 200 && !mount('-o', 'remount,bind,ro', place); attempt++)
          await new Promise((resolve) => setTimeout(resolve, 5))
        return () => mount('-o', 'remount,bind,rw', place)
      },
      'drive gone': async () => {
        spawnSync('umount', ['-l', place])
        return () => mount('--bind', store, place)
      },
      'project renamed': async () => {
        await rename(project, `${project} renamed`).catch(() => undefined)
        return async () => {
          if (!existsSync(`${project} renamed`)) return
          if (existsSync(project))
            broken.push(
              `where a project was that was renamed, ${(await readdir(project, { recursive: true })).join(', ') || 'a folder'} came to be`
            )
          await rm(project, { recursive: true, force: true })
          await rename(`${project} renamed`, project)
        }
      },
      'images renamed': async () => {
        await rename(images, `${images} renamed`)
        return () => rename(`${images} renamed`, images)
      },
      'images replaced': async () => {
        await rename(images, `${images} renamed`)
        await cp(join(base, 'others', 'images'), images, { recursive: true })
        return async () => {
          await rm(images, { recursive: true, force: true })
          await rename(`${images} renamed`, images)
        }
      },
      'clock jumping': () => Promise.resolve(() => undefined)
    }
    for (let time = 0; time < times; time++) {
      const kind = (['train', 'segment', 'export'] as const)[integerBelow(3, uniform)]
      const harm = Object.keys(harms)[integerBelow(Object.keys(harms).length, uniform)]
      for (const path of [project, out]) await rm(path, { recursive: true, force: true })
      if (kind !== 'train')
        await cp(join(base, kind === 'segment' ? 'fresh' : 'labelled'), project, {
          recursive: true,
          preserveTimestamps: true
        })
      spawnSync('chown', ['-R', String(NOBODY), store])
      const moment = milliseconds[kind] * uniform()
      const where = `${harm} ${moment.toFixed(0)} ms into ${kind}`
      const running = run(
        commands[kind],
        harm === 'clock jumping' ? { NODE_OPTIONS: `--require ${join(base, 'clock.cjs')}` } : {}
      )
      await new Promise((resolve) => setTimeout(resolve, moment))
      const makeGood = await harms[harm]()
      const { code, stderr } = await running
      await makeGood()
      const last = stderr.trim().split('\n').at(-1) ?? ''
      const outcome =
        code === 0 ? 'done' : code === 2 && !/wrong in Smalti|engine stopped/i.test(stderr) ? 'told' : 'ODD'
      if (outcome === 'ODD') broken.push(`${where}: ended with ${code}, ${last}`)
      outcomes.set(`${harm}: ${outcome}`, (outcomes.get(`${harm}: ${outcome}`) ?? 0) + 1)
      if (outcome === 'told') console.log(`  ${where}: ${last.replaceAll(base, '')}`)
      try {
        // A run that finished is not repeated; it may have seen other images.
        const seenOthers = kind === 'train' && code === 0 && harm.startsWith('images')
        if (kind !== 'train' || code !== 0) await succeed(commands[kind])
        if (kind === 'train') await succeed(commands.segment)
        if (kind !== 'export' && !seenOthers && (await labelHash(project)) !== labels)
          broken.push(`${where}: other labels`)
        if (kind === 'export' && (await bytesOf(out)) !== exported) broken.push(`${where}: another export`)
        const left = (await readdir(kind === 'export' ? out : project, { recursive: true })).filter((name) =>
          LEFT_BEHIND.test(name)
        )
        if (left.length > 0) broken.push(`${where}: ${left.join(', ')} left behind`)
      } catch (fault) {
        broken.push(`${where}: then ${(fault as Error).message}`)
      }
    }
  } finally {
    spawnSync('umount', ['-l', place])
    spawnSync('umount', ['-l', base])
    await rm(base, { recursive: true, force: true })
  }
  console.log(
    `adversity at ${times} moments (seed ${seed}; ${[...outcomes]
      .sort()
      .map(([what, count]) => `${what} ${count}`)
      .join(
        ', '
      )}): ${broken.length === 0 ? 'all ended well or by name, and as if undisturbed once all was as before' : `${broken.length} did not`}`
  )
  for (const one of broken) console.log(`  ${one}`)
}
