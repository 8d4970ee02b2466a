import { open } from 'node:fs/promises'
import { deflateSync, inflateSync } from 'node:zlib'
import { CORRECTION_TILE, type CorrectedTile } from '../contract/classes.ts'
import { SmaltiError } from '../contract/errors.ts'
import { NO_LABEL } from '../contract/labels.ts'
import type { Window } from '../imagery/raster.ts'
import type { LabelSource } from './source.ts'

/** The value of uncorrected pixels in a layer. */
export const UNTOUCHED = 254

const SIDE = CORRECTION_TILE

/** Corrections painted over an image's labels, in tiles of `CORRECTION_TILE` pixels; most tiles don't exist. */
export interface Layer {
  readonly tiles: readonly CorrectedTile[]
  /** Returns the pixels of a tile, row by row. @throws LabelsUnreadable */
  read(tile: CorrectedTile): Promise<Uint8Array>
}

/** Returns the layer of some tiles in a corrections file, or undefined if there are none. */
export const layerOf = (file: string, tiles: readonly CorrectedTile[]): Layer | undefined =>
  tiles.length === 0 ? undefined : { tiles, read: (tile) => readTile(file, tile) }

async function readTile(file: string, { offset, bytes }: CorrectedTile): Promise<Uint8Array> {
  try {
    const handle = await open(file)
    try {
      const stored = new Uint8Array(bytes)
      await handle.read(stored, 0, bytes, offset)
      const content = inflateSync(stored, { maxOutputLength: SIDE * SIDE })
      if (content.length === SIDE * SIDE) return content
      throw new Error('a tile is truncated')
    } finally {
      await handle.close()
    }
  } catch (fault) {
    throw new SmaltiError('CorrectionsUnreadable', { path: file, reason: (fault as Error).message })
  }
}

/** Encodes a layer's tile for storage. */
export const encodedTile = (content: Uint8Array): Uint8Array => deflateSync(content, { level: 6 })

/** Returns the pixels that a tile covers. */
export const tileArea = ({ column, row }: Pick<CorrectedTile, 'column' | 'row'>): Window => ({
  left: column * SIDE,
  top: row * SIDE,
  width: SIDE,
  height: SIDE
})

/** Returns the intersection of two windows, or undefined if they don't overlap. */
export function overlap(a: Window, b: Window): Window | undefined {
  const [left, top] = [Math.max(a.left, b.left), Math.max(a.top, b.top)]
  const [right, bottom] = [Math.min(a.left + a.width, b.left + b.width), Math.min(a.top + a.height, b.top + b.height)]
  return right > left && bottom > top ? { left, top, width: right - left, height: bottom - top } : undefined
}

/**
 * Applies corrections to labels.
 * @param table  maps labels of the layer, as the source's labels are mapped
 */
export function corrected(source: LabelSource, layer: Layer | undefined, table?: Uint8Array): LabelSource {
  if (!layer) return source
  return {
    ...source,
    async read(window, signal) {
      const labels = Uint8Array.from(await source.read(window, signal))
      for (const tile of layer.tiles) {
        const area = tileArea(tile)
        const common = overlap(area, window)
        if (!common) continue
        const painted = await layer.read(tile)
        for (let y = common.top; y < common.top + common.height; y++) {
          const [from, to] = [(y - area.top) * SIDE - area.left, (y - window.top) * window.width - window.left]
          for (let x = common.left; x < common.left + common.width; x++) {
            const value = painted[from + x]
            if (value !== UNTOUCHED) labels[to + x] = table && value !== NO_LABEL ? table[value] : value
          }
        }
      }
      return labels
    }
  }
}

/**
 * Paints a layer over reduced labels.
 * @param labels  row-major, the size of `window`, each covering `step` × `step` pixels of the image; changed in place
 */
export async function correctSmaller(labels: Uint8Array, window: Window, step: number, layer: Layer): Promise<void> {
  for (const tile of layer.tiles) {
    const area = tileArea(tile)
    const cells = {
      left: Math.floor(area.left / step),
      top: Math.floor(area.top / step),
      width: Math.max(1, SIDE / step),
      height: Math.max(1, SIDE / step)
    }
    const common = overlap(cells, window)
    if (!common) continue
    const painted = await layer.read(tile)
    for (let y = common.top; y < common.top + common.height; y++) {
      for (let x = common.left; x < common.left + common.width; x++) {
        const value = mostOf(painted, {
          left: x * step - area.left,
          top: y * step - area.top,
          width: Math.min(step, SIDE),
          height: Math.min(step, SIDE)
        })
        if (value !== UNTOUCHED) labels[(y - window.top) * window.width + x - window.left] = value
      }
    }
  }
}

/** Returns the most frequent value in a part of a tile. */
function mostOf(painted: Uint8Array, { left, top, width, height }: Window): number {
  if (width === 1 && height === 1) return painted[top * SIDE + left]
  const counts = new Map<number, number>()
  for (let y = Math.max(0, top); y < Math.min(SIDE, top + height); y++)
    for (let x = Math.max(0, left); x < Math.min(SIDE, left + width); x++)
      counts.set(painted[y * SIDE + x], (counts.get(painted[y * SIDE + x]) ?? 0) + 1)
  let most = UNTOUCHED
  for (const [value, count] of counts) if (count > (counts.get(most) ?? 0)) most = value
  return most
}
