import type { Tensor } from '@tensorflow/tfjs-core'

export type Shape = readonly number[]
export type NamedTensors = Record<string, Tensor>
export type NamedArrays = Record<string, Float32Array>

/**
 * A pure function of float32 tensors with static shapes, written once in TensorFlow.js. It may run eagerly or be
 * recorded: `evaluate` must not read tensor values, and images come as `[n, c, h, w]` so that recording needs no copy.
 */
export interface Program {
  readonly name: string
  /** Fed anew at every run. */
  readonly inputs: Readonly<Record<string, Shape>>
  /** Carried from one run to the next: weights, moments, running averages. */
  readonly state: Readonly<Record<string, Shape>>
  /** The state never changes, so that a graph may hold it as constants. */
  readonly constantState?: boolean
  /** Names of the outputs that every run returns. */
  readonly outputs: readonly string[]
  /** Returns the outputs and those entries of the state that change. */
  evaluate(inputs: NamedTensors, state: NamedTensors): { outputs: NamedTensors; state: NamedTensors }
}

/** A program made ready on a backend, with its state living there. */
export interface Execution {
  run(inputs: NamedArrays): Promise<NamedArrays>
  readState(): Promise<NamedArrays>
  writeState(state: NamedArrays): Promise<void>
  dispose(): Promise<void>
}

export interface Backend {
  readonly name: BackendName
  /** What computes, in words: `CPU, 2 threads`. */
  readonly device: string
  /** Whether it leaves the processor to others. */
  readonly onGpu: boolean
  compile(program: Program, state: NamedArrays): Promise<Execution>
}

export type BackendName = 'onnxruntime' | 'webgpu' | 'cuda' | 'tensorflow' | 'cpu'

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, side) => product * side, 1)
}

/**
 * A kernel that a backend may register: `x · scale + shift` for each channel of `[n, h, w, c]` in one pass, with
 * inputs `x`, `scale` and `shift`.
 */
export const AFFINE_KERNEL = 'SmaltiAffine'

/**
 * Kernels that a backend may register together: batch normalisation of `x` [n, h, w, c] with `gamma` and `beta`,
 * which returns the output, the batch's mean, its (biased) variance and one more tensor; its gradient, which takes
 * these with `dy` and returns those of x, gamma and beta; and that of ReLU, from `dy` and the output `y`.
 */
export const BATCH_NORM_KERNEL = 'SmaltiBatchNorm'
export const BATCH_NORM_GRADIENT_KERNEL = 'SmaltiBatchNormGradient'
export const RELU_GRADIENT_KERNEL = 'SmaltiReluGradient'
