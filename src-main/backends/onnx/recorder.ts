import * as tf from '@tensorflow/tfjs-core'
import type { Shape } from '../program.ts'
import { sizeOf } from '../program.ts'
import { OnnxGraph, type Attribute } from './graph.ts'

/**
 * A tensor of the graph. `order[k]` is the logical axis stored at physical position k: convolutions return
 * channels-first maps while their logical shape stays `[n, h, w, c]`, so that transposing records nothing.
 */
export interface Value {
  readonly name: string
  readonly shape: Shape
  readonly order: readonly number[]
  /** Whether it is stored as ONNX bool; everything else is float32. */
  readonly logical?: boolean
}

interface Constant {
  readonly values: Float32Array | Int32Array | Uint8Array
  value?: Value
}

/** A stack of matrices with `rank` axes that enters a product, transposed or not. */
export interface Factor {
  name: string
  rank: number
  transposed: boolean
}

export const RECORDER = 'smalti-recorder'

export class RecordingError extends Error {
  override name = 'RecordingError'
}

export const canonical = (rank: number): number[] => Array.from({ length: rank }, (_, axis) => axis)
const sameOrder = (a: readonly number[], b: readonly number[]): boolean => a.every((axis, k) => axis === b[k])

/**
 * A TensorFlow.js backend that computes nothing: every kernel called while it is active becomes a node of an ONNX
 * graph. Reading a value while recording is an error.
 */
export class Recorder extends tf.KernelBackend {
  graph = new OnnxGraph()
  #values = new WeakMap<tf.DataId, Value>()
  #constants = new WeakMap<tf.DataId, Constant>()
  #layouts = new Map<string, string>()
  #held = 0
  /** Whether the graph is for ONNX Runtime's WebGPU provider, which lacks products of transposed factors. */
  forWebGpu = false

  restart(forWebGpu = false): void {
    this.forWebGpu = forWebGpu
    this.graph = new OnnxGraph()
    this.#values = new WeakMap()
    this.#layouts = new Map()
    this.#held = 0
  }

  override write(values: tf.BackendValues, _shape: number[], dtype: tf.DataType): tf.DataId {
    if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') throw new RecordingError(`cannot record ${dtype}`)
    const dataId = {}
    this.#constants.set(dataId, { values: values as Float32Array })
    this.#held++
    return dataId
  }

  override readSync(): never {
    throw new RecordingError('a value was read while the program was being recorded')
  }
  override read(): Promise<never> {
    return Promise.reject(new RecordingError('a value was read while the program was being recorded'))
  }
  override disposeData(): boolean {
    this.#held--
    return true
  }
  override numDataIds(): number {
    return this.#held
  }
  override floatPrecision(): 32 {
    return 32
  }
  override epsilon(): number {
    return 1e-7
  }
  override timerAvailable(): boolean {
    return false
  }
  override incRef(): void {}
  override refCount(): number {
    return 1
  }

  /** Returns the graph value behind a TensorFlow.js tensor. Constants become initialisers when first used. */
  value(tensor: tf.TensorInfo): Value {
    const known = this.#values.get(tensor.dataId)
    if (known) return known.shape.length === tensor.shape.length ? known : { ...known, shape: tensor.shape }
    const constant = this.#constants.get(tensor.dataId)
    if (!constant) throw new RecordingError('a tensor of another backend entered the recording')
    constant.value = {
      name: this.graph.floats(Float32Array.from(constant.values), tensor.shape),
      shape: tensor.shape,
      order: canonical(tensor.shape.length)
    }
    this.#values.set(tensor.dataId, constant.value)
    return constant.value
  }

  tensor(value: Value, dtype: tf.DataType = 'float32'): tf.TensorInfo {
    const dataId = {}
    this.#values.set(dataId, value)
    this.#held++
    return { dataId, shape: [...value.shape], dtype }
  }

  placeholder(name: string, shape: Shape): tf.Tensor {
    this.graph.input(name, shape)
    const info = this.tensor({ name, shape, order: canonical(shape.length) })
    return tf.engine().makeTensorFromDataId(info.dataId, info.shape, 'float32', this)
  }

  /** Returns the name of `value` stored in `order`. */
  laidOut(value: Value, order: readonly number[]): string {
    if (sameOrder(value.order, order)) return value.name
    const perm = order.map((axis) => value.order.indexOf(axis))
    // Transposed views share a name, so only the permutation of the stored axes distinguishes two layouts.
    const key = `${value.name}>${perm.join()}`
    const known = this.#layouts.get(key)
    if (known !== undefined) return known
    const name = this.graph.add('Transpose', [value.name], { perm })
    this.#layouts.set(key, name)
    return name
  }

  canonicalName(value: Value): string {
    return this.laidOut(value, canonical(value.shape.length))
  }

  /**
   * Returns the name of `value`, reshaped and stored so that it broadcasts against a tensor of `rank` axes stored in
   * `order`.
   */
  broadcastable(value: Value, rank: number, order: readonly number[]): string {
    if (value.shape.length === rank) {
      const wide = value.shape.filter((side) => side !== 1).length
      if (wide > 1 || sameOrder(value.order, order)) return this.laidOut(value, order)
    }
    if (value.shape.length === 0) return value.name
    const full = [...Array<number>(rank - value.shape.length).fill(1), ...value.shape]
    const wideAxes = full.filter((side) => side !== 1).length
    if (wideAxes <= 1)
      return this.reshaped(
        this.canonicalName(value),
        order.map((axis) => full[axis])
      )
    const name = this.reshaped(this.canonicalName(value), full)
    return this.laidOut({ name, shape: full, order: canonical(rank) }, order)
  }

  /** Multiplies matrix stacks, `a · b`, each stored as it is or with its last two axes swapped. */
  product(a: Factor, b: Factor): string {
    if (!a.transposed && !b.transposed) return this.add('MatMul', [a.name, b.name])
    if (!this.forWebGpu)
      return this.add(
        'FusedMatMul',
        [a.name, b.name],
        { transA: Number(a.transposed), transB: Number(b.transposed) },
        'com.microsoft'
      )
    const turned = ({ name, rank, transposed }: Factor): string => {
      if (!transposed) return name
      const order = [...canonical(rank - 2), rank - 1, rank - 2]
      return this.laidOut({ name, shape: [], order: canonical(rank) }, order)
    }
    return this.add('MatMul', [turned(a), turned(b)])
  }

  reshaped(name: string, shape: Shape): string {
    return this.graph.add('Reshape', [name, this.graph.integers(shape)])
  }

  add(operator: string, inputs: string[], attributes: Record<string, Attribute> = {}, domain = ''): string {
    return this.graph.add(operator, inputs, attributes, domain)
  }

  scalar(value: number): string {
    return this.graph.floats(Float32Array.of(value), [])
  }

  physicalShape(value: Value): number[] {
    return value.order.map((axis) => value.shape[axis])
  }

  size(value: Value): number {
    return sizeOf(value.shape)
  }
}

/** Adds a kernel's computation to the graph. Inputs and attributes have the kernel's names in TensorFlow.js. */
export type RecordKernel = (recorder: Recorder, inputs: Record<string, Value>, attributes: tf.NamedAttrMap) => Value
