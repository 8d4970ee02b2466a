import type { Tensor } from '@tensorflow/tfjs-core'

export type Shape = readonly number[]
export type NamedTensors = Record<string, Tensor>
export type NamedArrays = Record<string, Float32Array>

/**
 * A pure function of float32 tensors with static shapes, written once in TensorFlow.js and either run eagerly or
 * recorded. `evaluate` must not read tensor values, and images are `[n, c, h, w]` so that recording needs no copy.
 */
export interface Program {
  readonly name: string
  /** Inputs of every run. */
  readonly inputs: Readonly<Record<string, Shape>>
  /** State carried from one run to the next: weights, moments, running averages. */
  readonly state: Readonly<Record<string, Shape>>
  /** Whether the state never changes, so that a graph may contain it as constants. */
  readonly constantState?: boolean
  /** Names of the outputs that every run returns. */
  readonly outputs: readonly string[]
  /** Returns the outputs and the state entries that change. */
  evaluate(inputs: NamedTensors, state: NamedTensors): { outputs: NamedTensors; state: NamedTensors }
}

/** A program compiled for a backend, which keeps its state. */
export interface Execution {
  run(inputs: NamedArrays): Promise<NamedArrays>
  readState(): Promise<NamedArrays>
  writeState(state: NamedArrays): Promise<void>
  dispose(): Promise<void>
}

export interface Backend {
  readonly name: BackendName
  /** Description of the device, such as `CPU, 2 threads`. */
  readonly device: string
  /** Whether it computes on a GPU, which leaves the processor free. */
  readonly onGpu: boolean
  compile(program: Program, state: NamedArrays): Promise<Execution>
}

export type BackendName = 'onnxruntime' | 'webgpu' | 'cuda' | 'tensorflow' | 'cpu'

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, side) => product * side, 1)
}

/**
 * A kernel that a backend may register: `x · scale + shift` for each channel of `[n, h, w, c]` in one pass, with inputs
 * `x`, `scale` and `shift`.
 */
export const AFFINE_KERNEL = 'SmaltiAffine'

/**
 * Kernels that a backend may register together: batch normalisation of `x` [n, h, w, c] with `gamma` and `beta`, which
 * returns the output, the batch's mean, its (biased) variance and one more tensor; its gradient, which takes these with
 * `dy` and returns the gradients of x, gamma and beta; and the gradient of ReLU, from `dy` and the output `y`.
 */
export const BATCH_NORM_KERNEL = 'SmaltiBatchNorm'
export const BATCH_NORM_GRADIENT_KERNEL = 'SmaltiBatchNormGradient'
export const RELU_GRADIENT_KERNEL = 'SmaltiReluGradient'
