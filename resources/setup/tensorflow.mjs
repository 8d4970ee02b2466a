import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { hasNvidia } from './cuda.mjs'
import { gather, run, withWheels } from './wheels.mjs'

/**
 * Python wheels whose libraries also work with the Node binding. The second one uses a GPU where CUDA 12 is installed.
 */
const WHEELS = { cpu: 'tensorflow-cpu==2.21.0', gpu: 'tensorflow==2.21.0' }
const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']
const HEADERS = ['include/tensorflow/', 'include/xla/tsl/c/', 'include/tsl/']

const tfjs = resolve('node_modules/@tensorflow/tfjs-node-gpu')
const binding = join(tfjs, 'lib', 'napi-v8', 'tfjs_binding.node')

/**
 * Installs libtensorflow and its binding. On Linux they come from the wheel, because the official library is years old
 * and supports only CUDA 11. If the GPU wheel does not find CUDA, the CPU wheel is used. Returns what is missing, in
 * words.
 */
export function installTensorflow(runtime) {
  if (!existsSync(tfjs)) return 'the package is not installed; Smalti uses ONNX Runtime'
  if (process.platform === 'linux' && process.arch === 'x64') {
    const withGpu = hasNvidia() && fromWheel(runtime, WHEELS.gpu) === undefined
    return withGpu ? undefined : fromWheel(runtime, WHEELS.cpu)
  }
  spawnSync('npm', ['rebuild', '@tensorflow/tfjs-node-gpu', '--ignore-scripts=false'], {
    encoding: 'utf8',
    shell: process.platform === 'win32',
    timeout: 900_000
  })
  return loads() ? undefined : 'the library could not be downloaded; Smalti uses ONNX Runtime'
}

function fromWheel(runtime, wheel) {
  try {
    const folder = join(runtime, wheel.replace('==', '-'))
    if (!existsSync(folder)) unpackWheel(runtime, wheel, folder)
    rmSync(join(tfjs, 'deps'), { recursive: true, force: true })
    symlinkSync(folder, join(tfjs, 'deps'))
    compile()
    return loads() ? undefined : 'the binding does not load on this computer; Smalti uses ONNX Runtime'
  } catch (fault) {
    return `could not be installed (${fault.message}); Smalti uses ONNX Runtime`
  }
}

function unpackWheel(runtime, wheel, folder) {
  withWheels(
    runtime,
    [wheel],
    LIBRARIES.concat(HEADERS).map((path) => `tensorflow/${path}`),
    (work) => {
      const deps = join(work, 'deps')
      gather(
        LIBRARIES.map((name) => join(work, 'tensorflow', name)),
        join(deps, 'lib')
      )
      for (const name of LIBRARIES) symlinkSync(name, join(deps, 'lib', name.replace(/(_cc)?\.so\.2$/, '.so')))
      renameSync(join(work, 'tensorflow', 'include'), join(deps, 'include'))
      renameSync(deps, folder)
    }
  )
}

function compile() {
  const headers = resolve('node_modules/node-api-headers/include')
  mkdirSync(join(tfjs, 'lib', 'napi-v8'), { recursive: true })
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(tfjs, 'binding', name))
  run('g++', [
    '-O2',
    '-std=c++17',
    '-fPIC',
    '-shared',
    '-w',
    '-DNAPI_VERSION=8',
    `-I${headers}`,
    `-I${tfjs}`,
    `-I${join(tfjs, 'deps', 'include')}`,
    ...sources,
    '-o',
    binding,
    `-L${join(tfjs, 'deps', 'lib')}`,
    '-ltensorflow',
    '-ltensorflow_framework',
    '-Wl,-rpath,$ORIGIN/../../deps/lib'
  ])
}

/** Whether the binding loads. Tried in another process, so that a crash stays there. */
function loads() {
  const script = `const u = require('node:util'); u.isNullOrUndefined ??= (v) => v == null; u.isArray ??= Array.isArray; require('@tensorflow/tfjs-node-gpu')`
  return existsSync(binding) && spawnSync(process.execPath, ['-e', script]).status === 0
}
