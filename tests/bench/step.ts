/** Time of one training step on each backend, beside the same step in PyTorch. `npm run bench -- step` */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
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
const SECONDS = 6

async function ours(backend: Backend, { crop, pairs, width }: Case): Promise<number> {
  const architecture: Architecture = { bands: 3, layers: trunk('32,64,M,128,128,M,256,256', width), heads: [{ name: 'A', clusters: CLUSTERS, subHeads: 1 }] }
  const program = trainingStep(architecture, { pairs, crop })
  const normal = normalFrom(uniformFrom(1))
  const inputs: NamedArrays = Object.fromEntries(
    Object.entries(program.inputs).map(([name, shape]) => [name, Float32Array.from({ length: sizeOf(shape) }, normal)])
  )
  const axis = displacementMatrix({ fine: crop, coarse: crop / 4, radius: RADIUS, flipped: false, shift: 0 })
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
  await execution.dispose()
  return durations.sort((a, b) => a - b)[Math.floor(durations.length / 2)]
}

function pytorch(settings: Case, form: 'pooled' | 'published'): number | undefined {
  const python = process.env.TESSERA_BENCH_PYTHON ?? 'python3'
  const script = 'tests/bench/step.py'
  if (!existsSync(script)) return undefined
  const request = JSON.stringify({ ...settings, radius: RADIUS, clusters: CLUSTERS, seconds: SECONDS, form })
  const { status, stdout } = spawnSync(python, [script, request], { encoding: 'utf8' })
  return status === 0 ? (JSON.parse(stdout) as { millisecondsPerStep: number }).millisecondsPerStep : undefined
}

const backends: Backend[] = []
for (const start of [onnxruntimeBackend, tensorflowBackend]) {
  try {
    backends.push(start())
  } catch (fault) {
    console.log(`${start.name} is not used: ${(fault as Error).message.split('\n')[0]}`)
  }
}
for (const settings of CASES) {
  const { crop, pairs, width } = settings
  const row: Record<string, number | undefined> = {}
  for (const backend of backends) row[backend.name] = await ours(backend, settings)
  row['PyTorch, pooled'] = pytorch(settings, 'pooled')
  row['PyTorch, published'] = pytorch(settings, 'published')
  const best = Math.min(...backends.map((backend) => row[backend.name]!))
  console.log(`${crop}², ${pairs} pairs, width ${width}`)
  for (const [name, milliseconds] of Object.entries(row)) {
    const text = milliseconds === undefined ? 'python3 has no torch here' : `${milliseconds.toFixed(1)} ms  ${((1e3 * pairs) / milliseconds).toFixed(1)} pairs/s  ${(milliseconds / best).toFixed(2)} × our best`
    console.log(`  ${name.padEnd(20)} ${text}`)
  }
}
