import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEFAULT_SETTINGS } from '../../../src-main/contract/settings.ts'
import { integerBelow, uniformFrom } from '../../../src-main/learning/random.ts'
import { drawScenes, smalti } from '../../fixtures/commandLine.ts'
import { display } from '../../fixtures/screen.ts'
import { type Window, openWindow } from '../../fixtures/window.ts'
import { startBuiltEngine } from '../../fixtures/engine.ts'
import { labelHash } from './kills.ts'
import { LEFT_BEHIND, bytesOf } from './killsEverywhere.ts'

const VICTIMS = ['engine', 'pictures', 'main'] as const
const KINDS = ['catalogue', 'train', 'segment', 'classes', 'export'] as const
/** Milliseconds that processes may survive the one that started them. */
const MOURNING = 5000

interface Answer {
  result?: unknown
  error?: { name: string }
}

const ask = ({ page }: Window, call: number, name: string, input: object): Promise<Answer> =>
  page.evaluate(
    ([id, command, what]) =>
      (
        globalThis as unknown as { smalti: { run(call: number, name: string, input: object): Promise<Answer> } }
      ).smalti.run(id, command, what),
    [call, name, input] as const
  )

/** Returns all processes of a window by their role; `main` is the one that the user started. */
async function processesOf({ app }: Window): Promise<Map<string, number>> {
  const found = await app.evaluate(({ app: program }) =>
    program.getAppMetrics().map(({ pid, type, name, serviceName }) => ({ pid, as: name ?? serviceName ?? type }))
  )
  return new Map([
    ...found.map(
      ({ pid, as }) => [/engine/.test(as) ? 'engine' : /pictures/.test(as) ? 'pictures' : `${as} ${pid}`, pid] as const
    ),
    ['main', app.process().pid!]
  ])
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}/exe`)

/**
 * Kills the window's engine, its picture server or the program itself at random moments while it catalogues, trains,
 * segments, edits classes or exports, and repeats the command in the same window or after a restart.
 */
export async function measureWindowKills(times: number, seed: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-window-'))
  const uniform = uniformFrom(seed)
  const broken: string[] = []
  const told = new Map<string, number>()
  const engine = startBuiltEngine()
  // One display for all windows, because closing one takes a while.
  await display()
  try {
    const { images } = await drawScenes(base, 3, 160)
    const settings = { ...DEFAULT_SETTINGS, classes: 3, over: 6, steps: 30, backend: 'onnxruntime' as const }
    const [fresh, labelled] = [join(base, 'fresh.smalti'), join(base, 'labelled.smalti')]
    await engine.call('train', { sources: [images], project: fresh, settings })
    await cp(fresh, labelled, { recursive: true })
    await engine.call('segment', { project: labelled })
    const expected = await labelHash(labelled)
    const known = await engine.call('classes', { project: labelled, head: 'A', edits: [], overwrite: false })
    await engine.call('export', {
      project: labelled,
      head: 'A',
      format: 'geotiff',
      out: join(base, 'undisturbed'),
      what: 'classes',
      plan: false,
      overwrite: false
    })
    const exported = await bytesOf(join(base, 'undisturbed'))

    for (let time = 0; time < times; time++) {
      const [kind, victim] = [
        KINDS[integerBelow(KINDS.length, uniform)],
        VICTIMS[integerBelow(VICTIMS.length, uniform)]
      ]
      const home = join(base, `home-${time}`)
      await mkdir(join(home, '.config'), { recursive: true })
      const window = await openWindow(home)
      const moment = { catalogue: 200, train: 2500, segment: 1500, classes: 200, export: 500 }[kind] * uniform()
      const where = `${victim} killed ${moment.toFixed(0)} ms into ${kind}`
      try {
        const given = kind === 'train' || kind === 'catalogue' ? undefined : join(home, 'given.smalti')
        if (given !== undefined) await cp(kind === 'segment' ? fresh : labelled, given, { recursive: true })
        await window.drop(given ?? images)
        const project =
          given ??
          (await window.page.evaluate(
            (path) =>
              (
                globalThis as unknown as { smalti: { projectFolderFor(images: string): Promise<string> } }
              ).smalti.projectFolderFor(path),
            images
          ))
        await window.page.getByText('3 images').first().waitFor({ timeout: 30_000 })
        await window.page.locator('main img').first().waitFor()
        const out = `${images} labels`
        const inputs = {
          catalogue: { sources: [images] },
          train: { sources: [images], project, settings },
          segment: { project },
          classes: {
            project,
            head: 'A',
            edits: [{ kind: 'rename', class: known.scheme.classes[0].id, name: 'Water' }]
          },
          export: { project, head: 'A', format: 'geotiff', out }
        }
        let pids = await processesOf(window)
        for (let looks = 0; !pids.has(victim) && looks < 50; looks++) {
          await new Promise((resolve) => setTimeout(resolve, 100))
          pids = await processesOf(window)
        }
        const answer = ask(window, 9000, kind, inputs[kind]).catch((fault: Error) => ({
          error: { name: fault.message }
        }))
        await new Promise((resolve) => setTimeout(resolve, moment))
        process.kill(pids.get(victim)!, 'SIGKILL')
        const first = victim === 'main' ? undefined : await answer
        // A command to a process whose end has not been noticed yet fails with a named error; no person is that fast.
        await new Promise((resolve) => setTimeout(resolve, 500))
        const again = async (): Promise<string | undefined> => {
          if (victim !== 'main') return (await ask(window, 9001, kind, inputs[kind])).error?.name
          const started = performance.now()
          while ([...pids.values()].some(isAlive) && performance.now() - started < MOURNING)
            await new Promise((resolve) => setTimeout(resolve, 100))
          const left = [...pids].filter(([, pid]) => isAlive(pid))
          if (left.length > 0) broken.push(`${where}: ${left.map(([as]) => as).join(', ')} outlived it`)
          for (const [, pid] of left) process.kill(pid, 'SIGKILL')
          await window.close()
          const later = await openWindow(home)
          try {
            await later.drop(given ?? images)
            await later.page.getByText('3 images').first().waitFor({ timeout: 30_000 })
            return (await ask(later, 9002, kind, inputs[kind])).error?.name
          } finally {
            await later.close()
          }
        }
        if (victim === 'pictures' && first?.error) broken.push(`${where}: ${first.error.name}`)
        if (victim === 'engine' && first?.error && first.error.name !== 'EngineStopped')
          broken.push(`${where}: ${first.error.name}`)
        if (victim !== 'pictures') {
          const fault = await again()
          if (fault) broken.push(`${where}: asked again, ${fault}`)
        } else {
          const status = await window.page.evaluate(
            async () => (await fetch(`${document.querySelector<HTMLImageElement>('main img')!.src}&again=1`)).status
          )
          if (status !== 200) broken.push(`${where}: pictures answer ${status}`)
        }
        if (kind === 'train') await engine.call('segment', { project })
        if (kind === 'train' || kind === 'segment') {
          if ((await labelHash(project)) !== expected) broken.push(`${where}: other labels`)
        }
        if (kind === 'classes' && !/Water/.test((await smalti('classes', project)).stdout))
          broken.push(`${where}: the classes were lost`)
        if (kind === 'export') {
          if ((await bytesOf(out)) !== exported) broken.push(`${where}: another export`)
          await rm(out, { recursive: true, force: true })
        }
        const left = existsSync(project)
          ? (await readdir(project, { recursive: true })).filter((name) => LEFT_BEHIND.test(name))
          : []
        if (left.length > 0) broken.push(`${where}: ${left.join(', ')} left behind`)
      } catch (fault) {
        broken.push(`${where}: ${(fault as Error).message.split('\n')[0]}`)
      } finally {
        await window.close()
        await rm(home, { recursive: true, force: true })
      }
      told.set(`${kind}/${victim}`, (told.get(`${kind}/${victim}`) ?? 0) + 1)
    }
  } finally {
    await engine.kill()
    await rm(base, { recursive: true, force: true })
  }
  console.log(
    `kill -9 in the window at ${times} moments (seed ${seed}; ${[...told]
      .sort()
      .map(([kind, count]) => `${kind} ${count}`)
      .join(
        ', '
      )}): ${broken.length === 0 ? 'all ended as if undisturbed, with no process and nothing else left behind' : `${broken.length} did not`}`
  )
  for (const one of broken) console.log(`  ${one}`)
}
