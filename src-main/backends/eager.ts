import './gradients.ts'
import * as tf from '@tensorflow/tfjs-core'
import type { Execution, NamedArrays, NamedTensors, Program } from './program.ts'

/**
 * Runs a program eagerly on a registered TensorFlow.js backend.
 * @throws Error when the backend does not start, because TensorFlow.js would silently use another one
 */
export function executeEagerly(tfBackend: string, program: Program, initial: NamedArrays): Execution {
  const onBackend = <T>(compute: () => T): T => {
    void tf.setBackend(tfBackend)
    if (!tf.findBackend(tfBackend)) throw new Error(`TensorFlow.js can't start its backend ${tfBackend}`)
    return compute()
  }
  const load = (arrays: NamedArrays, shapes: Program['state']): NamedTensors =>
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, tf.tensor(arrays[name], [...shape], 'float32')])
    )
  let state = onBackend(() => load(initial, program.state))

  return {
    async run(inputs) {
      const result = onBackend(() =>
        tf.tidy(() => {
          const evaluated = program.evaluate(load(inputs, program.inputs), state)
          return { outputs: evaluated.outputs, state: evaluated.state }
        })
      )
      for (const [name, next] of Object.entries(result.state)) {
        if (next === state[name]) continue
        state[name].dispose()
        state[name] = next
      }
      const outputs: NamedArrays = {}
      for (const name of program.outputs) {
        outputs[name] = (await result.outputs[name].data()) as Float32Array
        result.outputs[name].dispose()
      }
      return outputs
    },
    async readState() {
      const arrays: NamedArrays = {}
      for (const [name, tensor] of Object.entries(state)) arrays[name] = Float32Array.from(await tensor.data())
      return arrays
    },
    writeState(arrays) {
      tf.dispose(state)
      state = onBackend(() => load(arrays, program.state))
      return Promise.resolve()
    },
    dispose() {
      tf.dispose(state)
      return Promise.resolve()
    }
  }
}
