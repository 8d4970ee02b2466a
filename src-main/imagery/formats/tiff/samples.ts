import type { SampleType } from '../../../contract/imagery.ts'
import { type Samples, emptySamples, samplesOf } from '../../raster.ts'
import type { BlockLayout } from './layout.ts'

/** Values of the SampleFormat tag. */
export const SAMPLE_FORMAT = {
  unsigned: 1,
  signed: 2,
  float: 3,
  undefined: 4,
  complexInteger: 5,
  complexFloat: 6
} as const

const translated = (type: string): string => `gdal_translate -ot ${type} -co COMPRESS=DEFLATE -co TILED=YES`

/** Returns the type that represents samples with a number of bits, or undefined if they aren't supported. */
export function typeOf(bits: number, format: number): SampleType | undefined {
  if (format === SAMPLE_FORMAT.float)
    return bits === 16 || bits === 24 || bits === 32 ? 'float32' : bits === 64 ? 'float64' : undefined
  if (format === SAMPLE_FORMAT.signed)
    return bits === 8 ? 'int8' : bits === 16 ? 'int16' : bits === 32 ? 'int32' : undefined
  if (format !== SAMPLE_FORMAT.unsigned && format !== SAMPLE_FORMAT.undefined) return undefined
  if (bits < 1 || bits > 32) return undefined
  return bits <= 8 ? 'uint8' : bits <= 16 ? 'uint16' : 'uint32'
}

const isWhole = (bits: number): boolean => bits === 8 || bits === 16 || bits === 32 || bits === 64

/** Explains why samples can't be read, with a command that converts them, or returns undefined if they can. */
export function unreadSamples({
  bits,
  format,
  predictor
}: Pick<BlockLayout, 'bits' | 'format' | 'predictor'>): string | undefined {
  if (format === SAMPLE_FORMAT.complexInteger || format === SAMPLE_FORMAT.complexFloat)
    return `its values are complex numbers, which aren't supported. Convert their real parts with ${translated('Float32')}`
  if (typeOf(bits, format) === undefined) {
    const name =
      format === SAMPLE_FORMAT.float
        ? 'floating-point numbers'
        : format === SAMPLE_FORMAT.signed
          ? 'signed integers'
          : format === SAMPLE_FORMAT.unsigned || format === SAMPLE_FORMAT.undefined
            ? 'unsigned integers'
            : `samples of format ${format}`
    return `its values are ${bits}-bit ${name}, which aren't supported. Convert it with ${translated('Float64')}`
  }
  if (format !== SAMPLE_FORMAT.float && !isWhole(bits) && predictor !== 1)
    return `its values are ${bits}-bit integers with predictor ${predictor}, which aren't supported`
  return undefined
}

/** Unpacks the samples of a decoded block to a type that can represent them. */
export function unpackedSamples(decoded: Uint8Array, layout: BlockLayout): Samples {
  const { bits, format } = layout
  if (format === SAMPLE_FORMAT.float && bits < 32)
    return bits === 16 ? halfFloats(decoded) : floatsOf24Bits(decoded, layout)
  const type = typeOf(bits, format)!
  if (isWhole(bits)) return samplesOf(type, decoded)
  // libtiff reverses the three bytes if the file's byte order isn't native; GDAL treats the result as packed bits.
  return bits === 24 ? threeBytes(decoded, !layout.littleEndian) : unpackedBits(decoded, layout, type)
}

/**
 * Unpacks unsigned integers that are packed bit by bit, high bit first in either byte order; rows begin on whole bytes.
 */
function unpackedBits(packed: Uint8Array, { width, height, samples, bits }: BlockLayout, type: SampleType): Samples {
  const row = width * samples
  const rowBytes = Math.ceil((row * bits) / 8)
  const result = emptySamples(type, row * height)
  for (let r = 0, to = 0; r < height; r++) {
    let [at, left] = [r * rowBytes, 8]
    for (let i = 0; i < row; i++, to++) {
      let [value, missing] = [0, bits]
      while (missing > 0) {
        const taken = Math.min(missing, left)
        value = value * 2 ** taken + ((packed[at] >> (left - taken)) & ((1 << taken) - 1))
        missing -= taken
        left -= taken
        if (left === 0) [at, left] = [at + 1, 8]
      }
      result[to] = value
    }
  }
  return result
}

function threeBytes(bytes: Uint8Array, lowFirst: boolean): Uint32Array {
  const [low, high] = lowFirst ? [0, 2] : [2, 0]
  return Uint32Array.from(
    { length: Math.floor(bytes.length / 3) },
    (_, i) => bytes[3 * i + low] | (bytes[3 * i + 1] << 8) | (bytes[3 * i + high] << 16)
  )
}

function halfFloats(bytes: Uint8Array): Float32Array {
  return Float32Array.from(samplesOf('uint16', bytes), (half) => smallFloat(half, 5, 10))
}

/** Unpacks floats with one sign bit, 7 exponent bits and 16 fraction bits. Predictor 3 leaves the low byte first. */
function floatsOf24Bits(bytes: Uint8Array, { predictor, littleEndian }: BlockLayout): Float32Array {
  return Float32Array.from(threeBytes(bytes, predictor === 3 || littleEndian), (pattern) => smallFloat(pattern, 7, 16))
}

/** Decodes a float with IEEE 754's layout but fewer bits. */
function smallFloat(pattern: number, exponentBits: number, fractionBits: number): number {
  const most = 2 ** exponentBits - 1
  const sign = (pattern >> (exponentBits + fractionBits)) & 1 ? -1 : 1
  const [exponent, fraction] = [(pattern >> fractionBits) & most, pattern & (2 ** fractionBits - 1)]
  const bias = 2 ** (exponentBits - 1) - 1
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits)
  if (exponent === most) return fraction ? NaN : sign * Infinity
  return sign * (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias)
}
