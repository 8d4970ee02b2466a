import type { BandRole, SampleType } from '../contract/imagery.ts'
import type { Georeference } from './georeference.ts'
import type { Size, Window } from './grid.ts'

export type { Size, Window }

export type Samples =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array

export interface Band {
  type: SampleType
  role: BandRole
  /** The value that marks a pixel without data; NaN is one too. */
  nodata?: number
}

/** Pixels of a window, planar, in the file's type. */
export interface Patch extends Size {
  bands: Samples[]
  /** 1 where a pixel holds data, 0 where it does not; all do when absent. */
  valid?: Uint8Array
}

/** A picture of any kind, read by windows. */
export interface Raster extends Size {
  readonly bands: readonly Band[]
  /** Sizes of what is stored, full resolution first. */
  readonly levels: readonly Size[]
  /** Whether any pixel may be without data. */
  readonly gaps: boolean
  /** Where it lies, read when it is first asked for, and before it is closed; undefined where nothing says so. */
  georeference(): Promise<Georeference | undefined>
  /** 8-bit colours, red, green and blue, of each value of a palette's one band. */
  readonly palette?: readonly Uint8Array[]
  /** What a user should know of it, such as that only one of several pages is read. */
  readonly notice?: string
  /**
   * Values of a window at a level. Reads no more than the blocks that it touches.
   * @param bands  numbers counted from 0; all when absent
   * @throws UnreadableImage, Cancelled
   */
  read(window: Window, options?: { level?: number; bands?: readonly number[]; signal?: AbortSignal }): Promise<Patch>
  close(): Promise<void>
}

const ARRAYS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array
} as const

export const bytesOf = (type: SampleType): number => ARRAYS[type].BYTES_PER_ELEMENT

export function emptySamples(type: SampleType, length: number): Samples {
  return new ARRAYS[type](length)
}

/** The least and the largest number of a type of integers. */
export function rangeOf(type: SampleType): { low: number; high: number } {
  const bits = 8 * bytesOf(type)
  return type.startsWith('uint')
    ? { low: 0, high: 2 ** bits - 1 }
    : { low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1 }
}

/** Bytes, in the machine's order, seen as samples; copied only where they do not lie on the type's boundary. */
export function samplesOf(type: SampleType, bytes: Uint8Array): Samples {
  const aligned = bytes.byteOffset % bytesOf(type) === 0 ? bytes : bytes.slice()
  return new ARRAYS[type](
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    Math.floor(aligned.byteLength / bytesOf(type))
  )
}

/** How many bands or pixels an image may claim before it is called absurd. */
export const MOST_BANDS = 256
export const MOST_SIDE = 2 ** 24

/** Why no program of this kind could read such a size, or undefined where it can. */
export function absurdSize({ width, height }: Size): string | undefined {
  if (width < 1 || height < 1) return `it claims ${width} × ${height} pixels`
  if (width > MOST_SIDE || height > MOST_SIDE || width * height > 2 ** 40)
    return `it claims ${width} × ${height} pixels, which no image has`
  return undefined
}
