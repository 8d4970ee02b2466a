import '@tensorflow/tfjs-backend-cpu'
import * as ort from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { executeEagerly } from '../../src-main/backends/eager.ts'
import { executeRecorded } from '../../src-main/backends/onnx/execution.ts'
import type { NamedArrays } from '../../src-main/backends/program.ts'
import { sizeOf } from '../../src-main/backends/program.ts'
import { type Architecture, initialWeights, trunk } from '../../src-main/learning/network/architecture.ts'
import { normalFrom, uniformFrom } from '../../src-main/learning/random.ts'
import { correctedRate, initialState, trainingStep } from '../../src-main/learning/trainingStep.ts'
import { displacementMatrix } from '../../src-main/learning/views/geometry.ts'

describe('training step', () => {
  it('gives the same loss, joints and weights recorded as on the plain CPU backend', async () => {
    const architecture: Architecture = {
      bands: 3,
      layers: trunk('6,8,M,10s2,12d2', 1),
      heads: [
        { name: 'A', clusters: 5, subHeads: 2 },
        { name: 'B', clusters: 3, subHeads: 1 }
      ]
    }
    const normal = normalFrom(uniformFrom(1))
    const program = trainingStep(architecture, { pairs: 2, crop: 16 })
    const inputs: NamedArrays = Object.fromEntries(
      Object.entries(program.inputs).map(([name, shape]) => [name, Float32Array.from({ length: sizeOf(shape) }, normal)])
    )
    const axis = displacementMatrix({ fine: 16, coarse: 4, radius: 2, flipped: true, shift: 0 })
    for (const name of ['rows', 'columns']) inputs[name] = Float32Array.from([...axis, ...axis])
    inputs.transposed = Float32Array.of(0, 1)
    inputs.rate = Float32Array.of(correctedRate(1e-3, 1))
    inputs.lambdaA = Float32Array.of(1)
    inputs.lambdaB = Float32Array.of(1.5)
    const state = initialState(program, initialWeights(architecture, normal))
    const eager = executeEagerly('cpu', program, state)
    const recorded = await executeRecorded(ort, {}, program, state)
    for (let step = 0; step < 2; step++) {
      const [a, b] = [await eager.run(inputs), await recorded.run(inputs)]
      for (const name of program.outputs) a[name].forEach((value, i) => expect(b[name][i]).toBeCloseTo(value, 4))
    }
    const [a, b] = [await eager.readState(), await recorded.readState()]
    for (const name of Object.keys(program.state)) {
      const scale = Math.max(...a[name].map(Math.abs), 1e-9)
      const worst = Math.max(...a[name].map((value, i) => Math.abs(value - b[name][i])))
      expect(worst / scale, name).toBeLessThan(1e-3)
    }
  })
})
