import type { Samples } from '../../raster.ts'

export const COMPRESSION = {
  none: 1,
  lzw: 5,
  jpeg: 7,
  deflate: 8,
  oldDeflate: 32946,
  packBits: 32773,
  lerc: 34887,
  zstd: 50000,
  webp: 50001
} as const

/** How the samples of a block lie. */
export interface BlockLayout {
  width: number
  /** Rows that the block holds. */
  height: number
  /** Samples of a pixel within the block: all bands, or one where planes are apart. */
  samples: number
  bits: number
  /** Value of the SampleFormat tag. */
  format: number
  compression: number
  predictor: number
  littleEndian: boolean
  /** Whether the lowest bit of each stored byte comes first. */
  lowBitFirst: boolean
  photometric: number
  jpegTables?: Buffer
  subsampling?: number[]
  lercParameters?: number[]
}

/** Bytes of a block when it is decoded; rows of fewer than 8 bits a sample are padded to whole bytes. */
export function decodedBytes({ width, height, samples, bits }: BlockLayout): number {
  return Math.ceil((width * samples * bits) / 8) * height
}

/** A decoded block: samples of a pixel together, rows from the top. */
export interface Block {
  samples: Samples
  /** 0 where the block has no value, a byte a pixel; all have one when absent. */
  valid?: Uint8Array
}
