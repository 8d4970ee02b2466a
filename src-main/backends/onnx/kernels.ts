import * as tf from '@tensorflow/tfjs-core'
import {
  type Factor,
  RECORDER,
  type RecordKernel,
  RecordingError,
  canonical,
  type Recorder,
  type Value
} from './recorder.ts'
import { convolutionKernels } from './convolutionKernels.ts'

/**
 * Kernels of TensorFlow.js that are recorded as a single ONNX operator. The functions below record the others, and
 * `registerRecorderKernels` registers them all.
 */
const BINARY: Record<string, string> = {
  Add: 'Add',
  Sub: 'Sub',
  Multiply: 'Mul',
  RealDiv: 'Div',
  Maximum: 'Max',
  Minimum: 'Min',
  Pow: 'Pow'
}
const COMPARISONS: Record<string, string> = {
  Greater: 'Greater',
  GreaterEqual: 'GreaterOrEqual',
  Less: 'Less',
  LessEqual: 'LessOrEqual',
  Equal: 'Equal'
}
const UNARY: Record<string, string> = {
  Neg: 'Neg',
  Exp: 'Exp',
  Log: 'Log',
  Sqrt: 'Sqrt',
  Abs: 'Abs',
  Relu: 'Relu',
  Sigmoid: 'Sigmoid',
  Tanh: 'Tanh',
  Reciprocal: 'Reciprocal'
}
const REDUCTIONS: Record<string, string> = { Sum: 'ReduceSum', Mean: 'ReduceMean', Max: 'ReduceMax' }

/** ONNX's type code for int64, the type of indices. */
const INTEGER = 7

function binary(recorder: Recorder, operator: string, a: Value, b: Value): Value {
  const shape = tf.broadcast_util.assertAndGetBroadcastShape([...a.shape], [...b.shape])
  const wide = [a, b].filter((value) => value.shape.length === shape.length)
  const leader = wide.reduce((best, value) => (recorder.size(value) > recorder.size(best) ? value : best))
  const order = leader.order
  const names = [a, b].map((value) => recorder.broadcastable(value, shape.length, order))
  return { name: recorder.add(operator, names), shape, order }
}

function unary(recorder: Recorder, operator: string, x: Value): Value {
  return { ...x, name: recorder.add(operator, [x.name]) }
}

function reduce(recorder: Recorder, operator: string, x: Value, axis: number | number[], keepDims: boolean): Value {
  const axes = tf.util.parseAxisParam(axis, [...x.shape])
  const positions = axes.map((logical) => x.order.indexOf(logical)).sort((a, b) => a - b)
  const name = recorder.add(operator, [x.name, recorder.graph.integers(positions)], { keepdims: keepDims ? 1 : 0 })
  if (keepDims) return { name, shape: x.shape.map((side, i) => (axes.includes(i) ? 1 : side)), order: x.order }
  const kept = canonical(x.shape.length).filter((logical) => !axes.includes(logical))
  return {
    name,
    shape: kept.map((logical) => x.shape[logical]),
    order: x.order.filter((logical) => !axes.includes(logical)).map((logical) => kept.indexOf(logical))
  }
}

function reshape(recorder: Recorder, x: Value, shape: number[]): Value {
  const name =
    x.shape.join() === shape.join() ? recorder.canonicalName(x) : recorder.reshaped(recorder.canonicalName(x), shape)
  return { name, shape, order: canonical(shape.length) }
}

/** Whether a stack of matrices is stored with its last two axes swapped, which a product can absorb. */
function storedTransposed(x: Value): boolean {
  const rank = x.shape.length
  return (
    x.order[rank - 1] === rank - 2 &&
    x.order[rank - 2] === rank - 1 &&
    x.order.slice(0, -2).every((axis, k) => axis === k)
  )
}

function matrixProduct(recorder: Recorder, a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
  const factor = (x: Value, transpose: boolean): Factor => {
    const swapped = storedTransposed(x)
    return {
      name: swapped ? x.name : recorder.canonicalName(x),
      rank: x.shape.length,
      transposed: transpose !== swapped
    }
  }
  const rows = a.shape.at(transposeA ? -1 : -2)!
  const columns = b.shape.at(transposeB ? -2 : -1)!
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  const shape = [...outer, rows, columns]
  const name = recorder.product(factor(a, transposeA), factor(b, transposeB))
  return { name, shape, order: canonical(shape.length) }
}

function slice(recorder: Recorder, x: Value, start: readonly number[], extent: readonly number[]): Value {
  const at = (values: readonly number[]): string => recorder.graph.integers(x.order.map((axis) => values[axis]))
  const end = start.map((from, axis) => from + extent[axis])
  const name = recorder.add('Slice', [x.name, at(start), at(end), recorder.graph.integers(canonical(start.length))])
  return { name, shape: [...extent], order: x.order }
}

/** Kernels that keep values and their type, including indices. */
const rearranging: Record<string, RecordKernel> = {
  Identity: (_, { x }) => x,
  Reshape: (recorder, { x }, { shape }) =>
    reshape(recorder, x, tf.util.inferFromImplicitShape(shape as number[], recorder.size(x)))
}

const structural: Record<string, RecordKernel> = {
  ExpandDims: (recorder, { input }, { dim }) => {
    const shape = [...input.shape]
    shape.splice((dim as number) < 0 ? shape.length + 1 + (dim as number) : (dim as number), 0, 1)
    return reshape(recorder, input, shape)
  },
  Transpose: (_, { x }, { perm }) => {
    const axes = perm as number[]
    return { name: x.name, shape: axes.map((axis) => x.shape[axis]), order: x.order.map((axis) => axes.indexOf(axis)) }
  },
  ZerosLike: (recorder, { x }) => constant(recorder, 0, x),
  OnesLike: (recorder, { x }) => constant(recorder, 1, x),
  Slice: (recorder, { x }, { begin, size }) => {
    const start = begin as number[]
    return slice(
      recorder,
      x,
      start,
      (size as number[]).map((length, axis) => (length < 0 ? x.shape[axis] - start[axis] : length))
    )
  },
  Reverse: (recorder, { x }, { dims }) => {
    const positions = (dims as number[]).map((axis) => x.order.indexOf(axis))
    const fill = (value: number): string => recorder.graph.integers(positions.map(() => value))
    const inputs = [x.name, fill(-1), fill(-(2 ** 31)), recorder.graph.integers(positions), fill(-1)]
    return { ...x, name: recorder.add('Slice', inputs) }
  },
  PadV2: (recorder, { x }, { paddings, constantValue }) => {
    const pads = paddings as [number, number][]
    const stored = x.order.map((axis) => pads[axis])
    const amounts = recorder.graph.integers([...stored.map(([before]) => before), ...stored.map(([, after]) => after)])
    const name = recorder.add('Pad', [x.name, amounts, recorder.scalar((constantValue as number) ?? 0)])
    return { name, shape: x.shape.map((side, axis) => side + pads[axis][0] + pads[axis][1]), order: x.order }
  },
  Tile: (recorder, { x }, { reps }) => {
    const repeats = reps as number[]
    const name = recorder.add('Tile', [x.name, recorder.graph.integers(x.order.map((axis) => repeats[axis]))])
    return { name, shape: x.shape.map((side, axis) => side * repeats[axis]), order: x.order }
  },
  Select: (recorder, { condition, t, e }) => {
    if (!condition.logical) throw new RecordingError('a choice needs a comparison as its condition')
    const leader =
      [t, e, condition].find((value) => value.shape.length === condition.shape.length && recorder.size(value) > 1) ?? t
    const names = [condition, t, e].map((value) => recorder.broadcastable(value, leader.shape.length, leader.order))
    return { name: recorder.add('Where', names), shape: condition.shape, order: leader.order }
  },
  ClipByValue: (recorder, { x }, { clipValueMin, clipValueMax }) => {
    const bounds = [recorder.scalar(clipValueMin as number), recorder.scalar(clipValueMax as number)]
    return { ...x, name: recorder.add('Clip', [x.name, ...bounds]) }
  },
  GatherV2: (recorder, { x, indices }, { axis }) => {
    if (axis !== 0 || indices.shape.length !== 1) throw new RecordingError('only whole rows can be gathered')
    const name = recorder.add('Gather', [recorder.canonicalName(x), indices.name], { axis: 0 })
    const shape = [...indices.shape, ...x.shape.slice(1)]
    return { name, shape, order: canonical(shape.length) }
  },
  UnsortedSegmentSum: (recorder, { x, segmentIds }, { numSegments }) => {
    const shape = [numSegments as number, ...x.shape.slice(1)]
    const zeros = recorder.add('Expand', [recorder.scalar(0), recorder.graph.integers(shape)])
    const at = recorder.reshaped(segmentIds.name, [...segmentIds.shape, 1])
    const name = recorder.add('ScatterND', [zeros, at, recorder.canonicalName(x)], { reduction: 'add' })
    return { name, shape, order: canonical(shape.length) }
  },
  Softmax: (recorder, { logits }, { dim }) => {
    const axis = (dim as number) < 0 ? logits.shape.length + (dim as number) : (dim as number)
    return { ...logits, name: recorder.add('Softmax', [logits.name], { axis: logits.order.indexOf(axis) }) }
  },
  ArgMax: (recorder, { x }, { axis }) => {
    const position = x.order.indexOf(axis as number)
    const index = recorder.add('ArgMax', [x.name], { axis: position, keepdims: 0 })
    const kept = canonical(x.shape.length).filter((logical) => logical !== axis)
    return {
      name: recorder.add('Cast', [index], { to: 1 }),
      shape: kept.map((logical) => x.shape[logical]),
      order: x.order.filter((logical) => logical !== axis).map((logical) => kept.indexOf(logical))
    }
  },
  Square: (recorder, { x }) => ({ ...x, name: recorder.add('Mul', [x.name, x.name]) }),
  Rsqrt: (recorder, { x }) => ({ ...x, name: recorder.add('Reciprocal', [recorder.add('Sqrt', [x.name])]) }),
  Step: (recorder, { x }) => ({
    ...x,
    name: recorder.add('Cast', [recorder.add('Greater', [x.name, recorder.scalar(0)])], { to: 1 })
  }),
  BatchMatMul: (recorder, { a, b }, { transposeA, transposeB }) =>
    matrixProduct(recorder, a, b, Boolean(transposeA), Boolean(transposeB))
}

const cast: RecordKernel = (recorder, { x }, { dtype }) => {
  if (dtype === 'int32') return { ...x, name: recorder.add('Cast', [x.name], { to: INTEGER }) }
  return x.logical && dtype !== 'bool' ? { ...x, name: recorder.add('Cast', [x.name], { to: 1 }), logical: false } : x
}

function constant(recorder: Recorder, value: number, like: Value): Value {
  const shape = recorder.physicalShape(like)
  const name = recorder.add('Expand', [recorder.scalar(value), recorder.graph.integers(shape)])
  return { name, shape: like.shape, order: like.order }
}

function concatenate(recorder: Recorder, parts: Value[], axis: number): Value {
  const order = parts[0].order
  const names = parts.map((part) => recorder.laidOut(part, order))
  const shape = parts[0].shape.map((side, i) =>
    i === axis ? parts.reduce((sum, part) => sum + part.shape[i], 0) : side
  )
  return { name: recorder.add('Concat', names, { axis: order.indexOf(axis) }), shape, order }
}

function register(
  kernelName: string,
  record: RecordKernel,
  dtypeOf: (attributes: tf.NamedAttrMap, inputs: tf.NamedTensorInfoMap) => tf.DataType = () => 'float32'
): void {
  tf.registerKernel({
    kernelName,
    backendName: RECORDER,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const recorder = backend as Recorder
      const values = Object.fromEntries(
        Object.entries(inputs)
          .filter(([, input]) => input != null)
          .map(([name, input]) => [name, recorder.value(input as tf.TensorInfo)])
      )
      return recorder.tensor(record(recorder, values, attrs ?? {}), dtypeOf(attrs ?? {}, inputs))
    }
  })
}

/** Registers every kernel that Smalti's programs call. A missing kernel throws when it is first recorded. */
export function registerRecorderKernels(): void {
  for (const [kernel, operator] of Object.entries(BINARY)) {
    register(kernel, (recorder, { a, b }) => binary(recorder, operator, a, b))
  }
  for (const [kernel, operator] of Object.entries(COMPARISONS)) {
    register(
      kernel,
      (recorder, { a, b }) => ({ ...binary(recorder, operator, a, b), logical: true }),
      () => 'bool'
    )
  }
  for (const [kernel, operator] of Object.entries(UNARY)) {
    register(kernel, (recorder, { x }) => unary(recorder, operator, x))
  }
  for (const [kernel, operator] of Object.entries(REDUCTIONS)) {
    register(kernel, (recorder, { x }, attributes) =>
      reduce(
        recorder,
        operator,
        x,
        (attributes.axis ?? attributes.reductionIndices) as number[],
        Boolean(attributes.keepDims)
      )
    )
  }
  for (const [kernel, record] of Object.entries({ ...structural, ...convolutionKernels })) register(kernel, record)
  for (const [kernel, record] of Object.entries(rearranging)) register(kernel, record, (_, { x }) => x!.dtype)
  register('Cast', cast, ({ dtype }) => (dtype === 'int32' ? 'int32' : 'float32'))
  registerLists()
}

function registerLists(): void {
  const list = (
    kernelName: string,
    record: (recorder: Recorder, values: Value[], attributes: tf.NamedAttrMap) => Value
  ): void =>
    tf.registerKernel({
      kernelName,
      backendName: RECORDER,
      kernelFunc: ({ inputs, backend, attrs }) => {
        const recorder = backend as Recorder
        const values = (inputs as unknown as tf.TensorInfo[]).map((input) => recorder.value(input))
        return recorder.tensor(record(recorder, values, attrs ?? {}))
      }
    })
  list('Concat', (recorder, values, { axis }) => concatenate(recorder, values, axis as number))
  list('AddN', (recorder, values) => {
    const order = values[0].order
    const names = values.map((value) => recorder.laidOut(value, order))
    return { ...values[0], name: recorder.add('Sum', names) }
  })
  tf.registerKernel({
    kernelName: 'SplitV',
    backendName: RECORDER,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const recorder = backend as Recorder
      const x = recorder.value(inputs.x as tf.TensorInfo)
      const { numOrSizeSplits, axis } = attrs as unknown as tf.SplitVAttrs
      let from = 0
      return tf.backend_util
        .prepareSplitSize({ shape: [...x.shape] } as tf.Tensor, numOrSizeSplits, axis)
        .map((size) => {
          const start = x.shape.map((_, i) => (i === axis ? from : 0))
          from += size
          return recorder.tensor(
            slice(
              recorder,
              x,
              start,
              x.shape.map((side, i) => (i === axis ? size : side))
            )
          )
        })
    }
  })
  tf.registerKernel({
    kernelName: 'Fill',
    backendName: RECORDER,
    kernelFunc: ({ backend, attrs }) => {
      const { shape, value } = attrs as unknown as tf.FillAttrs
      if (typeof value !== 'number') throw new RecordingError('cannot record text')
      const order = canonical(shape.length)
      return (backend as Recorder).tensor(constant(backend as Recorder, value, { name: '', shape, order }))
    }
  })
}
