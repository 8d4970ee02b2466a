/**
 * `npm run bench -- runtime`: packages the program with a feed, lets the packaged command line and window download
 * TensorFlow from a local server, and trains with it.
 */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { drawScenes, temporaryFolder } from '../fixtures/commandLine.ts'
import { PACKAGED, openPackaged, runProgram, sessionOf } from '../fixtures/packaged.ts'
import { display } from '../fixtures/screen.ts'

const program = join(PACKAGED, 'smalti')
const server = createServer((request, response) => {
  const file = join('dist', new URL(request.url!, 'http://here').pathname)
  stat(file).then(
    ({ size }) => createReadStream(file).pipe(response.writeHead(200, { 'content-length': size })),
    () => response.writeHead(404).end()
  )
})
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
const feed = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
const key = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
execFileSync(process.execPath, ['resources/package/package.mjs', 'tensorflow', 'dir'], {
  stdio: 'inherit',
  env: { ...process.env, SMALTI_FEED: feed, SMALTI_UPDATE_KEY: key }
})

const folder = await temporaryFolder()
const { images } = await drawScenes(join(folder, 'scenes'), 3, 160)
const session = { ...(await sessionOf(join(folder, 'home'), await display())), XDG_DATA_HOME: join(folder, 'data') }
const train = [
  'train',
  images,
  '--project',
  join(folder, 'p.smalti'),
  '--steps',
  '20',
  '--classes',
  '3',
  '--over',
  '6',
  '--backend',
  'tensorflow'
]
async function tell(...args: string[]): Promise<void> {
  const began = performance.now()
  const { code, stdout, stderr } = await runProgram(
    program,
    args,
    { ...session, DISPLAY: undefined },
    { limit: 300_000 }
  )
  console.log(
    `smalti ${args.filter((arg) => !arg.startsWith('/')).join(' ')}: ${code}, ${((performance.now() - began) / 1e3).toFixed(1)} s: ${(stdout || stderr).trim().split('\n').join(' | ')}`
  )
}
try {
  await tell('runtimes')
  await tell(...train)
  await tell('runtimes', '--fetch', 'tensorflow')
  await tell(...train)
  await tell('info')
  await tell('runtimes', '--remove', 'tensorflow')
  const window = await openPackaged([images], session)
  const { page } = window
  await page.getByText('3 images').first().waitFor({ timeout: 30_000 })
  await page.getByText('More settings').click()
  const fetch = page.getByRole('button', { name: /^Download\s\d+\sMB$/ })
  await fetch.scrollIntoViewIfNeeded()
  await page.screenshot({ path: join('out', 'runtime-before.png') })
  await fetch.click()
  await page.getByText(/Downloading TensorFlow.*\s[1-9]\d?\s%/).waitFor({ timeout: 60_000 })
  await page.screenshot({ path: join('out', 'runtime-fetching.png') })
  await page.getByText(/is installed/).waitFor({ timeout: 300_000 })
  await page.screenshot({ path: join('out', 'runtime-here.png') })
  console.log(
    `in the window: fetched, pictures in out/; ${(await readdir(join(folder, 'data', 'smalti', 'runtimes'))).join()}`
  )
  await window.close()
} finally {
  server.close()
  await rm(folder, { recursive: true, force: true })
}
process.exit(0)
