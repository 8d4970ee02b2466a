import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const PROGRAM = ['libgtk-3-0', 'libnss3', 'libgbm1', 'libasound2']
const TESTS = ['xvfb', 'libvulkan1', 'g++', 'python3-pip', 'gdal-bin', 'python3-gdal', 'python3-numpy']

/** Installs the libraries that Electron and the tests need. Returns what is missing, in words. */
export function installDebianPackages(forTests) {
  if (process.platform !== 'linux' || !existsSync('/etc/debian_version')) return undefined
  const wanted = forTests ? [...PROGRAM, ...TESTS] : PROGRAM
  const missing = wanted.filter((name) => !isInstalled(name))
  if (missing.length === 0) return undefined
  if (process.getuid() !== 0)
    return `missing ${missing.join(', ')}; install with: sudo apt-get install ${missing.join(' ')}`
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, encoding: 'utf8' }
  spawnSync('apt-get', ['update', '-qq'], options)
  const { status, stderr } = spawnSync(
    'apt-get',
    ['install', '-y', '-qq', '--no-install-recommends', ...missing],
    options
  )
  return status === 0 ? undefined : `${missing.join(', ')} could not be installed: ${stderr.trim().split('\n').at(-1)}`
}

function isInstalled(name) {
  if (name === 'g++') return spawnSync('g++', ['--version']).status === 0
  if (name === 'python3-pip') return spawnSync('python3', ['-m', 'pip', '--version']).status === 0
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f=${Status}', name], { encoding: 'utf8' })
  return stdout.endsWith('ok installed')
}
