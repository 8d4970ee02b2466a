/**
 * Time of one training step on each backend, beside the same step in PyTorch. `npm run bench -- step`
 * Each contender has a process of its own, and all take turns, so that a busy machine is busy for all of them.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onnxruntimeBackend } from '../../src-main/backends/onnxruntime.ts'
import type { Backend, NamedArrays } from '../../src-main/backends/program.ts'
import { sizeOf } from '../../src-main/backends/program.ts'
import { tensorflowBackend } from '../../src-main/backends/tensorflow.ts'
import { type Architecture, initialWeights, trunk } from '../../src-main/learning/network/architecture.ts'
import { normalFrom, uniformFrom } from '../../src-main/learning/random.ts'
import { correctedRate, initialState, trainingStep } from '../../src-main/learning/trainingStep.ts'
import { displacementMatrix } from '../../src-main/learning/views/geometry.ts'

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
const RADIUS = 10
const CLUSTERS = 12
const ROUNDS = 3
const SECONDS = 3
const BACKENDS: Record<string, () => Backend> = { onnxruntime: onnxruntimeBackend, tensorflow: tensorflowBackend }

/** Median time of a step in milliseconds. */
async function time(backend: Backend, { crop, pairs, width }: Case): Promise<number> {
  const architecture: Architecture = { bands: 3, layers: trunk('32,64,M,128,128,M,256,256', width), heads: [{ name: 'A', clusters: CLUSTERS, subHeads: 1 }] }
  const program = trainingStep(architecture, { pairs, crop })
  const normal = normalFrom(uniformFrom(1))
  const inputs: NamedArrays = Object.fromEntries(
    Object.entries(program.inputs).map(([name, shape]) => [name, Float32Array.from({ length: sizeOf(shape) }, normal)])
  )
  const axis = displacementMatrix({ fine: crop, coarse: crop / 4, range: [-RADIUS, RADIUS], flipped: false, shift: 0 })
  for (const name of ['rows', 'columns']) inputs[name] = Float32Array.from(Array.from({ length: pairs }, () => [...axis]).flat())
  inputs.transposed.fill(0)
  inputs.rate = Float32Array.of(correctedRate(1e-3, 1))
  inputs.lambdaA = Float32Array.of(1)
  const execution = await backend.compile(program, initialState(program, initialWeights(architecture, normal)))
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

/** The last line of a process's output as JSON, or undefined where it failed. */
function measure(command: string, args: string[]): number | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return status === 0 ? (JSON.parse(stdout.trim().split('\n').at(-1)!) as { millisecondsPerStep: number }).millisecondsPerStep : undefined
}

function contest(settings: Case): Record<string, number | undefined> {
  const own = (name: string) => (): number | undefined => measure(process.execPath, [fileURLToPath(import.meta.url), 'one', name, JSON.stringify(settings)])
  const pytorch = (form: string) => (): number | undefined =>
    measure(process.env.TESSERA_BENCH_PYTHON ?? 'python3', ['tests/bench/step.py', JSON.stringify({ ...settings, radius: RADIUS, clusters: CLUSTERS, seconds: SECONDS, form })])
  const contenders = { onnxruntime: own('onnxruntime'), tensorflow: own('tensorflow'), 'PyTorch, pooled': pytorch('pooled'), 'PyTorch, published': pytorch('published') }
  const best: Record<string, number | undefined> = {}
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const milliseconds = run()
      if (milliseconds !== undefined) best[name] = Math.min(best[name] ?? Infinity, milliseconds)
      else best[name] ??= undefined
    }
  }
  return best
}

function report(settings: Case): void {
  const { crop, pairs, width } = settings
  const row = contest(settings)
  const ours = Math.min(...Object.keys(BACKENDS).map((name) => row[name] ?? Infinity))
  console.log(`${crop}², ${pairs} pairs, width ${width}, best of ${ROUNDS} rounds`)
  for (const [name, milliseconds] of Object.entries(row)) {
    const text = milliseconds === undefined ? 'is not here' : `${milliseconds.toFixed(1)} ms  ${((1e3 * pairs) / milliseconds).toFixed(1)} pairs/s  ${(milliseconds / ours).toFixed(2)} × the time of our best`
    console.log(`  ${name.padEnd(20)} ${text}`)
  }
}

const [mode, name, settings] = process.argv.slice(2)
if (mode === 'one') {
  console.log(JSON.stringify({ millisecondsPerStep: await time(BACKENDS[name](), JSON.parse(settings) as Case) }))
  process.exit(0)
}
CASES.forEach(report)
