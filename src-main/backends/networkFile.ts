import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { PbfReader } from 'pbf'
import type { OrtApi } from './onnx/execution.ts'
import type { Shape } from './program.ts'

const require = createRequire(import.meta.url)

/** An input or output of a network. */
export interface NetworkPort {
  name: string
  type: string
  /** Lengths of the sides, or names of sides whose length varies between runs. */
  shape: readonly (number | string)[]
}

/** A network made elsewhere, opened from its file. */
export interface NetworkFile {
  inputs: NetworkPort[]
  outputs: NetworkPort[]
  /** @throws Error with the runtime's own message when the network rejects the shape */
  run(
    input: string,
    values: Float32Array,
    shape: Shape,
    output: string
  ): Promise<{ values: Float32Array; shape: Shape }>
}

/**
 * Opens an ONNX model on the processor.
 * @throws Error when the file is not an ONNX model or has operators that ONNX Runtime lacks
 */
export async function openNetworkFile(path: string): Promise<NetworkFile> {
  const ort = require('onnxruntime-node') as OrtApi
  const session = await ort.InferenceSession.create(path, {
    intraOpNumThreads: availableParallelism(),
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3
  })
  const ports = (entries: typeof session.inputMetadata): NetworkPort[] =>
    entries.map((entry) =>
      entry.isTensor
        ? { name: entry.name, type: entry.type, shape: entry.shape }
        : { name: entry.name, type: 'not a tensor', shape: [] }
    )
  return {
    inputs: ports(session.inputMetadata),
    outputs: ports(session.outputMetadata),
    async run(input, values, shape, output) {
      const results = await session.run({ [input]: new ort.Tensor('float32', values, [...shape]) }, [output])
      return { values: results[output].data as Float32Array, shape: results[output].dims }
    }
  }
}

/**
 * Returns an ONNX model's metadata by key: `metadata_props` of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
 */
export function notesOfNetwork(model: Uint8Array): Record<string, string> {
  const notes: Record<string, string> = {}
  new PbfReader(model).readFields((field, into, reader) => {
    if (field !== 14) return
    const [key, value] = reader.readMessage(
      (part, pair, inner) => {
        if (part === 1 || part === 2) pair[part - 1] = inner.readString()
      },
      ['', '']
    )
    into[key] = value
  }, notes)
  return notes
}
