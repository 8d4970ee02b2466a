import type { Uniform } from '../random.ts'
import type { GeometricStep } from './geometricSteps.ts'
import { interpolate } from './geometricSteps.ts'

/** A square of positions in the first view's frame, and the rectangle of whole pixels that contains them. */
export interface Sampling {
  /** Rows and columns from the first crop's top left corner, in pixels between pixel centres, [side, side, 2]. */
  positions: Float32Array
  top: number
  left: number
  height: number
  width: number
}

/** Returns the positions from which the second view of a crop takes its pixels. */
export function samplingOf(step: GeometricStep, side: number): Sampling {
  const positions = new Float32Array(side * side * 2)
  let [top, left, bottom, right] = [Infinity, Infinity, -Infinity, -Infinity]
  for (let r = 0; r < side; r++) {
    for (let c = 0; c < side; c++) {
      const from = step.toFirst([r + 0.5 - side / 2, c + 0.5 - side / 2])
      const [row, column] = [from[0] + side / 2 - 0.5, from[1] + side / 2 - 0.5]
      positions[2 * (r * side + c)] = row
      positions[2 * (r * side + c) + 1] = column
      ;[top, bottom, left, right] = [
        Math.min(top, row),
        Math.max(bottom, row),
        Math.min(left, column),
        Math.max(right, column)
      ]
    }
  }
  ;[top, left] = [Math.floor(top), Math.floor(left)]
  return { positions, top, left, height: Math.floor(bottom) + 2 - top, width: Math.floor(right) + 2 - left }
}

/**
 * Samples the second view bilinearly.
 * @param picture  planar [bands, height, width] of the sampling's rectangle
 */
export function resample(
  picture: Float32Array,
  { positions, top, left, height, width }: Sampling,
  bands: number
): Float32Array {
  const pixels = positions.length / 2
  const result = new Float32Array(bands * pixels)
  for (let band = 0; band < bands; band++) {
    const plane = picture.subarray(band * height * width, (band + 1) * height * width)
    for (let i = 0; i < pixels; i++) {
      result[band * pixels + i] = interpolate(plane, height, positions[2 * i] - top, positions[2 * i + 1] - left, width)
    }
  }
  return result
}

/**
 * Cuts a random square from a square image and scales it, for views of whole images.
 *
 * @param picture   planar [bands, side, side]
 * @param smallest  side of the smallest square, as a share of the image's
 */
export function randomPart(
  picture: Float32Array,
  side: number,
  bands: number,
  crop: number,
  smallest: number,
  uniform: Uniform
): Float32Array {
  const part = side * (smallest + (1 - smallest) * uniform())
  const [top, left] = [uniform() * (side - part), uniform() * (side - part)]
  const positions = new Float32Array(2 * crop * crop)
  for (let i = 0; i < crop * crop; i++) {
    positions[2 * i] = top + ((Math.floor(i / crop) + 0.5) * part) / crop - 0.5
    positions[2 * i + 1] = left + (((i % crop) + 0.5) * part) / crop - 0.5
  }
  return resample(picture, { positions, top: 0, left: 0, height: side, width: side }, bands)
}

export interface WarpTables {
  corners: Float32Array
  cornerWeights: Float32Array
  valid: Float32Array
}

/**
 * Bilinear tables that carry a heatmap of the second view back into the first view's frame, for `warpHeatmap`.
 *
 * @param side    side of the crops in pixels
 * @param coarse  side of the heatmap
 * @param sample  the pair's index in its batch
 * @returns       tables [coarse, coarse, 4] twice and the validity mask [coarse, coarse]
 */
export function warpTables(step: GeometricStep, side: number, coarse: number, sample: number): WarpTables {
  const stride = side / coarse
  const tables = {
    corners: new Float32Array(4 * coarse ** 2),
    cornerWeights: new Float32Array(4 * coarse ** 2),
    valid: new Float32Array(coarse ** 2)
  }
  const first = sample * coarse * coarse
  for (let r = 0; r < coarse; r++) {
    for (let c = 0; c < coarse; c++) {
      const at = r * coarse + c
      tables.corners.fill(first, 4 * at, 4 * at + 4)
      const found = step.toSecond([(r + 0.5) * stride - side / 2, (c + 0.5) * stride - side / 2])
      if (!found || found.some((value) => Math.abs(value) > side / 2)) continue
      const [row, column] = found.map((value) => Math.min(Math.max((value + side / 2) / stride - 0.5, 0), coarse - 1))
      const [top, left] = [Math.floor(row), Math.floor(column)]
      const [bottom, right] = [Math.min(top + 1, coarse - 1), Math.min(left + 1, coarse - 1)]
      const [down, across] = [row - top, column - left]
      tables.corners.set(
        [top * coarse + left, top * coarse + right, bottom * coarse + left, bottom * coarse + right].map(
          (i) => first + i
        ),
        4 * at
      )
      tables.cornerWeights.set(
        [(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across],
        4 * at
      )
      tables.valid[at] = 1
    }
  }
  return tables
}
