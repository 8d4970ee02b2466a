import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { hasNvidia } from './cuda.mjs'
import { gather, run, withWheels } from './wheels.mjs'

/** The Python wheels whose libraries the Node binding also runs on: the second uses a GPU where CUDA 12 is installed. */
const WHEELS = { cpu: 'tensorflow-cpu==2.21.0', gpu: 'tensorflow==2.21.0' }
const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']
const HEADERS = ['include/tensorflow/', 'include/xla/tsl/c/', 'include/tsl/']

const tfjs = resolve('node_modules/@tensorflow/tfjs-node-gpu')
const binding = join(tfjs, 'lib', 'napi-v8', 'tfjs_binding.node')

/**
 * Installs libtensorflow and its binding. On Linux from the wheel: the official library is years old and knows only CUDA
 * 11. Where the GPU's wheel does not find its CUDA, the processor's is taken. Returns what is lacking, in words.
 */
export function installTensorflow(runtime) {
  if (!existsSync(tfjs)) return 'the package is not installed; ONNX Runtime computes'
  if (process.platform === 'linux' && process.arch === 'x64') {
    const withGpu = hasNvidia() && fromWheel(runtime, WHEELS.gpu) === undefined
    return withGpu ? undefined : fromWheel(runtime, WHEELS.cpu)
  }
  spawnSync('npm', ['rebuild', '@tensorflow/tfjs-node-gpu', '--ignore-scripts=false'], {
    encoding: 'utf8',
    shell: process.platform === 'win32',
    timeout: 900_000
  })
  return loads() ? undefined : 'its library could not be downloaded; ONNX Runtime computes'
}

function fromWheel(runtime, wheel) {
  try {
    const folder = join(runtime, wheel.replace('==', '-'))
    if (!existsSync(folder)) unpackWheel(runtime, wheel, folder)
    rmSync(join(tfjs, 'deps'), { recursive: true, force: true })
    symlinkSync(folder, join(tfjs, 'deps'))
    compile()
    return loads() ? undefined : 'its binding does not load here; ONNX Runtime computes'
  } catch (fault) {
    return `it could not be had (${fault.message}); ONNX Runtime computes`
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

/** Whether the binding loads, tried in another process so that a crash stays there. */
function loads() {
  const script = `const u = require('node:util'); u.isNullOrUndefined ??= (v) => v == null; u.isArray ??= Array.isArray; require('@tensorflow/tfjs-node-gpu')`
  return existsSync(binding) && spawnSync(process.execPath, ['-e', script]).status === 0
}
