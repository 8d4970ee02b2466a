/** Declares the part of Esri's decoder that is used; the package has no types. */
declare module 'lerc' {
  interface LercBlock {
    width: number
    height: number
    /** Values of each band; a band with several values per pixel stores them together. */
    pixels: (
      Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array
    )[]
    /** 1 where the first band has a value. Null or absent when all pixels have one. */
    mask?: Uint8Array | null
  }
  const Lerc: {
    /** @throws string with the reason */
    decode(packed: ArrayBuffer, options?: { returnPixelInterleavedDims?: boolean }): LercBlock
  }
  export default Lerc
  export type { LercBlock }
}
