/**
 * Times one training step on each backend and in PyTorch: `npm run bench -- step [large]`. The large case is for GPUs,
 * on which PyTorch is timed too where available. Each contender runs in its own process and all take turns, so that a
 * busy machine is busy for all of them.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import '../../src-main/backends/gradients.ts'
import { onnxruntimeBackend } from '../../src-main/backends/onnxruntime.ts'
import type { Backend, NamedArrays, Program } from '../../src-main/backends/program.ts'
import { sizeOf } from '../../src-main/backends/program.ts'
import { tensorflowBackend } from '../../src-main/backends/tensorflow.ts'
import { type Architecture, initialWeights, trunk } from '../../src-main/learning/network/architecture.ts'
import { normalFrom, uniformFrom } from '../../src-main/learning/random.ts'
import { correctedRate, initialState, trainingStep } from '../../src-main/learning/trainingStep.ts'
import { informationObjective } from '../../src-main/learning/objective/information.ts'
import { jointThroughInterpolation } from '../../src-main/learning/objective/joint.ts'
import { recipeOf } from '../../src-main/learning/presets.ts'
import { displacementMatrix } from '../../src-main/learning/views/geometry.ts'
import { type BatchShape, emptyBatch, sampleViewPair, writePair } from '../../src-main/learning/views/pairs.ts'

interface Case {
  crop: number
  pairs: number
  width: number
}
const CASES: Case[] = [
  { crop: 64, pairs: 4, width: 1 },
  { crop: 96, pairs: 4, width: 0.5 },
  { crop: 128, pairs: 4, width: 0.25 }
]
const LARGE: Case[] = [{ crop: 128, pairs: 60, width: 1 }]
const RADIUS = 10
const CLUSTERS = 12
const ROUNDS = 3
const SECONDS = 3
const BACKENDS: Record<string, () => Backend> = {
  onnxruntime: onnxruntimeBackend,
  webgpu: () => onnxruntimeBackend('webgpu'),
  cuda: () => onnxruntimeBackend('cuda'),
  tensorflow: tensorflowBackend
}

const architectureOf = ({ width }: Case): Architecture => ({
  bands: 3,
  layers: trunk('32,64,M,128,128,M,256,256', width),
  heads: [{ name: 'A', clusters: CLUSTERS, subHeads: 1 }]
})

/**
 * Floating point operations of a step's convolutions in 10⁹: forward, and twice that backward, except into the images.
 */
function gigaflops(settings: Case): number {
  const { layers } = architectureOf(settings)
  let [channels, side, total] = [3, settings.crop, 0]
  layers.forEach((layer, index) => {
    if (layer.kind === 'pool') {
      side /= 2
      return
    }
    const forward = 2 * side * side * 9 * channels * layer.channels
    total += forward * (index === 0 ? 2 : 3)
    channels = layer.channels
  })
  return (2 * settings.pairs * total) / 1e9
}

/** Only the part after the trunk's features: the head, the joint, its information, and the gradients of all three. */
function headProgram(settings: Case): Program {
  const { crop, pairs, width } = settings
  const [coarse, channels] = [crop / 4, 256 * width]
  return {
    name: 'head and joint',
    inputs: {
      features: [2 * pairs, channels, coarse, coarse],
      filter: [CLUSTERS, channels, 1, 1],
      rows: [pairs, 1, coarse, coarse],
      columns: [pairs, 1, coarse, coarse]
    },
    state: {},
    outputs: ['loss', 'dFeatures', 'dFilter'],
    evaluate(fed) {
      const loss = (features: tf.Tensor, filter: tf.Tensor): tf.Scalar => {
        const logits = tf.conv2d(
          tf.transpose(features, [0, 2, 3, 1]) as tf.Tensor4D,
          tf.transpose(filter, [2, 3, 1, 0]) as tf.Tensor4D,
          1,
          'same'
        )
        const heatmaps = tf.softmax(logits)
        const half = (from: number): tf.Tensor4D =>
          tf.slice(heatmaps, [from, 0, 0, 0], [pairs, coarse, coarse, CLUSTERS]) as tf.Tensor4D
        return informationObjective(
          jointThroughInterpolation(half(0), half(pairs), fed.rows as tf.Tensor4D, fed.columns as tf.Tensor4D),
          1
        )
      }
      const { value, grads } = tf.valueAndGrads(loss)([fed.features, fed.filter])
      return { outputs: { loss: value, dFeatures: grads[0], dFilter: grads[1] }, state: {} }
    }
  }
}

/** Returns the milliseconds to cut and change the crops of a batch, from a decoded image. */
function dataTime({ crop, pairs }: Case): number {
  const shape: BatchShape = { pairs, bands: 3, coloured: true, crop, coarse: crop / 4, radius: RADIUS, warped: false }
  const { views } = recipeOf({ preset: 'quick' })
  const picture = Float32Array.from({ length: 3 * crop * crop }, uniformFrom(2))
  const uniform = uniformFrom(3)
  return median(() => {
    const batch = emptyBatch(shape)
    for (let pair = 0; pair < pairs; pair++) {
      writePair(
        batch,
        shape,
        pair,
        sampleViewPair(views, shape, crop, uniform),
        undefined,
        Float32Array.from(picture),
        Float32Array.from(picture),
        (values) => values.forEach((value, i) => (values[i] = (value - 0.5) * 4))
      )
    }
  })
}

/** Repeats work for a second and returns the median duration in milliseconds. */
function median(work: () => void): number {
  const durations: number[] = []
  const began = performance.now()
  while (performance.now() - began < 1e3 || durations.length < 3) {
    const start = performance.now()
    work()
    durations.push(performance.now() - start)
  }
  return durations.sort((a, b) => a - b)[Math.floor(durations.length / 2)]
}

/** Returns the median times of a whole step and of its head and joint, in milliseconds. */
async function time(backend: Backend, settings: Case): Promise<{ step: number; head: number }> {
  const { crop, pairs } = settings
  const architecture = architectureOf(settings)
  const program = trainingStep(architecture, { pairs, crop })
  const step = await timeProgram(
    backend,
    program,
    settings,
    initialState(program, initialWeights(architecture, normalFrom(uniformFrom(1))))
  )
  return { step, head: await timeProgram(backend, headProgram(settings), settings, {}) }
}

async function timeProgram(backend: Backend, program: Program, { crop }: Case, state: NamedArrays): Promise<number> {
  const normal = normalFrom(uniformFrom(1))
  const inputs: NamedArrays = Object.fromEntries(
    Object.entries(program.inputs).map(([name, shape]) => [name, Float32Array.from({ length: sizeOf(shape) }, normal)])
  )
  const axis = displacementMatrix({ fine: crop, coarse: crop / 4, range: [-RADIUS, RADIUS], flipped: false, shift: 0 })
  for (const name of ['rows', 'columns']) inputs[name].forEach((_, i, values) => (values[i] = axis[i % axis.length]))
  inputs.transposed?.fill(0)
  inputs.rate = Float32Array.of(correctedRate(1e-3, 1))
  inputs.lambdaA = Float32Array.of(1)
  const execution = await backend.compile(program, state)
  await execution.run(inputs)
  await execution.run(inputs)
  const durations: number[] = []
  const began = performance.now()
  while (performance.now() - began < SECONDS * 1e3 || durations.length < 3) {
    const start = performance.now()
    await execution.run(inputs)
    durations.push(performance.now() - start)
  }
  return durations.sort((a, b) => a - b)[Math.floor(durations.length / 2)]
}

interface Timing {
  millisecondsPerStep: number
  millisecondsPerHead?: number
}

/** Runs a process and parses the last line of its output as JSON; undefined where it failed. */
function measure(command: string, args: string[]): Timing | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return status === 0 ? (JSON.parse(stdout.trim().split('\n').at(-1)!) as Timing) : undefined
}

function contest(settings: Case): Record<string, Timing | undefined> {
  const own = (name: string) => (): Timing | undefined =>
    measure(process.execPath, [fileURLToPath(import.meta.url), 'one', name, JSON.stringify(settings)])
  const pytorch = (form: string, device: string) => (): Timing | undefined =>
    measure(process.env.SMALTI_BENCH_PYTHON ?? 'python3', [
      'tests/bench/step.py',
      JSON.stringify({ ...settings, radius: RADIUS, clusters: CLUSTERS, seconds: SECONDS, form, device })
    ])
  const contenders = {
    ...Object.fromEntries(Object.keys(BACKENDS).map((name) => [name, own(name)])),
    'PyTorch, pooled': pytorch('pooled', 'cpu'),
    'PyTorch, published': pytorch('published', 'cpu'),
    'PyTorch on CUDA, pooled': pytorch('pooled', 'cuda'),
    'PyTorch on CUDA, published': pytorch('published', 'cuda')
  }
  const best: Record<string, Timing | undefined> = {}
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const found = run()
      const known = best[name]
      if (found && (!known || found.millisecondsPerStep < known.millisecondsPerStep)) best[name] = found
      else best[name] ??= undefined
    }
  }
  return best
}

function report(settings: Case): void {
  const { crop, pairs, width } = settings
  const row = contest(settings)
  const ours = Math.min(...Object.keys(BACKENDS).map((name) => row[name]?.millisecondsPerStep ?? Infinity))
  const data = dataTime(settings)
  const work = gigaflops(settings)
  console.log(
    `${crop}², ${pairs} pairs, width ${width}, best of ${ROUNDS} rounds; ${work.toFixed(1)} GFLOP in convolutions; cutting crops, on its own thread, ${data.toFixed(1)} ms`
  )
  for (const [name, timing] of Object.entries(row)) {
    if (!timing) {
      console.log(`  ${name.padEnd(26)} is not here`)
      continue
    }
    const { millisecondsPerStep: step, millisecondsPerHead: head } = timing
    const shares =
      head === undefined
        ? ''
        : `; head and joint ${((100 * head) / step).toFixed(0)} %, trunk and Adam ${(100 - (100 * head) / step).toFixed(0)} %`
    console.log(
      `  ${name.padEnd(26)} ${step.toFixed(1)} ms  ${((1e3 * pairs) / step).toFixed(1)} pairs/s  ${((1e3 * work) / step).toFixed(0)} GFLOP/s  ${(step / ours).toFixed(2)} × the time of our best${shares}`
    )
  }
}

const [mode, name, settings] = process.argv.slice(2)
if (mode === 'one') {
  const { step, head } = await time(BACKENDS[name](), JSON.parse(settings) as Case)
  console.log(JSON.stringify({ millisecondsPerStep: step, millisecondsPerHead: head } satisfies Timing))
  process.exit(0)
}
const cases = mode === 'large' ? LARGE : CASES
cases.forEach(report)
