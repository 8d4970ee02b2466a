import '../gradients.ts'
import * as tf from '@tensorflow/tfjs-core'
import type * as Ort from 'onnxruntime-node'
import type { Execution, NamedArrays, Program } from '../program.ts'
import { registerRecorderKernels } from './kernels.ts'
import { OnnxGraph } from './graph.ts'
import { RECORDER, Recorder } from './recorder.ts'

/** A program recorded as an ONNX model. */
export interface RecordedProgram {
  model: Uint8Array
  /** State entries that a run changes. */
  carried: string[]
  /** State entries that the graph reads. */
  read: string[]
  nodes: number
}

const NEXT = 'next:'

/**
 * Records a program as an ONNX model. Its inputs are the program's inputs and state entries; its outputs are `name` for
 * each output and `next:name` for each state entry that changes. With `constants`, the state is built into the model.
 *
 * @throws RecordingError when the program reads a value or calls a kernel that cannot be recorded
 */
export function recordProgram(program: Program, constants?: NamedArrays, forWebGpu = false): RecordedProgram {
  const recorder = recorderBackend()
  const previous = tf.getBackend()
  void tf.setBackend(RECORDER)
  recorder.restart(forWebGpu)
  try {
    tf.engine().startScope()
    return trace(recorder, program, constants)
  } finally {
    tf.engine().endScope()
    if (previous) void tf.setBackend(previous)
    recorder.restart()
  }
}

function trace(recorder: Recorder, program: Program, constants?: NamedArrays): RecordedProgram {
  const place = (specs: Readonly<Record<string, readonly number[]>>): Record<string, tf.Tensor> =>
    Object.fromEntries(Object.entries(specs).map(([name, shape]) => [name, recorder.placeholder(name, shape)]))
  const inputs = place(program.inputs)
  const state = constants
    ? Object.fromEntries(
        Object.entries(program.state).map(([name, shape]) => [name, tf.tensor(constants[name], [...shape], 'float32')])
      )
    : place(program.state)
  const result = program.evaluate(inputs, state)
  for (const name of program.outputs) {
    const value = recorder.value(result.outputs[name])
    recorder.graph.output(name, value.shape, recorder.canonicalName(value))
  }
  const carried = Object.keys(result.state)
  for (const name of carried) {
    const value = recorder.value(result.state[name])
    recorder.graph.output(NEXT + name, value.shape, recorder.canonicalName(value))
  }
  return {
    model: recorder.graph.serialise(),
    carried,
    read: constants ? [] : Object.keys(program.state),
    nodes: recorder.graph.nodeCount
  }
}

let registered: Recorder | undefined

function recorderBackend(): Recorder {
  if (registered) return registered
  registerRecorderKernels()
  const recorder = new Recorder()
  tf.registerBackend(RECORDER, () => recorder, 0)
  return (registered = recorder)
}

/** The parts of ONNX Runtime's API that Smalti uses. */
export interface OrtApi {
  InferenceSession: typeof Ort.InferenceSession
  Tensor: typeof Ort.Tensor
}

/**
 * Records `program` and runs the graph with ONNX Runtime. In main memory the state is double-buffered between runs; on
 * WebGPU it stays on the device and is copied only when it is read.
 */
export async function executeRecorded(
  ort: OrtApi,
  options: Ort.InferenceSession.SessionOptions,
  program: Program,
  initial: NamedArrays,
  onWebGpu = false
): Promise<Execution> {
  const fixed = program.constantState === true
  const { model, carried, read } = recordProgram(program, fixed ? initial : undefined, onWebGpu)
  const preferredOutputLocation = onWebGpu
    ? Object.fromEntries(carried.map((name) => [NEXT + name, 'gpu-buffer' as const]))
    : undefined
  const session = await ort.InferenceSession.create(model, { ...options, preferredOutputLocation })
  const copying = onWebGpu && carried.length > 0 ? await copySession() : undefined
  async function copySession(): Promise<Ort.InferenceSession> {
    try {
      return await ort.InferenceSession.create(copyModel(program.state), options)
    } catch (fault) {
      await session.release()
      throw fault
    }
  }
  const tensorOf = (values: Float32Array, shape: readonly number[]): Ort.Tensor =>
    new ort.Tensor('float32', values, [...shape])
  const wanted = new Set(session.inputNames)
  const allocate = (): Record<string, Ort.Tensor> =>
    Object.fromEntries(
      carried.map((name) => [name, tensorOf(new Float32Array(initial[name].length), program.state[name])])
    )
  let current: Record<string, Ort.Tensor> = {}
  let spare = onWebGpu ? {} : allocate()
  const release = (tensors: Record<string, Ort.Tensor>): void => {
    for (const tensor of Object.values(tensors)) if (tensor.location === 'gpu-buffer') tensor.dispose()
  }
  const writeState = (state: NamedArrays): Promise<void> => {
    release(current)
    for (const name of read) current[name] = tensorOf(Float32Array.from(state[name]), program.state[name])
    return Promise.resolve()
  }
  await writeState(initial)

  return {
    async run(inputs) {
      const feeds: Record<string, Ort.Tensor> = {}
      for (const [name, shape] of Object.entries(program.inputs))
        if (wanted.has(name)) feeds[name] = tensorOf(inputs[name], shape)
      for (const [name, tensor] of Object.entries(current)) if (wanted.has(name)) feeds[name] = tensor
      const fetches: Record<string, Ort.Tensor | null> = {}
      for (const name of program.outputs) fetches[name] = null
      for (const name of carried) fetches[NEXT + name] = spare[name] ?? null
      const results = await session.run(feeds, fetches)
      const replaced = Object.fromEntries(carried.map((name) => [name, current[name]]))
      current = { ...current, ...Object.fromEntries(carried.map((name) => [name, results[NEXT + name]])) }
      if (onWebGpu) release(replaced)
      else spare = replaced
      return Object.fromEntries(program.outputs.map((name) => [name, results[name].data as Float32Array]))
    },
    async readState() {
      if (fixed) return initial
      const there = copying ? await copying.run(current) : current
      return Object.fromEntries(
        Object.keys(current).map((name) => [
          name,
          Float32Array.from(there[copying ? NEXT + name : name].data as Float32Array)
        ])
      )
    },
    writeState,
    async dispose() {
      release(current)
      try {
        await copying?.release()
      } finally {
        await session.release()
      }
    }
  }
}

/** Builds a model that copies a state from the device to main memory: `next:name` is `name`. */
function copyModel(state: Program['state']): Uint8Array {
  const graph = new OnnxGraph()
  for (const [name, shape] of Object.entries(state)) graph.output(NEXT + name, shape, graph.input(name, shape))
  return graph.serialise()
}
