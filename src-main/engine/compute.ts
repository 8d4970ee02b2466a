import '@tensorflow/tfjs-backend-cpu'
import { executeEagerly } from '../backends/eager.ts'
import { onnxruntimeBackend } from '../backends/onnxruntime.ts'
import type { Backend, BackendName, NamedArrays, Program } from '../backends/program.ts'
import { sizeOf } from '../backends/program.ts'
import { tensorflowBackend } from '../backends/tensorflow.ts'
import { TesseraError } from '../contract/errors.ts'
import type { TrainingSettings } from '../contract/settings.ts'
import { type Architecture, initialWeights, trunk } from '../learning/network/architecture.ts'
import { normalFrom, uniformFrom } from '../learning/random.ts'
import { correctedRate, initialState, trainingStep } from '../learning/trainingStep.ts'
import { displacementMatrix } from '../learning/views/geometry.ts'

type Choice = TrainingSettings['backend']
const STARTERS: Record<Exclude<BackendName, 'cpu'>, () => Backend> = { onnxruntime: onnxruntimeBackend, tensorflow: tensorflowBackend }

export interface Finding {
  name: string
  backend?: Backend
  reason?: string
}

const findings = new Map<string, Promise<Finding>>()

/** Starts a backend and lets it prove itself, once for each process. */
export function probe(name: Exclude<BackendName, 'cpu'>): Promise<Finding> {
  const known = findings.get(name)
  if (known) return known
  const finding = (async (): Promise<Finding> => {
    try {
      const backend = STARTERS[name]()
      const worst = await selfTest(backend)
      if (worst > TOLERANCE) return { name, reason: `its self-test deviates by ${worst.toExponential(1)}` }
      return { name, backend }
    } catch (fault) {
      return { name, reason: (fault as Error).message.split('\n')[0] }
    }
  })()
  findings.set(name, finding)
  return finding
}

/** Largest deviation of any weight after one step, relative to the largest of its tensor. */
const TOLERANCE = 1e-2
const SELF_TEST: Architecture = {
  bands: 3,
  layers: trunk('4,M,6', 1),
  heads: [{ name: 'A', clusters: 3, subHeads: 1 }]
}

/** Compares a tiny training step with TensorFlow.js's plain CPU backend. */
async function selfTest(backend: Backend): Promise<number> {
  const program = trainingStep(SELF_TEST, { pairs: 1, crop: 8 })
  const state = initialState(program, initialWeights(SELF_TEST, normalFrom(uniformFrom(1))))
  const inputs = syntheticInputs(program, 4, 8)
  const [expected, found] = [executeEagerly('cpu', program, state), await backend.compile(program, state)]
  await expected.run(inputs)
  await found.run(inputs)
  const [a, b] = [await expected.readState(), await found.readState()]
  await Promise.all([expected.dispose(), found.dispose()])
  return Math.max(
    ...Object.keys(program.state).map((name) => {
      const largest = Math.max(...a[name].map(Math.abs), 1e-6)
      return Math.max(...a[name].map((value, i) => Math.abs(value - b[name][i]))) / largest
    })
  )
}

function syntheticInputs(program: Program, coarse: number, crop: number): NamedArrays {
  const normal = normalFrom(uniformFrom(2))
  const inputs: NamedArrays = Object.fromEntries(
    Object.entries(program.inputs).map(([name, shape]) => [name, Float32Array.from({ length: sizeOf(shape) }, normal)])
  )
  const [pairs] = program.inputs.first
  const axis = displacementMatrix({ fine: crop, coarse, radius: 2, flipped: false, shift: 0 })
  for (const name of ['rows', 'columns']) inputs[name] = Float32Array.from(Array.from({ length: pairs }, () => [...axis]).flat())
  inputs.transposed.fill(0)
  inputs.rate.fill(correctedRate(1e-3, 1))
  for (const name of Object.keys(inputs)) if (name.startsWith('lambda')) inputs[name].fill(1)
  return inputs
}

const TIMED_STEPS = 3

/**
 * The backend that a user asked for; with `auto` the fastest on this very step.
 * @throws BackendUnavailable when it is asked for by name and cannot be used, or none can
 */
export async function chooseBackend(choice: Choice, program: Program, state: NamedArrays): Promise<Backend> {
  const names = choice === 'auto' ? (Object.keys(STARTERS) as (keyof typeof STARTERS)[]) : [choice]
  const found = await Promise.all(names.map(probe))
  const usable = found.flatMap(({ backend }) => (backend ? [backend] : []))
  if (usable.length === 0) throw new TesseraError('BackendUnavailable', { backend: names.join(', '), reason: found.map(({ reason }) => reason).join('; ') })
  if (usable.length === 1) return usable[0]
  const [, , crop] = program.inputs.first
  const inputs = syntheticInputs(program, program.inputs.rows[1], crop)
  const timings: { backend: Backend; milliseconds: number }[] = []
  for (const backend of usable) {
    const execution = await backend.compile(program, state)
    await execution.run(inputs)
    const started = performance.now()
    for (let step = 0; step < TIMED_STEPS; step++) await execution.run(inputs)
    timings.push({ backend, milliseconds: (performance.now() - started) / TIMED_STEPS })
    await execution.dispose()
  }
  return timings.reduce((best, timing) => (timing.milliseconds < best.milliseconds ? timing : best)).backend
}

/** A backend for inference: the one named, else the embedded one. @throws BackendUnavailable */
export async function inferenceBackend(choice: Choice): Promise<Backend> {
  const name = choice === 'auto' ? 'onnxruntime' : choice
  const { backend, reason } = await probe(name)
  if (!backend) throw new TesseraError('BackendUnavailable', { backend: name, reason })
  return backend
}
