import { cp, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join, relative } from 'node:path'
import type { CommandInput, CommandName } from '../../../src-main/contract/commands.ts'
import { SmaltiError } from '../../../src-main/contract/errors.ts'
import { type Uniform, integerBelow, uniformFrom } from '../../../src-main/learning/random.ts'
import { startBuiltEngine } from '../../fixtures/engine.ts'
import { measured } from '../processes.ts'
import { drawScenes } from '../../fixtures/commandLine.ts'

const LIMIT = 5000
/** Commands that read a project. */
const LOOKS: CommandName[] = ['openProject', 'classes', 'runs', 'describe', 'export', 'groups']

/**
 * Replaces one value in a JSON file by a value of another kind, out of range, missing, or with a path that leads
 * elsewhere.
 */
export function mutatedJson(text: string, uniform: Uniform): string {
  const places: { holder: Record<string, unknown>; key: string }[] = []
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, part] of Object.entries(value)) {
      places.push({ holder: value as Record<string, unknown>, key })
      visit(part)
    }
  }
  const root: unknown = JSON.parse(text)
  visit(root)
  if (places.length === 0) return text.slice(1)
  const { holder, key } = places[integerBelow(places.length, uniform)]
  const others: unknown[] = [
    null,
    -1,
    1e300,
    0.5,
    '',
    '../../../etc/passwd',
    [],
    {},
    'x'.repeat(5000),
    true,
    2 ** 53,
    [[[]]],
    '\u0000',
    undefined
  ]
  holder[key] = others[integerBelow(others.length, uniform)]
  return JSON.stringify(root)
}

export function mutatedBytes(bytes: Buffer, uniform: Uniform): Buffer {
  const kind = integerBelow(4, uniform)
  if (kind === 0) return bytes.subarray(0, integerBelow(bytes.length + 1, uniform))
  const changed = Buffer.from(bytes)
  if (kind === 1 && changed.length > 0)
    for (let i = 0; i < 8; i++)
      changed[integerBelow(Math.min(changed.length, 400), uniform)] = integerBelow(256, uniform)
  else if (kind === 2 && changed.length > 0)
    for (let i = 0; i < 8; i++) changed[integerBelow(changed.length, uniform)] = integerBelow(256, uniform)
  else return Buffer.concat([changed, Buffer.alloc(100, 0xff)])
  return changed
}

/**
 * Damages a file of a whole project, `times` times, and runs every command that reads one. Each must answer, or fail
 * with a named error, within five seconds, and the engine must survive.
 */
export async function measureMutatedProjects(times: number, seed: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-mutated-'))
  try {
    const { images } = await drawScenes(base, 2, 96)
    const whole = join(base, 'whole.smalti')
    await measured([
      'train',
      images,
      '--project',
      whole,
      '--classes',
      '3',
      '--over',
      '6',
      '--preset',
      'preview',
      '--backend',
      'onnxruntime'
    ])
    await measured(['segment', whole, '--heatmaps'])
    await measured(['classes', whole, '--merge', '1,2', '--name', 'Water'])
    await measured(['group', images, '--project', whole, '--groups', '2', '--method', 'kmeans-pixels'])
    const files = (await readdir(whole, { recursive: true })).map((name) => join(whole, name))
    const kinds = await Promise.all(files.map(async (file) => ({ file, isFile: (await stat(file)).isFile() })))
    const victims = kinds.filter(({ isFile }) => isFile).map(({ file }) => relative(whole, file))
    const uniform = uniformFrom(seed)
    const outcomes = new Map<string, number>()
    const failures: string[] = []
    let engine = startBuiltEngine()
    for (let time = 0; time < times; time++) {
      const project = join(base, 'p.smalti')
      await rm(project, { recursive: true, force: true })
      await cp(whole, project, { recursive: true })
      const victim = victims[integerBelow(victims.length, uniform)]
      const bytes = await readFile(join(project, victim))
      const asJson = extname(victim) === '.json' && uniform() < 0.7
      await writeFile(
        join(project, victim),
        asJson ? mutatedJson(bytes.toString(), uniform) : mutatedBytes(bytes, uniform)
      )
      for (const name of LOOKS) {
        const input = {
          project,
          head: 'A',
          edits: [],
          overwrite: true,
          ...(name === 'export' && { out: join(base, 'out'), format: 'png' })
        } as unknown as CommandInput<CommandName>
        let timer: NodeJS.Timeout | undefined
        const late = new Promise<string>((done) => (timer = setTimeout(() => done('HANG'), LIMIT)))
        const outcome = await Promise.race([
          engine.call(name, input).then(
            () => 'answered',
            (fault: unknown) => (fault instanceof SmaltiError ? fault.name : `UNNAMED ${String(fault)}`)
          ),
          late
        ])
        clearTimeout(timer)
        outcomes.set(outcome.split(' ')[0], (outcomes.get(outcome.split(' ')[0]) ?? 0) + 1)
        if (
          outcome === 'HANG' ||
          outcome.startsWith('UNNAMED') ||
          ['EngineStopped', 'InternalError'].includes(outcome)
        ) {
          const reason = await engine.call(name, input).catch((fault: unknown) => (fault as Error).message)
          failures.push(
            `${time} ${victim} ${name}: ${outcome} ${typeof reason === 'string' ? reason.slice(0, 160) : ''}`
          )
          await engine.kill()
          engine = startBuiltEngine()
        }
      }
    }
    await engine.kill()
    console.log(
      `${times} mutated projects (seed ${seed}): ${[...outcomes].map(([name, count]) => `${name} ${count}`).join(', ')}; ${failures.length} neither answered nor refused by name`
    )
    for (const failure of failures.slice(0, 40)) console.log(`  ${failure}`)
  } finally {
    await rm(base, { recursive: true, force: true })
  }
}
