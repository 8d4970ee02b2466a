/**
 * `npm run bench -- installed [deb]`: installs the deb into a fresh minimal Debian and goes through the main tasks in
 * the window there, as an ordinary user, with the sandbox on, watched through Chromium's own debugging. Needs root and
 * debootstrap.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { chromium } from 'playwright-core'
import { drawScenes } from '../fixtures/commandLine.ts'
import { freePort } from '../fixtures/packaged.ts'

const [
  deb = (await readdir('dist').catch(() => []))
    .filter((name) => name.endsWith('.deb'))
    .map((name) => join('dist', name))
    .at(-1)
] = process.argv.slice(2)
const SCREEN = ':95'
const USER = 'forester'

if (process.getuid?.() !== 0 || spawnSync('which', ['debootstrap']).status !== 0) {
  console.log('installed: not measured, it needs root and debootstrap')
  process.exit(0)
}
if (!deb) {
  console.log('installed: there is no deb in dist; npm run package -- deb makes it')
  process.exit(1)
}

const root = await mkdtemp(join(tmpdir(), 'smalti-debian-'))
const home = join(root, 'home', USER)
const mounts = ['proc', 'dev/shm', 'tmp/.X11-unix'].map((name) => join(root, name))
const inside = (...args: string[]): string[] => [root, ...args]
const asUser = (...args: string[]): string[] => [
  `--userspec=${USER}:${USER}`,
  root,
  'env',
  '-i',
  `HOME=/home/${USER}`,
  `USER=${USER}`,
  'PATH=/usr/bin:/bin',
  'LANG=C.UTF-8',
  ...args
]
const chroot = (args: string[]): { code: number | null; stdout: string; stderr: string } => {
  const { status, stdout, stderr } = spawnSync('chroot', args, { encoding: 'utf8', maxBuffer: 2 ** 26 })
  return { code: status, stdout, stderr }
}
const tell = (what: string, outcome: string): void => console.log(`  ${what.padEnd(44)} ${outcome}`)

/** Opens the window there and returns its page and the time until it can be used. */
async function openThere(...args: string[]) {
  const port = await freePort()
  const started = performance.now()
  const child = spawn('chroot', asUser(`DISPLAY=${SCREEN}`, 'smalti', `--remote-debugging-port=${port}`, ...args), {
    stdio: 'ignore'
  })
  for (;;) {
    const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`).catch(() => undefined)
    if (browser) {
      const [context] = browser.contexts()
      const page = context.pages()[0] ?? (await context.waitForEvent('page'))
      await page
        .getByRole('button', { name: /Choose folder|Train/ })
        .first()
        .waitFor()
      return {
        page,
        seconds: (performance.now() - started) / 1e3,
        close: async () => (
          await browser.close(),
          spawnSync('pkill', ['-f', 'smalti-bin']),
          new Promise((done) => (child.exitCode === null ? child.on('exit', done) : done(undefined)))
        )
      }
    }
    if (performance.now() - started > 60_000) throw new Error('the window did not open')
    await new Promise((wait) => setTimeout(wait, 40))
  }
}

let screen: ChildProcess | undefined
try {
  console.log(`${basename(deb)} in a minimal Debian:`)
  execFileSync('debootstrap', ['--variant=minbase', 'bookworm', root], { stdio: 'ignore' })
  await chmod(root, 0o755)
  for (const file of ['/etc/resolv.conf', '/etc/hosts']) await copyFile(file, join(root, file))
  for (const settings of ['/etc/apt/apt.conf', '/etc/apt/apt.conf.d'])
    if (existsSync(settings)) await cp(settings, join(root, settings), { recursive: true })
  execFileSync('mount', ['-t', 'proc', 'proc', join(root, 'proc')])
  await mkdir(join(root, 'dev', 'shm'), { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=1777', 'tmpfs', join(root, 'dev', 'shm')])
  await copyFile(deb, join(root, 'smalti.deb'))
  const apt =
    'export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && apt-get install -y -qq --no-install-recommends /smalti.deb'
  const installed = chroot(inside('sh', '-c', apt))
  if (installed.code !== 0) throw new Error(`it cannot be installed: ${installed.stderr.slice(-2000)}`)
  tell('installs with its dependencies', 'yes')
  chroot(inside('useradd', '-m', USER))
  const { images } = await drawScenes(home, 3, 160)
  execFileSync('chown', ['-R', '1000:1000', home])
  const photos = images.slice(root.length)

  const trained = chroot(
    asUser(
      'smalti',
      'train',
      photos,
      '--project',
      `/home/${USER}/cli.smalti`,
      '--classes',
      '3',
      '--over',
      '8',
      '--steps',
      '6'
    )
  )
  const segmented = chroot(asUser('smalti', 'segment', `/home/${USER}/cli.smalti`))
  tell(
    'command line without a display',
    trained.code === 0 && segmented.code === 0
      ? 'trains and segments'
      : `FAILS ${trained.stderr.slice(-300)} ${segmented.stderr.slice(-300)}`
  )

  screen = spawn('Xvfb', [SCREEN, '-screen', '0', '1440x900x24', '-nolisten', 'tcp'], { stdio: 'ignore' })
  await new Promise((wait) => setTimeout(wait, 1000))
  await mkdir(join(root, 'tmp', '.X11-unix'), { recursive: true })
  execFileSync('mount', ['--bind', '/tmp/.X11-unix', join(root, 'tmp', '.X11-unix')])

  const starts: number[] = []
  for (let time = 0; time < 3; time++) {
    if (time === 0) await writeFile('/proc/sys/vm/drop_caches', '3').catch(() => undefined)
    const first = await openThere()
    starts.push(first.seconds)
    await first.close()
  }
  tell('start until it can be used, cold, then warm', starts.map((seconds) => `${seconds.toFixed(2)} s`).join(', '))

  const { page, close } = await openThere(photos)
  await page.getByText('3 images').first().waitFor()
  const renderers = execFileSync('pgrep', ['-f', 'smalti-bin.*--type=renderer'], { encoding: 'utf8' })
    .trim()
    .split('\n')
  const status = await readFile(`/proc/${renderers[0]}/status`, 'utf8')
  const commands = execFileSync('pgrep', ['-af', 'smalti-bin'], { encoding: 'utf8' })
  tell('sandbox of the page', /Seccomp:\s+2/.test(status) && !commands.includes('--no-sandbox') ? 'on' : 'OFF')
  await page.getByLabel('Time limit (min)').first().fill('0.1')
  await page.getByRole('button', { name: 'Train', exact: true }).click()
  await page
    .getByRole('button', { name: 'Segment', exact: true })
    .and(page.locator(':enabled'))
    .waitFor({ timeout: 120_000 })
  await page.getByRole('button', { name: 'Segment', exact: true }).click()
  await page.getByText('Segmented 3 images').waitFor({ timeout: 60_000 })
  await page.locator('.stage canvas').first().waitFor()
  await page.getByRole('button', { name: 'Export…' }).first().click()
  await page.getByRole('button', { name: 'Export', exact: true }).click()
  await page
    .getByText(/^Exported\s\d+\sfiles/)
    .first()
    .waitFor({ timeout: 60_000 })
  tell('the window’s story', 'opens, trains, segments, shows, exports')
  await close()

  chroot(inside('sh', '-c', 'DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq smalti'))
  const left = ['opt/Smalti', 'usr/bin/smalti', 'usr/share/applications/smalti.desktop'].filter((path) =>
    existsSync(join(root, path))
  )
  const projects =
    (await readdir(home)).includes('cli.smalti') &&
    (await readdir(join(home, 'Documents', 'Smalti')).catch(() => readdir(join(home, 'Smalti')).catch(() => [])))
      .length > 0
  tell(
    'uninstalling',
    left.length === 0 && projects
      ? 'leaves the projects, and nothing of the program'
      : `LEAVES ${left.join(', ')}${projects ? '' : ', and the projects are gone'}`
  )
} finally {
  spawnSync('pkill', ['-f', 'smalti-bin'])
  screen?.kill()
  for (const mount of mounts.reverse()) spawnSync('umount', ['-l', mount])
  // Whatever is mounted there must not be deleted with it.
  if ((await readFile('/proc/mounts', 'utf8')).includes(` ${root}/`))
    console.log(`  ${root} stays: something is still mounted in it`)
  else await rm(root, { recursive: true, force: true, maxRetries: 3 })
}
process.exit(0)
