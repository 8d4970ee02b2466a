import { createRequire } from 'node:module'
import * as util from 'node:util'
import { executeEagerly } from './eager.ts'
import type { Backend } from './program.ts'
import { registerTensorflowKernels } from './tensorflowKernels.ts'

const require = createRequire(import.meta.url)

/** Restores utilities that tfjs-node calls and Node 23 removed. */
function restoreRemovedUtilities(): void {
  const legacy = util as unknown as Record<string, unknown>
  const mutable = require('node:util') as Record<string, unknown>
  if (!legacy.isNullOrUndefined)
    mutable.isNullOrUndefined = (value: unknown): boolean => value === null || value === undefined
  if (!legacy.isArray) mutable.isArray = Array.isArray
}

interface NodeBinding {
  version: Record<string, string>
  backend(): { isUsingGpuDevice?: boolean }
}

/**
 * TensorFlow through `@tensorflow/tfjs-node-gpu`: on CUDA where the library supports it, otherwise on the CPU.
 *
 * @param fetched  path of the package bundled into one file, where it is not installed
 * @throws Error when the package or its native library is missing
 */
export function tensorflowBackend(fetched?: string): Backend {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true'
  process.env.TF_SET_ONEDNN_FPMATH_MODE ??= 'BF16'
  process.env.ONEDNN_DEFAULT_FPMATH_MODE ??= 'BF16'
  restoreRemovedUtilities()
  const warn = console.warn
  console.warn = () => undefined
  try {
    const binding = require(fetched ?? '@tensorflow/tfjs-node-gpu') as NodeBinding
    registerTensorflowKernels()
    const onGpu = binding.backend().isUsingGpuDevice === true
    return {
      name: 'tensorflow',
      device: `${onGpu ? 'NVIDIA GPU' : 'CPU'}, TensorFlow.js ${binding.version['tfjs-node']}`,
      onGpu,
      compile: (program, state) => Promise.resolve(executeEagerly('tensorflow', program, state))
    }
  } finally {
    console.warn = warn
  }
}
