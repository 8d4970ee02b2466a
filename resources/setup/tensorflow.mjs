import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The Python wheel whose libraries the Node binding also runs on. */
const WHEEL = 'tensorflow-cpu==2.21.0'

const tfjs = resolve('node_modules/@tensorflow/tfjs-node-gpu')
const binding = join(tfjs, 'lib', 'napi-v8', 'tfjs_binding.node')

/** Installs libtensorflow and its binding: the official ones, or else from the wheel. Returns what is lacking, in words. */
export function installTensorflow(runtime) {
  if (!existsSync(tfjs)) return 'the package is not installed; ONNX Runtime computes'
  if (process.platform === 'linux' && process.arch === 'x64' && process.env.CUDA_VISIBLE_DEVICES === undefined && !existsSync('/dev/nvidia0')) {
    // Without a CUDA device the old official library has nothing over the current one.
    return fromWheel(runtime)
  }
  spawnSync('npm', ['rebuild', '@tensorflow/tfjs-node-gpu', '--ignore-scripts=false'], { encoding: 'utf8', shell: process.platform === 'win32', timeout: 900_000 })
  return loads() ? undefined : fromWheel(runtime)
}

function fromWheel(runtime) {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'its library could not be downloaded; ONNX Runtime computes'
  try {
    const folder = join(runtime, WHEEL.replace('==', '-'))
    if (!existsSync(folder)) unpackWheel(runtime, folder)
    rmSync(join(tfjs, 'deps'), { recursive: true, force: true })
    symlinkSync(folder, join(tfjs, 'deps'))
    compile()
    return loads() ? undefined : 'its binding does not load here; ONNX Runtime computes'
  } catch (fault) {
    return `it could not be had (${fault.message}); ONNX Runtime computes`
  }
}

function unpackWheel(runtime, folder) {
  const work = join(runtime, 'tensorflow-download')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  // Any Python's pip can fetch the wheel: only its libraries are used.
  run('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '--python-version', '3.11', '--only-binary=:all:', '--dest', work, WHEEL])
  const wheel = join(work, readdirSync(work).find((name) => name.endsWith('.whl')))
  run('python3', ['-c', UNZIP, wheel, work])
  const lib = join(work, 'deps', 'lib')
  mkdirSync(lib, { recursive: true })
  for (const name of ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']) renameSync(join(work, 'tensorflow', name), join(lib, name))
  symlinkSync('libtensorflow_cc.so.2', join(lib, 'libtensorflow.so'))
  symlinkSync('libtensorflow_framework.so.2', join(lib, 'libtensorflow_framework.so'))
  renameSync(join(work, 'tensorflow', 'include'), join(work, 'deps', 'include'))
  renameSync(join(work, 'deps'), folder)
  rmSync(work, { recursive: true, force: true })
}

const UNZIP = `
import sys, zipfile
wanted = ('tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2', 'tensorflow/include/tensorflow/', 'tensorflow/include/xla/tsl/c/', 'tensorflow/include/tsl/')
with zipfile.ZipFile(sys.argv[1]) as archive:
    archive.extractall(sys.argv[2], [name for name in archive.namelist() if name.startswith(wanted)])
`

function compile() {
  const headers = resolve('node_modules/node-api-headers/include')
  mkdirSync(join(tfjs, 'lib', 'napi-v8'), { recursive: true })
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(tfjs, 'binding', name))
  run('g++', [
    '-O2', '-std=c++17', '-fPIC', '-shared', '-w', '-DNAPI_VERSION=8', `-I${headers}`, `-I${tfjs}`, `-I${join(tfjs, 'deps', 'include')}`, ...sources,
    '-o', binding, `-L${join(tfjs, 'deps', 'lib')}`, '-ltensorflow', '-ltensorflow_framework', '-Wl,-rpath,$ORIGIN/../../deps/lib'
  ])
}

/** Whether the binding loads, tried in another process so that a crash stays there. */
function loads() {
  const script = `const u = require('node:util'); u.isNullOrUndefined ??= (v) => v == null; u.isArray ??= Array.isArray; require('@tensorflow/tfjs-node-gpu')`
  return existsSync(binding) && spawnSync(process.execPath, ['-e', script]).status === 0
}

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} failed: ${stderr.trim().split('\n').at(-1)}`)
}
