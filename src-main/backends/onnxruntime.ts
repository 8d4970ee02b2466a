import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import type { OrtApi } from './onnx/execution.ts'
import { executeRecorded } from './onnx/execution.ts'
import type { Backend } from './program.ts'

const require = createRequire(import.meta.url)

/** ONNX Runtime on recorded graphs. @throws Error when the native library cannot be loaded */
export function onnxruntimeBackend(): Backend {
  const ort = require('onnxruntime-node') as OrtApi
  const threads = availableParallelism()
  return {
    name: 'onnxruntime',
    device: `CPU, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    compile: (program, state) =>
      executeRecorded(ort, { intraOpNumThreads: threads, graphOptimizationLevel: 'all', logSeverityLevel: 3 }, program, state)
  }
}
