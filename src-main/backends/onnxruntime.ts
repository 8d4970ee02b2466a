import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import type { InferenceSession } from 'onnxruntime-common'
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
    compile: (program, state) => executeRecorded(ort, sessionOptions(threads, program.constantState === true), program, state)
  }
}

/**
 * Numbers too small to be normal, which vanishing moments are full of, would take a hundred times as long. Blocked
 * layouts pay where the filters are constant; elsewhere they only reorder back and forth.
 */
function sessionOptions(threads: number, constantFilters: boolean): InferenceSession.SessionOptions {
  const extra = { session: { set_denormal_as_zero: '1' } }
  return { intraOpNumThreads: threads, graphOptimizationLevel: constantFilters ? 'all' : 'extended', logSeverityLevel: 3, extra }
}
