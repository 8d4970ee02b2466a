import type { Samples } from '../../raster.ts'

/** Values of the Compression tag that are supported. */
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

/** How the samples of a block are arranged. */
export interface BlockLayout {
  width: number
  /** Number of rows in the block. */
  height: number
  /** Samples per pixel within the block: all bands, or one if planes are separate. */
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

/** Returns the size of a decoded block in bytes. With fewer than 8 bits per sample, rows are padded to whole bytes. */
export function decodedBytes({ width, height, samples, bits }: BlockLayout): number {
  return Math.ceil((width * samples * bits) / 8) * height
}

/** A decoded block: samples interleaved by pixel, rows from the top. */
export interface Block {
  samples: Samples
  /** 0 where the block has no value, one byte per pixel. Absent when all pixels have one. */
  valid?: Uint8Array
}
