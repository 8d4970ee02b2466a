import { plural } from '../contract/words/plural.ts'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import type { InferenceSession } from 'onnxruntime-node'
import type { OrtApi } from './onnx/execution.ts'
import { executeRecorded } from './onnx/execution.ts'
import type { Backend, BackendName } from './program.ts'

const require = createRequire(import.meta.url)

const threads = availableParallelism()
const DEVICES = {
  onnxruntime: `CPU, ${plural(threads, 'thread')}`,
  webgpu: 'GPU, through WebGPU',
  cuda: 'NVIDIA GPU, through CUDA'
} satisfies Partial<Record<BackendName, string>>

/**
 * ONNX Runtime on recorded graphs, through one of its execution providers: its CPU kernels, WebGPU or CUDA. Only
 * creating a session shows whether a provider is available.
 * @throws Error when the native library cannot be loaded
 */
export function onnxruntimeBackend(name: keyof typeof DEVICES = 'onnxruntime'): Backend {
  const ort = require('onnxruntime-node') as OrtApi
  return {
    name,
    device: DEVICES[name],
    onGpu: name !== 'onnxruntime',
    compile: (program, state) => {
      const options = sessionOptions(name, program.constantState === true)
      return executeRecorded(ort, options, program, state, name === 'webgpu')
    }
  }
}

/**
 * Session options of a provider. Denormal numbers, of which vanishing moments are full, would take a hundred times as
 * long. Blocked layouts pay off where the filters are constant; elsewhere they only reorder back and forth.
 */
function sessionOptions(name: keyof typeof DEVICES, constantFilters: boolean): InferenceSession.SessionOptions {
  if (name !== 'onnxruntime') return { executionProviders: [name], graphOptimizationLevel: 'all', logSeverityLevel: 3 }
  const extra = { session: { set_denormal_as_zero: '1' } }
  return {
    intraOpNumThreads: threads,
    graphOptimizationLevel: constantFilters ? 'all' : 'extended',
    logSeverityLevel: 3,
    extra
  }
}
