import '@tensorflow/tfjs-backend-cpu'
import { executeEagerly } from '../../backends/eager.ts'
import { onnxruntimeBackend } from '../../backends/onnxruntime.ts'
import type { Backend, BackendName, Execution, NamedArrays, Program } from '../../backends/program.ts'
import { sizeOf } from '../../backends/program.ts'
import { tensorflowBackend } from '../../backends/tensorflow.ts'
import type { CommandOutput } from '../../contract/commands.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { BACKENDS, type TrainingSettings } from '../../contract/settings.ts'
import { type Architecture, initialWeights, trunk } from '../../learning/network/architecture.ts'
import { normalFrom, uniformFrom } from '../../learning/random.ts'
import { type StepShape, correctedRate, initialState, trainingStep } from '../../learning/trainingStep.ts'
import { displacementMatrix } from '../../learning/views/geometry.ts'
import { disposed } from '../../imagery/scoped.ts'
import { rememberBackend, rememberedBackend } from './backendMemory.ts'
import { startEngineProcess } from './childProcess.ts'
import type { Job } from '../job.ts'
import { fetchedRuntime, listRuntimes } from './runtimes.ts'

type Choice = TrainingSettings['backend']
/** The backend that every installation has. It is tried first. */
const EMBEDDED = BACKENDS[0]
const STARTERS: Record<Exclude<BackendName, 'cpu'>, () => Backend | Promise<Backend>> = {
  onnxruntime: onnxruntimeBackend,
  webgpu: () => onnxruntimeBackend('webgpu'),
  cuda: () => onnxruntimeBackend('cuda'),
  tensorflow: startTensorflow
}

/** Starts TensorFlow from the installed package or the downloaded runtime. @throws Error */
async function startTensorflow(): Promise<Backend> {
  try {
    return tensorflowBackend((await fetchedRuntime('tensorflow'))?.entry)
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw fault
    const offered = (await listRuntimes()).some(({ name }) => name === 'tensorflow')
    throw new Error(`it isn't installed${offered ? '. Download it as a compute runtime first' : ''}`)
  }
}

interface Finding {
  name: string
  backend?: Backend
  reason?: string
}

const findings = new Map<string, Promise<Finding>>()

/** Forgets a backend's self-test, so that it is tested again once its libraries were installed or removed. */
export const forgetProbe = (name: string): void => void findings.delete(name)

/** The source location and condition that ONNX Runtime puts before a message. */
const SOURCE_LINE = /^.* was false\. /

/** Starts a backend and runs its self-test, once per process. */
function probe(name: Exclude<BackendName, 'cpu'>): Promise<Finding> {
  const known = findings.get(name)
  if (known) return known
  const finding = (async (): Promise<Finding> => {
    try {
      const backend = await STARTERS[name]()
      const worst = await selfTest(backend)
      if (worst > TOLERANCE) return { name, reason: `its self-test failed (error ${worst.toExponential(1)})` }
      return { name, backend }
    } catch (fault) {
      return { name, reason: (fault as Error).message.split('\n')[0].replace(SOURCE_LINE, '') }
    }
  })()
  findings.set(name, finding)
  return finding
}

/**
 * Largest accepted distance between a tensor of the state and the exact one after one step, relative to its length.
 * Products of 16 or 19 bits (bfloat16, TF32), which processors and GPUs use for speed, stay well below it; a wrong
 * kernel does not. Tensors that start at zero are left out: Adam's first step has the same length whatever the gradient
 * is, even where the gradient is noise.
 */
const TOLERANCE = 0.1
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
  const stateAfter = async (making: Promise<Execution>): Promise<NamedArrays> => {
    await using execution = disposed(await making)
    await execution.run(inputs)
    return await execution.readState()
  }
  const [a, b] = [
    await stateAfter(Promise.resolve(executeEagerly('cpu', program, state))),
    await stateAfter(backend.compile(program, state))
  ]
  const onlyUpdates = (name: string): boolean =>
    `${name}/moment1` in program.state && state[name].every((value) => value === 0)
  const distances = Object.keys(program.state)
    .filter((name) => !onlyUpdates(name))
    .map((name) => {
      // A second moment is a square, so its error is twice as large as that of its root.
      const [exact, own] = [a[name], b[name]].map((values) =>
        name.endsWith('/moment2') ? values.map((value) => Math.sqrt(Math.max(value, 0))) : values
      )
      const apart = Math.hypot(...exact.map((value, i) => value - own[i]))
      return apart / Math.max(Math.hypot(...exact), 1e-9)
    })
  // NaN counts as infinitely far away.
  return Math.max(...distances.map((distance) => (Number.isNaN(distance) ? Infinity : distance)))
}

function syntheticInputs(program: Program, coarse: number, crop: number): NamedArrays {
  const normal = normalFrom(uniformFrom(2))
  const inputs: NamedArrays = Object.fromEntries(
    Object.entries(program.inputs).map(([name, shape]) => [name, Float32Array.from({ length: sizeOf(shape) }, normal)])
  )
  const axis = displacementMatrix({ fine: crop, coarse, range: [-2, 2], flipped: false, shift: 0 })
  for (const name of ['rows', 'columns']) inputs[name].forEach((_, i, values) => (values[i] = axis[i % axis.length]))
  for (const name of ['transposed', 'corners', 'places', 'from', 'to']) inputs[name]?.fill(0)
  inputs.rate.fill(correctedRate(1e-3, 1))
  for (const name of Object.keys(inputs)) if (name.startsWith('lambda')) inputs[name].fill(1)
  return inputs
}

/** Steps timed after the first one, unless the first alone took this many milliseconds. */
const TIMED_STEPS = 3
const LONG_STEP = 5000
/** Milliseconds a backend may take to start, in addition to twice the embedded backend's whole trial. */
const START = 30_000

/** A training step to time: its network and its sizes. */
export interface TimedStep {
  architecture: Architecture
  shape: StepShape
}

/** Starts a backend in this process and, if asked, times a step on it. */
export const trialJob: Job<'trial'> = async ({ backend: name, step }) => {
  const { backend, reason } = await probe(name)
  if (!backend || !step) return { device: backend?.device, reason }
  const { architecture, shape } = step
  const program = trainingStep(architecture, shape)
  await using execution = disposed(
    await backend.compile(program, initialState(program, initialWeights(architecture, normalFrom(uniformFrom(1)))))
  )
  const inputs = syntheticInputs(program, program.inputs.rows[2], shape.crop)
  const timed = async (steps: number): Promise<number> => {
    const started = performance.now()
    for (let run = 0; run < steps; run++) await execution.run(inputs)
    return (performance.now() - started) / steps
  }
  const first = await timed(1)
  const milliseconds = first > LONG_STEP ? first : await timed(TIMED_STEPS)
  return { device: backend.device, milliseconds }
}

/**
 * Tries a backend in a process of its own. A native library that crashes then takes nothing else down, and a backend
 * that is not chosen leaves no threads behind to slow the other one. A trial that takes too long is abandoned: a
 * graphics driver may emulate the GPU on the processor, hundreds of times slower than a backend made for it.
 * @throws Cancelled
 */
export async function tryBackend(
  name: keyof typeof STARTERS,
  step?: TimedStep,
  limit = START,
  signal?: AbortSignal
): Promise<CommandOutput<'trial'>> {
  if (signal?.aborted) throw new SmaltiError('Cancelled')
  const child = startEngineProcess()
  let late = false
  const giveUp = (): void => {
    late = true
    child.kill()
  }
  const timer = Number.isFinite(limit) ? setTimeout(giveUp, limit) : undefined
  signal?.addEventListener('abort', child.kill)
  try {
    return await child.call('trial', { backend: name, step })
  } catch (fault) {
    if (signal?.aborted || (fault instanceof SmaltiError && fault.name === 'Cancelled'))
      throw new SmaltiError('Cancelled')
    return { reason: late ? `it didn't respond within ${Math.round(limit / 1e3)} s` : (fault as Error).message }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', child.kill)
    await child.stop()
  }
}

/** How a backend was chosen; `embedded` is the one that every installation has. */
export type Chosen = 'asked' | 'measured' | 'remembered' | 'embedded'

/**
 * Returns the backend the user asked for. With `auto` it is the fastest one for this very step. That is measured once
 * per machine, because timings vary between runs and backends compute slightly differently.
 * @param retime  measure again
 * @throws BackendUnavailable when the named backend, or every backend, is unusable; Cancelled
 */
export async function chooseBackend(
  choice: Choice,
  step: TimedStep,
  retime: boolean,
  signal: AbortSignal
): Promise<{ backend: Backend; chosen: Chosen }> {
  if (choice !== 'auto') return { backend: await startedBackend(choice), chosen: 'asked' }
  const known = retime ? undefined : await rememberedBackend(step)
  const finding = known && (await probe(known))
  if (finding?.backend) return { backend: finding.backend, chosen: 'remembered' }
  const fastest = await fastestBackend(step, signal)
  // If the folder can't be written, the next run has to measure again, and nothing else is lost.
  await rememberBackend(step, fastest).catch(() => undefined)
  return { backend: await startedBackend(fastest), chosen: 'measured' }
}

async function fastestBackend(step: TimedStep, signal: AbortSignal): Promise<(typeof BACKENDS)[number]> {
  const trials: { name: (typeof BACKENDS)[number]; milliseconds?: number; reason?: string }[] = []
  let limit = Infinity
  for (const name of BACKENDS) {
    const started = performance.now()
    trials.push({ name, ...(await tryBackend(name, step, limit, signal)) })
    if (name === EMBEDDED) limit = START + 2 * (performance.now() - started)
  }
  const usable = trials.filter(({ milliseconds }) => milliseconds !== undefined)
  if (usable.length === 0) {
    throw new SmaltiError('BackendUnavailable', {
      backend: trials.map(({ name }) => name).join(', '),
      reason: trials.map(({ reason }) => reason).join('; ')
    })
  }
  return usable.reduce((best, trial) => (trial.milliseconds! < best.milliseconds! ? trial : best)).name
}

/** Returns a backend for inference: the named one, otherwise the embedded one. @throws BackendUnavailable */
export function inferenceBackend(choice: Choice): Promise<Backend> {
  return startedBackend(choice === 'auto' ? EMBEDDED : choice)
}

async function startedBackend(name: keyof typeof STARTERS): Promise<Backend> {
  const { backend, reason } = await probe(name)
  if (!backend) throw new SmaltiError('BackendUnavailable', { backend: name, reason })
  return backend
}
