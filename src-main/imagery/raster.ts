import type { BandRole, SampleType } from '../contract/imagery.ts'
import type { Georeference } from './georeference.ts'
import type { Size, Window } from './grid.ts'

export type { Size, Window }

/** Pixel values in any type that files store. */
export type Samples =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array

/** The type and meaning of one band of a raster. */
export interface Band {
  type: SampleType
  role: BandRole
  /** The value that marks a pixel without data, besides NaN. */
  nodata?: number
}

/** Pixels of a window, planar, in the file's type. */
export interface Patch extends Size {
  bands: Samples[]
  /** 1 where a pixel contains data, 0 where it doesn't. Absent when all pixels contain data. */
  valid?: Uint8Array
}

/** An image of any format, read by windows. */
export interface Raster extends Size {
  readonly bands: readonly Band[]
  /** Sizes of the stored levels, full resolution first. */
  readonly levels: readonly Size[]
  /** Whether any pixel may lack data. */
  readonly gaps: boolean
  /**
   * Reads where the image is on the ground, the first time it is called; call it before `close`. Undefined when nothing
   * gives a position.
   */
  georeference(): Promise<Georeference | undefined>
  /** The 8-bit red, green and blue of each value, for an image with one palette band. */
  readonly palette?: readonly Uint8Array[]
  /** A note for the user, such as that only one of several pages is read. */
  readonly notice?: string
  /**
   * Reads a window at a level. Reads only the blocks that the window touches.
   * @param bands  counted from 0; all bands when absent
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

const bytesOf = (type: SampleType): number => ARRAYS[type].BYTES_PER_ELEMENT

export function emptySamples(type: SampleType, length: number): Samples {
  return new ARRAYS[type](length)
}

/** Returns the smallest and the largest number of an integer type. */
export function rangeOf(type: SampleType): { low: number; high: number } {
  const bits = 8 * bytesOf(type)
  return type.startsWith('uint')
    ? { low: 0, high: 2 ** bits - 1 }
    : { low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1 }
}

/** Views bytes in native order as samples. Copies them only if they are not aligned to the type. */
export function samplesOf(type: SampleType, bytes: Uint8Array): Samples {
  const aligned = bytes.byteOffset % bytesOf(type) === 0 ? bytes : bytes.slice()
  return new ARRAYS[type](
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    Math.floor(aligned.byteLength / bytesOf(type))
  )
}

/** Limits on the bands and the side that a file may claim before it is rejected. */
export const MOST_BANDS = 256
const MOST_SIDE = 2 ** 24

/** Explains why a size can't be real, or returns undefined if it can. */
export function absurdSize({ width, height }: Size): string | undefined {
  if (width < 1 || height < 1) return `it claims to have ${width} × ${height} pixels`
  if (width > MOST_SIDE || height > MOST_SIDE || width * height > 2 ** 40)
    return `it claims to have ${width} × ${height} pixels, which is impossible`
  return undefined
}
