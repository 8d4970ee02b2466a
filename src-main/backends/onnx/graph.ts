import { PbfWriter } from 'pbf'

/** An operator's attribute; a plain number is an integer. */
export type Attribute = number | string | readonly number[] | { float: number }
type ElementType = 'float32' | 'uint8' | 'int64' | 'int32' | 'bool'

const ELEMENT_CODES: Record<ElementType, number> = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 }
const OPERATOR_SET = 20
const IR_VERSION = 9

interface Node {
  operator: string
  inputs: string[]
  outputs: string[]
  attributes: Record<string, Attribute>
  domain: string
}
interface Initializer {
  name: string
  type: ElementType
  dimensions: readonly number[]
  bytes: Uint8Array
}
/** Length of a side, or the name of a side whose length varies between runs. */
type Dimension = number | string

interface Port {
  name: string
  type: ElementType
  dimensions: readonly Dimension[]
}

/**
 * An ONNX model under construction. Its field numbers are those of
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
 */
export class OnnxGraph {
  readonly #nodes: Node[] = []
  readonly #initializers: Initializer[] = []
  readonly #inputs: Port[] = []
  readonly #outputs: Port[] = []
  readonly #shared = new Map<string, string>()
  readonly #renamed = new Map<string, string>()
  #names = 0

  input(name: string, dimensions: readonly Dimension[]): string {
    this.#inputs.push({ name, type: 'float32', dimensions })
    return name
  }

  /** Makes `value` an output called `name`. Renaming the output of the node that computes it saves a copy. */
  output(name: string, dimensions: readonly Dimension[], value: string, type: ElementType = 'float32'): void {
    this.#outputs.push({ name, type, dimensions })
    const source = this.#nodes.find(({ outputs }) => outputs.includes(value))
    if (!source) {
      this.#nodes.push({
        operator: 'Identity',
        inputs: [this.#renamed.get(value) ?? value],
        outputs: [name],
        attributes: {},
        domain: ''
      })
      return
    }
    const rename = (names: string[]): string[] => names.map((old) => (old === value ? name : old))
    source.outputs = rename(source.outputs)
    for (const node of this.#nodes) if (node.inputs.includes(value)) node.inputs = rename(node.inputs)
    this.#renamed.set(value, name)
  }

  floats(values: Float32Array, dimensions: readonly number[]): string {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    return this.#initializer('float32', bytes, dimensions, values.length <= 16 ? values.join() : undefined)
  }

  integers(values: readonly number[], dimensions: readonly number[] = [values.length]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
    return this.#initializer('int64', bytes, dimensions, values.join())
  }

  bytes(values: Uint8Array): string {
    return this.#initializer('uint8', values, [values.length])
  }

  #initializer(type: ElementType, bytes: Uint8Array, dimensions: readonly number[], key?: string): string {
    const identity = key === undefined ? undefined : `${type}:${dimensions.join('x')}:${key}`
    const known = identity === undefined ? undefined : this.#shared.get(identity)
    if (known !== undefined) return known
    const name = `c${this.#names++}`
    this.#initializers.push({ name, type, dimensions, bytes })
    if (identity !== undefined) this.#shared.set(identity, name)
    return name
  }

  /** Adds an operator with one output and returns the output's name. */
  add(operator: string, inputs: string[], attributes: Record<string, Attribute> = {}, domain = ''): string {
    const output = `v${this.#names++}`
    const current = inputs.map((input) => this.#renamed.get(input) ?? input)
    this.#nodes.push({ operator, inputs: current, outputs: [output], attributes, domain })
    return output
  }

  get nodeCount(): number {
    return this.#nodes.length
  }

  /**
   * Serialises the model.
   * @param notes  metadata to store in it
   */
  serialise(notes: Readonly<Record<string, string>> = {}): Uint8Array {
    const model = new PbfWriter()
    model.writeVarintField(1, IR_VERSION)
    model.writeStringField(2, 'smalti')
    model.writeMessage(7, (_: null, graph: PbfWriter) => this.#writeGraph(graph), null)
    for (const [domain, version] of [
      ['', OPERATOR_SET],
      ['com.microsoft', 1]
    ] as const) {
      model.writeMessage(
        8,
        (_: null, set: PbfWriter) => {
          set.writeStringField(1, domain)
          set.writeVarintField(2, version)
        },
        null
      )
    }
    for (const note of Object.entries(notes)) model.writeMessage(14, writeNote, note)
    return model.finish()
  }

  #writeGraph(writer: PbfWriter): void {
    for (const node of this.#nodes) writer.writeMessage(1, writeNode, node)
    writer.writeStringField(2, 'program')
    for (const initializer of this.#initializers) writer.writeMessage(5, writeInitializer, initializer)
    for (const port of this.#inputs) writer.writeMessage(11, writePort, port)
    for (const port of this.#outputs) writer.writeMessage(12, writePort, port)
  }
}

function writeNote([key, value]: [string, string], writer: PbfWriter): void {
  writer.writeStringField(1, key)
  writer.writeStringField(2, value)
}

function writeNode(node: Node, writer: PbfWriter): void {
  for (const input of node.inputs) writer.writeStringField(1, input)
  for (const output of node.outputs) writer.writeStringField(2, output)
  writer.writeStringField(4, node.operator)
  for (const entry of Object.entries(node.attributes)) writer.writeMessage(5, writeAttribute, entry)
  writer.writeStringField(7, node.domain)
}

function writeAttribute([name, value]: [string, Attribute], writer: PbfWriter): void {
  writer.writeStringField(1, name)
  if (typeof value === 'number') {
    writer.writeVarintField(3, value)
    writer.writeVarintField(20, 2)
  } else if (typeof value === 'string') {
    writer.writeBytesField(4, new TextEncoder().encode(value))
    writer.writeVarintField(20, 3)
  } else if ('float' in value) {
    writer.writeFloatField(2, value.float)
    writer.writeVarintField(20, 1)
  } else {
    for (const item of value) writer.writeVarintField(8, item)
    writer.writeVarintField(20, 7)
  }
}

function writeInitializer(initializer: Initializer, writer: PbfWriter): void {
  for (const dimension of initializer.dimensions) writer.writeVarintField(1, dimension)
  writer.writeVarintField(2, ELEMENT_CODES[initializer.type])
  writer.writeStringField(8, initializer.name)
  writer.writeBytesField(9, initializer.bytes)
}

function writePort(port: Port, writer: PbfWriter): void {
  const writeDimension = (dimension: Dimension, dim: PbfWriter): void =>
    typeof dimension === 'number' ? dim.writeVarintField(1, dimension) : dim.writeStringField(2, dimension)
  const writeShape = (dimensions: readonly Dimension[], shape: PbfWriter): void => {
    for (const dimension of dimensions) shape.writeMessage(1, writeDimension, dimension)
  }
  const writeTensor = (dimensions: readonly Dimension[], tensor: PbfWriter): void => {
    tensor.writeVarintField(1, ELEMENT_CODES[port.type])
    tensor.writeMessage(2, writeShape, dimensions)
  }
  const writeType = (dimensions: readonly Dimension[], type: PbfWriter): void => {
    type.writeMessage(1, writeTensor, dimensions)
  }
  writer.writeStringField(1, port.name)
  writer.writeMessage(2, writeType, port.dimensions)
}
