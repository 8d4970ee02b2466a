/**
 * Installs everything that Smalti needs to run from a clone, and skips what is up to date. Needs only Node.
 *
 *   node resources/setup/setup.mjs            for the program
 *   node resources/setup/setup.mjs --tests    for its tests as well
 *
 * A part that can't be installed is reported in one line and skipped.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cudaIsInstalled, hasNvidia, installCuda } from './cuda.mjs'
import { installDebianPackages } from './debian.mjs'
import { installOracles } from './oracles.mjs'
import { installElectron } from './electron.mjs'
import { installTensorflow } from './tensorflow.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const runtime = join(root, '.runtime')
const stampFile = join(runtime, 'setup.json')
const forTests = process.argv.includes('--tests')

process.chdir(root)
mkdirSync(runtime, { recursive: true })
const stamps = existsSync(stampFile) ? JSON.parse(readFileSync(stampFile, 'utf8')) : {}

/** Runs a step unless it was completed with the same key. A step that lacks something is tried again next time. */
async function step(name, key, present, perform) {
  if (stamps[name] === key && present()) return
  const began = Date.now()
  const lack = await perform()
  if (lack) {
    console.log(`${name}: ${lack}`)
    stamps[name] = undefined
  } else {
    console.log(`${name}: ready (${Math.round((Date.now() - began) / 1000)} s)`)
    stamps[name] = key
  }
  writeFileSync(stampFile, `${JSON.stringify(stamps, null, 2)}\n`)
}

function digest(...paths) {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(readFileSync(path))
  return hash.digest('hex').slice(0, 16)
}

/** Hashes the names, sizes and times of all sources, which a build depends on. */
function sourceState() {
  const hash = createHash('sha256')
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) visit(path)
      else hash.update(`${path}:${statSync(path).size}:${statSync(path).mtimeMs}\n`)
    }
  }
  for (const folder of ['src-main', 'src-renderer']) visit(folder)
  return hash.update(digest('electron.config.ts', 'package-lock.json')).digest('hex').slice(0, 16)
}

function run(command, args) {
  const shell = process.platform === 'win32'
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', shell, maxBuffer: 2 ** 26 })
  if (error) throw error
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout.slice(-2000)}${stderr.slice(-4000)}`)
}

const lock = digest('package-lock.json')
await step(
  'Node packages',
  lock,
  () => existsSync('node_modules/vite'),
  () => run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
)
await step(
  'System libraries',
  `${forTests || String(stamps['System libraries'] ?? '').includes('tests') ? 'tests' : 'program'} 3`,
  () => true,
  () => installDebianPackages(forTests)
)
await step(
  'Electron',
  lock,
  () => existsSync('node_modules/electron/path.txt'),
  () => installElectron(runtime)
)
if (hasNvidia()) await step('CUDA', lock, cudaIsInstalled, () => installCuda(runtime))
await step(
  'TensorFlow',
  `${lock} ${hasNvidia()}`,
  () => existsSync('node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node'),
  () => installTensorflow(runtime)
)
if (forTests)
  await step(
    'Oracles',
    '3',
    () => existsSync(join(runtime, 'oracles')) && existsSync(join(runtime, 'cogeo')),
    () => installOracles(runtime)
  )
await step(
  'Build',
  sourceState(),
  () => existsSync('out/main/smalti.js'),
  () => run('npx', ['electron-vite', 'build', '--config', 'electron.config.ts'])
)
