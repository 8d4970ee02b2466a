import * as tf from '@tensorflow/tfjs-core'
import { BATCH_NORM_GRADIENT_KERNEL, BATCH_NORM_KERNEL, RELU_GRADIENT_KERNEL } from './program.ts'

/** The parts of tfjs-node's backend that run a TensorFlow operation by name. */
interface NodeBackend {
  binding: {
    TF_ATTR_TYPE: number
    TF_ATTR_FLOAT: number
    TF_ATTR_STRING: number
    TF_ATTR_BOOL: number
    TF_FLOAT: number
  }
  executeSingleOutput(name: string, attributes: object[], inputs: tf.TensorInfo[]): tf.TensorInfo
  executeMultipleOutputs(name: string, attributes: object[], inputs: tf.TensorInfo[], outputs: number): tf.TensorInfo[]
}

/** Registers TensorFlow's fused operations, which TensorFlow.js does not know. */
export function registerTensorflowKernels(): void {
  if (tf.getKernel(BATCH_NORM_KERNEL, 'tensorflow')) return
  const register = (
    kernelName: string,
    run: (
      backend: NodeBackend,
      inputs: Record<string, tf.TensorInfo>,
      attributes: tf.NamedAttrMap
    ) => tf.TensorInfo | tf.TensorInfo[]
  ): void =>
    tf.registerKernel({
      kernelName,
      backendName: 'tensorflow',
      kernelFunc: ({ inputs, backend, attrs }) =>
        run(backend as NodeBackend, inputs as Record<string, tf.TensorInfo>, attrs ?? {})
    })

  register(BATCH_NORM_KERNEL, (backend, { x, gamma, beta }, { epsilon }) => {
    const none = tf.engine().makeTensor(new Float32Array(0), [0], 'float32')
    const [y, , , mean, variance, third] = backend.executeMultipleOutputs(
      'FusedBatchNormV3',
      normAttributes(backend, epsilon as number),
      [x, gamma, beta, none, none],
      6
    )
    return [y, mean, variance, third]
  })
  register(BATCH_NORM_GRADIENT_KERNEL, (backend, { dy, x, gamma, mean, variance, third }, { epsilon }) =>
    backend
      .executeMultipleOutputs(
        'FusedBatchNormGradV3',
        normAttributes(backend, epsilon as number),
        [dy, x, gamma, mean, variance, third],
        5
      )
      .slice(0, 3)
  )
  register(RELU_GRADIENT_KERNEL, (backend, { dy, y }) =>
    backend.executeSingleOutput('ReluGrad', [typeAttribute(backend, 'T')], [dy, y])
  )
}

const typeAttribute = ({ binding }: NodeBackend, name: string): object => ({
  name,
  type: binding.TF_ATTR_TYPE,
  value: binding.TF_FLOAT
})

function normAttributes(backend: NodeBackend, epsilon: number): object[] {
  const { binding } = backend
  return [
    typeAttribute(backend, 'T'),
    typeAttribute(backend, 'U'),
    { name: 'epsilon', type: binding.TF_ATTR_FLOAT, value: epsilon },
    { name: 'data_format', type: binding.TF_ATTR_STRING, value: 'NHWC' },
    { name: 'is_training', type: binding.TF_ATTR_BOOL, value: true }
  ]
}
