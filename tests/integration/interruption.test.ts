import { existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { CommandOutput } from '../../src-main/contract/commands.ts'
import type { RecipeChanges } from '../../src-main/contract/recipe.ts'
import '../fixtures/gpu.ts'
import { drawScenes, json, smalti, temporaryFolder } from '../fixtures/commandLine.ts'
import { type GroupedCommand, leftovers, processesOf, startGroup } from '../fixtures/interruption.ts'

const SMALL = {
  steps: 1e6,
  layers: '8,M,8',
  width: 1,
  pairs: 2,
  crop: 64,
  statistics: [],
  warmStart: 0,
  refit: null,
  restarts: { trials: 1, share: 0.2 }
} satisfies RecipeChanges
let folder: string
let scenes: { images: string; truth: string }
let train: (project: string, ...more: string[]) => string[]

beforeAll(async () => {
  folder = await temporaryFolder()
  scenes = await drawScenes(folder, 3, 160)
  const recipe = join(folder, 'small.json')
  await writeFile(recipe, JSON.stringify(SMALL))
  train = (project, ...more) => [
    'train',
    scenes.images,
    '--project',
    project,
    '--classes',
    '3',
    '--over',
    '6',
    '--seed',
    '3',
    '--recipe',
    recipe,
    ...more
  ]
})

const projectAt = (name: string): string => join(folder, `${name.replace(/\W+/g, '-')}.smalti`)
const until = (state: () => unknown): Promise<unknown> => vi.waitUntil(state, { timeout: 300_000, interval: 5 })
/** Waits for a state of a running command. @throws when the command ends first */
const reached = (command: GroupedCommand, state: () => unknown): Promise<unknown> =>
  until(async () => {
    if (await state()) return true
    if (command.child.exitCode !== null)
      throw new Error(`it ended with ${command.child.exitCode} before: ${command.said().stderr}`)
    return false
  })
const INTERRUPTED = 'Cancelled.'

/** Expects that an interrupted command ends with exit code 130 and one sentence, and leaves nothing behind. */
async function expectInterrupted(command: GroupedCommand, project?: string): Promise<void> {
  const { code, by, stderr } = await command.finished
  expect([code, by], stderr).toEqual([130, null])
  expect(stderr.trim().split('\n').at(-1)).toBe(INTERRUPTED)
  expect(stderr.split(INTERRUPTED)).toHaveLength(2)
  expect(stderr).not.toMatch(/\n {4}at |Error/)
  await until(() => processesOf('group', command.child.pid!).length === 0)
  if (project !== undefined) expect(await leftovers(project)).toEqual([])
}

type When = (command: GroupedCommand, project: string) => unknown
const WHILE_TRAINING: Record<string, When> = {
  'the engine is starting': ({ child }) => processesOf('parent', child.pid!).length > 0,
  'images are read': ({ said }) => said().stderr.includes('Reading images'),
  'bands are measured': ({ said }) => said().stderr.includes('Measuring bands'),
  'the first clusters are found': ({ said }) => said().stderr.includes('Finding initial clusters'),
  'the first batch is cut': (_, project) => existsSync(join(project, 'runs', 'run-0001', 'catalogue.json')),
  'a backend is tried': ({ child }) =>
    processesOf('parent', child.pid!).some((engine) => processesOf('parent', engine).length > 0),
  'it trains': ({ said }) => said().stderr.includes('Training')
}

describe.each(['command', 'group'] as const)('a signal to the %s', (whom) => {
  it.each(Object.entries(WHILE_TRAINING))('ends training with exit code 130 while %s', async (name, when) => {
    const project = projectAt(`${whom} ${name}`)
    const command = startGroup(
      train(project, '--minutes', '9', ...(name === 'a backend is tried' ? ['--retime'] : ['--backend', 'onnxruntime']))
    )
    await reached(command, () => when(command, project))
    command.signal('SIGINT', whom)
    await expectInterrupted(command, project)
  })

  it.each(['SIGTERM', 'SIGHUP'] as const)('ends training with exit code 130 for %s', async (signal) => {
    const project = projectAt(`${whom} ${signal}`)
    const command = startGroup(train(project, '--minutes', '9', '--backend', 'onnxruntime'))
    await reached(command, () => WHILE_TRAINING['it trains'](command, project))
    command.signal(signal, whom)
    await expectInterrupted(command, project)
  })

  it('ends `info` while it tries backends', async () => {
    const command = startGroup(['info'])
    await reached(command, () =>
      processesOf('parent', command.child.pid!).some((engine) => processesOf('parent', engine).length > 2)
    )
    command.signal('SIGINT', whom)
    await expectInterrupted(command)
  })

  it('ends the command cleanly before its first line runs and after its last', async () => {
    const early = startGroup(['runs', folder])
    early.signal('SIGINT', whom)
    // Node itself was not ready to handle it.
    expect(await early.finished).toMatchObject({ code: null, by: 'SIGINT' })
    const late = startGroup(['info', '--help'])
    await until(() => late.said().stdout.length > 0)
    late.signal('SIGINT', whom)
    expect([0, 130]).toContain((await late.finished).code)
  })
})

describe('interrupted training', () => {
  it('saves its work, and resumes from there', async () => {
    const project = projectAt('saves')
    const command = startGroup(train(project, '--minutes', '9', '--backend', 'onnxruntime', '--json'))
    // A step is reported when it is done.
    await reached(command, () => command.said().stderr.includes('Training'))
    command.signal('SIGINT', 'command')
    const { code, stdout } = await command.finished
    expect([code, json<{ error: { name: string } }>({ code, stdout, stderr: '' }).error.name]).toEqual([
      130,
      'Cancelled'
    ])
    const { steps } = json<CommandOutput<'runs'>>(await smalti('runs', project, '--json')).runs[0]
    expect(steps).toBeGreaterThan(0)
    const resumed = json<CommandOutput<'train'>>(
      await smalti(...train(project, '--backend', 'onnxruntime', '--steps', String(steps + 2), '--json'))
    )
    expect(resumed).toMatchObject({ resumedFrom: steps, steps: steps + 2 })
  })

  it('ends even if a server accepts a connection and never answers', async () => {
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const called = new Promise((resolve) => silent.once('connection', resolve))
    const command = startGroup([
      'train',
      `http://127.0.0.1:${(silent.address() as AddressInfo).port}/scene.tif`,
      '--project',
      projectAt('silent')
    ])
    await called
    command.signal('SIGINT', 'command')
    await expectInterrupted(command, projectAt('silent'))
    silent.close()
  })

  it('is not reported as an engine crash if the engine ended first', async () => {
    const command = startGroup(train(projectAt('gone'), '--minutes', '9', '--backend', 'onnxruntime'))
    await reached(command, () => command.said().stderr.includes('Training'))
    const [engine] = processesOf('parent', command.child.pid!)
    command.signal('SIGSTOP', 'command')
    process.kill(engine, 'SIGKILL')
    await until(() => processesOf('parent', command.child.pid!).length === 0)
    command.signal('SIGINT', 'command')
    command.signal('SIGCONT', 'command')
    await expectInterrupted(command)
  })

  it('keeps the previous run if the new one had not started to learn, whether stopped or killed', async () => {
    const project = projectAt('former')
    await smalti(
      'train',
      scenes.images,
      '--project',
      project,
      '--classes',
      '3',
      '--over',
      '6',
      '--preset',
      'preview',
      '--backend',
      'onnxruntime'
    )
    await smalti('segment', project)
    const former = json<CommandOutput<'classes'>>(await smalti('classes', project, '--json'))
    const begun = async (): Promise<boolean> => (await readdir(join(project, 'runs'))).includes('run-0002')
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const command = startGroup(train(project, '--backend', 'onnxruntime', '--minutes', '9'))
      await reached(command, begun)
      command.signal(signal, 'group')
      await command.finished
      expect(json<CommandOutput<'classes'>>(await smalti('classes', project, '--json'))).toEqual(former)
      expect((await smalti('export', project, '--out', join(folder, `former-${signal}`))).code).toBe(0)
      if (signal === 'SIGINT') expect(await readdir(join(project, 'runs'))).toEqual(['run-0001'])
    }
    // The next training removes leftovers of a killed one.
    const next = await smalti(...train(project, '--backend', 'onnxruntime', '--steps', '2', '--json'))
    expect([next.code, await readdir(join(project, 'runs'))]).toEqual([0, ['run-0001', 'run-0002']])
    expect(await leftovers(project)).toEqual([])
  })

  it('after pretraining with another method ends like training without an interruption', async () => {
    const [project, recipe] = [projectAt('begun'), join(folder, 'begun.json')]
    await writeFile(
      recipe,
      JSON.stringify({ ...SMALL, pretrain: { method: 'context', share: 0.01 } } satisfies RecipeChanges)
    )
    const begin = [
      'train',
      scenes.images,
      '--project',
      project,
      '--classes',
      '3',
      '--over',
      '6',
      '--seed',
      '3',
      '--backend',
      'onnxruntime',
      '--recipe',
      recipe
    ]
    const command = startGroup([...begin, '--minutes', '9'])
    // A run becomes the current one with its first checkpoint that contains steps.
    const adopted = async (): Promise<boolean> =>
      existsSync(join(project, 'project.json')) &&
      json<CommandOutput<'runs'>>(await smalti('runs', project, '--json')).current !== undefined
    await reached(command, adopted)
    command.signal('SIGINT', 'command')
    await command.finished
    const [{ steps: before }] = json<CommandOutput<'runs'>>(await smalti('runs', project, '--json')).runs
    const steps = before + 150
    const resumed = json<CommandOutput<'train'>>(await smalti(...begin, '--steps', String(steps), '--json'))
    expect([resumed.resumedFrom, resumed.steps]).toEqual([before, Math.max(before, Math.round(0.99 * steps))])
  })
})

describe('killed training', () => {
  it('leaves a project that opens and resumes, at any moment', async () => {
    const project = projectAt('killed')
    /** Moments of a run, in order. */
    const moments: When[] = [
      ...Object.values(WHILE_TRAINING).filter((_, i) => i !== 5),
      (_, place) => existsSync(join(place, 'runs', 'run-0001', 'checkpoint.smalti'))
    ]
    let interrupted = 0
    for (const when of moments) {
      const command = startGroup(train(project, '--backend', 'onnxruntime', '--minutes', '9'))
      await reached(command, () => when(command, project))
      command.signal('SIGKILL', 'group')
      const { by } = await command.finished
      if (by === 'SIGKILL') interrupted++
      const opened = await smalti('segment', project, '--json')
      if (opened.code !== 0)
        expect(['ProjectNotFound', 'NothingTrained']).toContain(json<{ error: { name: string } }>(opened).error.name)
    }
    expect(interrupted).toBe(moments.length)
    const done = json<CommandOutput<'train'>>(
      await smalti(...train(project, '--backend', 'onnxruntime', '--steps', '4', '--json'))
    )
    expect(done.steps).toBeGreaterThanOrEqual(4)
    expect(await leftovers(project)).toEqual([])
  })
})

describe('a closed pipe', () => {
  it('of the output, as with head, causes no stack trace', async () => {
    for (const args of [['train', '--help'], ['info']]) {
      const command = startGroup(args)
      command.child.stdout!.destroy()
      const { code, stderr } = await command.finished
      expect([code, stderr]).toEqual([0, expect.not.stringMatching(/EPIPE|\n {4}at /)])
    }
  })

  it('of the progress does not stop the work', async () => {
    const project = projectAt('unread')
    const command = startGroup(train(project, '--backend', 'onnxruntime', '--steps', '3', '--json'))
    command.child.stderr!.destroy()
    const { code, stdout } = await command.finished
    expect([code, (JSON.parse(stdout) as CommandOutput<'train'>).steps]).toEqual([0, 3])
  })
})
