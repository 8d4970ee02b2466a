import { FuseV1Options, getCurrentFuseWire } from '@electron/fuses'
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  AS_ROOT,
  BINARY,
  PACKAGED,
  type PackagedWindow,
  openPackaged,
  packageProgram,
  runProgram,
  sessionOf
} from '../fixtures/packaged.ts'
import { drawScenes, json, temporaryFolder } from '../fixtures/commandLine.ts'
import { display } from '../fixtures/screen.ts'
import { drawn, electronPath } from '../fixtures/window.ts'

const possible = process.platform === 'linux' && electronPath() !== undefined
if (!possible) console.warn('SKIPPED: there is no Electron here to package the program with')

describe.skipIf(!possible)('the packaged program', () => {
  const script = join(PACKAGED, 'smalti')
  let folder: string
  let images: string
  let truth: string
  let env: NodeJS.ProcessEnv
  let giveBack: () => Promise<void>
  afterAll(() => giveBack())

  beforeAll(async () => {
    giveBack = await packageProgram()
    folder = await temporaryFolder()
    ;({ images, truth } = await drawScenes(folder, 3, 160))
    env = await sessionOf(join(folder, 'home'))
  })

  it('contains what it needs and nothing else', async () => {
    const files = (await readdir(PACKAGED, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    const sizes = await Promise.all(
      files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size)
    )
    expect(sizes.reduce((a, b) => a + b, 0) / 2 ** 20).toBeLessThanOrEqual(300)
    const inside = execFileSync('npx', ['asar', 'list', join(PACKAGED, 'resources', 'app.asar')], {
      encoding: 'utf8'
    }).split('\n')
    const all = [...inside, ...files.map(({ parentPath, name }) => join(parentPath, name))]
    expect(
      all.filter((path) =>
        /\.map$|\.d\.ts$|\/(@tensorflow|konva|svelte|electron-builder)\/|darwin|win32\/|app-update\.yml$/.test(path)
      )
    ).toEqual([])
    expect(inside).toContain('/out/main/main.js')
    const papers = join(PACKAGED, 'resources', 'papers')
    expect(await readFile(join(papers, 'licences.txt'), 'utf8')).toContain('onnxruntime-node')
    const bill = JSON.parse(await readFile(join(papers, 'sbom.cdx.json'), 'utf8')) as {
      components: { name: string; licenses: unknown[] }[]
    }
    expect(bill.components.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['sharp', 'zod', '@tensorflow/tfjs-core', 'electron'])
    )
  })

  it('has its Electron fuses set', async () => {
    const wire = await getCurrentFuseWire(BINARY)
    const state = (fuse: FuseV1Options): string => String.fromCharCode(wire[fuse] as unknown as number)
    for (const closed of [
      FuseV1Options.RunAsNode,
      FuseV1Options.EnableNodeOptionsEnvironmentVariable,
      FuseV1Options.EnableNodeCliInspectArguments,
      FuseV1Options.GrantFileProtocolExtraPrivileges
    ])
      expect(state(closed)).toBe('0')
    for (const on of [
      FuseV1Options.EnableCookieEncryption,
      FuseV1Options.EnableEmbeddedAsarIntegrityValidation,
      FuseV1Options.OnlyLoadAppFromAsar
    ])
      expect(state(on)).toBe('1')
  })

  it('cannot be run as Node, given other code, or inspected', async () => {
    const mark = join(folder, 'mark')
    const code = join(folder, 'code.cjs')
    await writeFile(code, `require('node:fs').writeFileSync(${JSON.stringify(mark)}, 'reached')`)
    const tried = { ...env, ELECTRON_RUN_AS_NODE: '1', NODE_OPTIONS: `--require ${code}` }
    const info = await runProgram(script, ['info', '--json'], tried)
    expect(info.code, info.stderr).toBe(0)
    await runProgram(
      BINARY,
      [
        ...AS_ROOT,
        '--ozone-platform=headless',
        '--disable-gpu',
        '-e',
        `require(${JSON.stringify(code)})`,
        '--cli',
        'info'
      ],
      tried
    )
    await runProgram(BINARY, [...AS_ROOT, '--ozone-platform=headless', '--disable-gpu', code, '--cli', 'info'], env)
    await expect(stat(mark)).rejects.toThrow()
    const inspected = await runProgram(
      BINARY,
      [...AS_ROOT, '--ozone-platform=headless', '--disable-gpu', '--inspect=0', '--inspect-brk=0', '--cli', 'info'],
      env
    )
    expect(inspected.stderr).not.toContain('Debugger listening')
  })

  it('trains, segments, evaluates and exports from the command line, without a display', async () => {
    const project = join(folder, 'p.smalti')
    const trained = await runProgram(
      script,
      ['train', images, '--project', project, '--classes', '3', '--over', '8', '--steps', '8', '--json'],
      env
    )
    expect(trained.code, trained.stderr).toBe(0)
    expect(json<{ steps: number; backend: string }>(trained)).toMatchObject({ steps: 8, backend: 'onnxruntime' })
    expect((await runProgram(script, ['segment', project], env)).code).toBe(0)
    expect(
      json<{ images: number }>(await runProgram(script, ['evaluate', project, '--truth', truth, '--json'], env)).images
    ).toBe(3)
    for (const format of ['png', 'geopackage', 'flatgeobuf', 'onnx', 'report']) {
      const exported = await runProgram(
        script,
        ['export', project, '--format', format, '--out', join(folder, format)],
        env
      )
      expect(exported.code, `${format}: ${exported.stderr}`).toBe(0)
    }
    const refused = await runProgram(script, ['export', project, '--out', images], env)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('images')])
  })

  it('knows all commands, and tells a misspelt command from a file', async () => {
    const help = await runProgram(script, ['--help'], env)
    const commands = [...help.stdout.matchAll(/^ {2}([a-z][\w-]+)/gm)].map(([, name]) => name)
    expect(commands.length).toBeGreaterThan(10)
    const known = await readFile(script, 'utf8')
    for (const command of commands) expect(known).toMatch(new RegExp(`[ |]${command}[ )]`))
    const wrong = await runProgram(script, ['trian', images], env)
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('trian')])
  })

  it('stops when interrupted, keeps what was learnt, and says so', async () => {
    const project = join(folder, 'stopped.smalti')
    const stopped = await runProgram(
      script,
      ['train', images, '--project', project, '--classes', '3', '--over', '8', '--steps', '100000'],
      env,
      { interruptAt: 'Training' }
    )
    expect([stopped.code, stopped.stderr]).toEqual([130, expect.stringContaining('Cancelled.')])
    expect((await runProgram(script, ['segment', project], env)).code).toBe(0)
  })

  describe('with a window', () => {
    let window: PackagedWindow
    let session: NodeJS.ProcessEnv
    let proxied: string[]
    let project: string
    const asked: string[] = []
    const proxy = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(502).end()
    })

    beforeAll(async () => {
      proxy.on('connect', (request, socket) => {
        asked.push(request.url ?? '')
        socket.end()
      })
      await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening))
      const { port } = proxy.address() as AddressInfo
      project = join(folder, 'window.smalti')
      expect(
        (
          await runProgram(
            script,
            ['train', images, '--project', project, '--classes', '3', '--over', '8', '--steps', '8'],
            env
          )
        ).code
      ).toBe(0)
      proxied = [`--proxy-server=http://127.0.0.1:${port}`, '--proxy-bypass-list=<-loopback>']
    })
    beforeEach(async () => {
      session = await sessionOf(await temporaryFolder(), await display())
      window = await openPackaged([...proxied, pathToFileURL(images).href], session)
      await window.page.getByText('3 images').first().waitFor()
    })
    afterEach(async () => {
      await window.close()
      expect(asked, 'it has made no network request').toEqual([])
    })
    afterAll(() => proxy.close())

    it('compares backends before training, although only the shell may start processes', async () => {
      const { page } = window
      await page.getByLabel('Time limit (min)').first().fill('0.1')
      await page.getByRole('button', { name: 'Train', exact: true }).click()
      await page.getByRole('button', { name: 'Segment', exact: true }).and(page.locator(':enabled')).waitFor()
      await page.getByRole('button', { name: 'Segment', exact: true }).click()
      await page.getByText('Segmented 3 images').waitFor()
    })

    it('opens paths given to a second instance in the first window, including a project by its folder', async () => {
      const second = await runProgram(script, [...AS_ROOT, project], session)
      expect(second.code).toBe(0)
      await window.page.getByTitle(project).or(window.page.getByText(project)).first().waitFor()
    })

    it('reports a path on the command line that does not exist', async () => {
      await runProgram(script, [...AS_ROOT, join(folder, 'nowhere')], session)
      await window.page.getByText(`Smalti can't find ${join(folder, 'nowhere')}`).waitFor()
    })

    it('lets its page use only paths that the user gave it', async () => {
      const attempt = (code: string): Promise<unknown> => window.page.evaluate(code)
      const refused = { error: expect.objectContaining({ name: 'PathNotNamed' }) as unknown }
      expect(await attempt(`window.smalti.run(9001, 'catalogue', { sources: ['/etc'] })`)).toEqual(refused)
      expect(
        await attempt(
          `window.smalti.run(9002, 'classes', { project: ${JSON.stringify(project)}, head: 'A', into: '/tmp/stolen.json' })`
        )
      ).toEqual(refused)
      expect(await attempt(`window.smalti.run(9003, 'catalogue', { sources: ['../../../../etc'] })`)).toEqual(refused)
      expect(await attempt(`window.smalti.run(9004, 'openProject', { project: 'p.smalti' })`)).toEqual(refused)
      for (const out of ['', 'labels', '../labels'])
        expect(
          await attempt(
            `window.smalti.run(9005, 'export', { project: ${JSON.stringify(project)}, head: 'A', format: 'png', out: ${JSON.stringify(out)}, plan: true })`
          )
        ).toEqual({ error: expect.objectContaining({ name: 'InvalidSetting' }) as unknown })
      expect(await attempt(`window.smalti.showFolder('/etc').then(() => 'shown', (fault) => String(fault))`)).toContain(
        "doesn't have access to"
      )
      expect(
        await attempt(`window.smalti.rememberProject('/etc', '/etc').then(() => 'kept', (fault) => String(fault))`)
      ).toContain("doesn't have access to")
      expect(
        await attempt(`fetch('smalti://thumbnail/?file=/etc/hostname&side=64').then((answer) => answer.status)`)
      ).toBe(404)
      expect(
        await attempt(`fetch('smalti://app/../../../../etc/hostname').then((answer) => answer.status, () => 'refused')`)
      ).not.toBe(200)
    })

    it('runs only its own code, and has no Node in its page', async () => {
      expect(await window.page.evaluate(`typeof require + typeof process`)).toBe('undefinedundefined')
      expect(
        await window.page.evaluate(
          `new Promise((done) => { const script = document.createElement('script'); script.textContent = 'window.reached = 1'; document.head.append(script); requestAnimationFrame(() => requestAnimationFrame(() => done(window.reached))) })`
        )
      ).toBeUndefined()
      expect(await window.page.evaluate(`fetch('https://example.org').then(() => 'reached', () => 'refused')`)).toBe(
        'refused'
      )
      const before = window.page.url()
      await window.page.evaluate(`void (location.href = 'https://example.org')`)
      await drawn(window.page)
      expect(window.page.url()).toBe(before)
      expect(await window.page.evaluate(`window.open('https://example.org')`)).toBeNull()
    })
  })
})
