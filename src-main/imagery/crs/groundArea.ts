import type { Size, Window } from '../grid.ts'
import type { Crs, Ellipsoid, Place } from './crs.ts'
import { type Transform, toWorld } from './transform.ts'

/** Areas of a scene's pixels on the ellipsoid, in square metres. */
export interface GroundAreas {
  /** Area of the pixel in the middle of the scene, or of another pixel that is on the earth. */
  readonly middle: number
  /** Returns a pixel's area; 0 off the earth. */
  at(column: number, row: number): number
  /**
   * Adds the area of each pixel of a window to the sum for its label.
   * @param sums  256 numbers
   */
  add(sums: Float64Array, labels: Uint8Array, window: Window): void
  /** Returns the area inside closed rings in columns and rows, [x, y, x, y …]; even-odd rule. */
  within(rings: readonly (readonly number[])[]): number
}

/** Largest relative difference between the area at a block's centre and the mean of its quarters. */
const TOLERANCE = 2e-5
/** Numbers of pixels along an axis that may share one area. */
const SIDES = [1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1]
/** Number of blocks along an axis at which a side is tested. */
const TRIED = 6
/** Least distance in metres between points that are subtracted, far above the error of an inverse projection. */
const LEAST_STEP = 30
const MOST_BLOCKS = 400_000
/** Points and weights of Gauss–Legendre quadrature on −½ … ½, for pixels that are large on the globe. */
const GAUSS: readonly [at: number, weight: number][] = [
  [-Math.sqrt(0.15), 5 / 18],
  [0, 8 / 18],
  [Math.sqrt(0.15), 5 / 18]
]
/** Size in radians above which a pixel's area is integrated. */
const LARGE = 2e-3

/**
 * Computes areas of a scene's pixels on the ellipsoid of its datum, exact to about 0.02 %. The ellipsoid is mapped to
 * an equal-area sphere (Snyder 1987, eq. 3-11 to 3-13), where an area is a cross product. Pixels of equal area share
 * one computation.
 * @returns  undefined when the place is unknown
 */
export function groundAreas(
  georeference: { transform?: Transform; place: Place } | undefined,
  size: Size
): GroundAreas | undefined {
  if (!georeference?.transform || !georeference.place.known) return undefined
  const density = densityOf(georeference.place.crs, georeference.transform, size)
  const middle = middleOf(density, size)
  if (middle === undefined) return undefined
  let blocks: Blocks | undefined
  const found = (): Blocks => (blocks ??= blocksOf(density, size))
  return {
    middle,
    at(column, row) {
      const { across, down, rowOf } = found()
      return rowOf(Math.floor(row / down))[Math.floor(column / across)]
    },
    add(sums, labels, { left, top, width, height }) {
      const { across, down, rowOf } = found()
      for (let r = 0, i = 0; r < height; r++) {
        const areas = rowOf(Math.floor((top + r) / down))
        for (let c = 0; c < width;) {
          const block = Math.floor((left + c) / across)
          const end = Math.min(width, (block + 1) * across - left)
          const area = areas[block]
          for (; c < end; c++, i++) sums[labels[i]] += area
        }
      }
    },
    within: (rings) => areaWithin(rings, found(), size)
  }
}

/** Blocks of pixels that share one area. */
interface Blocks {
  across: number
  down: number
  /** Returns the area of a pixel in each block of a row of blocks. */
  rowOf(block: number): Float64Array
}

function blocksOf(density: Density, size: Size): Blocks {
  let [across, down] = [sideFor(density, size, 'width'), sideFor(density, size, 'height')]
  // Computing single pixels would take too long where the earth's limb crosses a large scene.
  while (Math.ceil(size.width / across) * Math.ceil(size.height / down) > MOST_BLOCKS)
    [across, down] = [across * 2, down * 2]
  const columns = Math.ceil(size.width / across)
  const kept = new Map<number, Float64Array>()
  const middleOfBlock = (block: number, side: number, length: number): number =>
    (block * side + Math.min((block + 1) * side, length)) / 2
  return {
    across,
    down,
    rowOf(block) {
      const known = kept.get(block)
      if (known) return known
      const row = middleOfBlock(block, down, size.height)
      const places = Float64Array.from({ length: 2 * columns }, (_, i) =>
        i % 2 ? row : middleOfBlock(i / 2, across, size.width)
      )
      const areas = density(places).map((area) => (Number.isFinite(area) ? area : 0))
      kept.set(block, areas)
      return areas
    }
  }
}

/**
 * Returns the ground sampling distance in metres: the side of a square as large as a pixel in the middle of the scene.
 * Undefined when the place is unknown.
 */
export function groundSamplingDistance(
  georeference: { transform?: Transform; place: Place } | undefined,
  size: Size
): number | undefined {
  if (!georeference?.transform || !georeference.place.known) return undefined
  const area = middleOf(densityOf(georeference.place.crs, georeference.transform, size), size)
  return area === undefined ? undefined : Math.sqrt(area)
}

/** Returns pixel areas in square metres at some places, [column, row, column, row …]; NaN off the earth. */
type Density = (places: Float64Array) => Float64Array

function densityOf(crs: Crs, transform: Transform, { width, height }: Size): Density {
  const toSphere = equalAreaSphere(crs.ellipsoid)
  const once = (places: Float64Array, step: number): Float64Array => {
    const count = places.length / 2
    const around = new Float64Array(8 * count)
    for (let i = 0; i < count; i++) {
      const [column, row] = [places[2 * i], places[2 * i + 1]]
      const points = [
        [column - step, row],
        [column + step, row],
        [column, row - step],
        [column, row + step]
      ]
      points.forEach(([c, r], k) => around.set(toWorld(transform, c, r), 8 * i + 2 * k))
    }
    crs.toGeodetic(around)
    return Float64Array.from({ length: count }, (_, i) => {
      const [west, east, north, south] = [0, 1, 2, 3].map((k) =>
        toSphere(around[8 * i + 2 * k], around[8 * i + 2 * k + 1])
      )
      const [a, b] = [difference(east, west), difference(south, north)]
      return (
        Math.hypot(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]) / (4 * step * step)
      )
    })
  }
  // Approximate side of a pixel in metres, in the middle of the scene or, if that is off the earth, elsewhere.
  const side = Math.sqrt(
    [...once(Float64Array.of(width / 2, height / 2), 0.25)]
      .concat([...once(probesOf({ width, height }), 0.25)])
      .find((area) => area > 0) ?? NaN
  )
  const [, xc, xr, , yc, yr] = transform
  const unit = crs.geographic ? crs.unit.size * crs.ellipsoid.semiMajor : crs.unit.size
  const scale = Number.isFinite(side) ? side : Math.sqrt(Math.abs(xc * yr - xr * yc)) * unit
  const step = Math.max(0.25, LEAST_STEP / scale)
  if (scale / crs.ellipsoid.semiMajor <= LARGE) return (places) => once(places, step)
  return (places) => {
    // If a pixel extends beyond a pole, only the part on the earth counts.
    const sums = new Float64Array(places.length / 2)
    for (const [x, weightX] of GAUSS) {
      for (const [y, weightY] of GAUSS)
        once(
          places.map((value, i) => value + (i % 2 ? y : x)),
          1 / 16
        ).forEach((area, i) => (sums[i] += weightX * weightY * (Number.isNaN(area) ? 0 : area)))
    }
    return sums
  }
}

type Vector = readonly [number, number, number]
const difference = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]]

/** Maps longitude and latitude, in radians, to a sphere with the ellipsoid's areas, in metres from its centre. */
function equalAreaSphere({ semiMajor, flattening }: Ellipsoid): (longitude: number, latitude: number) => Vector {
  const eccentricity = Math.sqrt(Math.max(0, flattening * (2 - flattening)))
  const authalic = (sine: number): number => {
    if (eccentricity === 0) return 2 * sine
    const within = eccentricity * sine
    return (1 - eccentricity ** 2) * (sine / (1 - within * within) + Math.atanh(within) / eccentricity)
  }
  const pole = authalic(1)
  const radius = semiMajor * Math.sqrt(pole / 2)
  return (longitude, latitude) => {
    const sine = Math.min(1, Math.max(-1, authalic(Math.sin(latitude)) / pole))
    const cosine = Math.sqrt(1 - sine * sine)
    return [radius * cosine * Math.cos(longitude), radius * cosine * Math.sin(longitude), radius * sine]
  }
}

/** Finds the most pixels along an axis that may share the area of the pixel at their centre. */
function sideFor(density: Density, size: Size, axis: 'width' | 'height'): number {
  const index = axis === 'width' ? 0 : 1
  return SIDES.find((side) => {
    if (side > 1 && side >= 2 * size[axis]) return false
    const reach = Math.min(side, size[axis]) / 4
    const places: number[] = []
    for (let i = 0; i < TRIED; i++) {
      for (let k = 0; k < TRIED; k++) {
        const at = [((i + 0.5) * size.width) / TRIED, ((k + 0.5) * size.height) / TRIED]
        // Test both ends of the axis, where projections change most.
        at[index] = Math.min(Math.max(at[index], 2 * reach), size[axis] - 2 * reach)
        if ((axis === 'width' ? i : k) === 0) at[index] = 2 * reach
        if ((axis === 'width' ? i : k) === TRIED - 1) at[index] = size[axis] - 2 * reach
        for (const by of [-reach, 0, reach]) places.push(...at.map((value, a) => (a === index ? value + by : value)))
      }
    }
    const areas = density(Float64Array.from(places))
    for (let i = 0; i < areas.length; i += 3) {
      const [before, here, after] = areas.subarray(i, i + 3)
      // All areas are 0 off the earth; at its edge, pixels differ.
      if (Number.isNaN(before) && Number.isNaN(here) && Number.isNaN(after)) continue
      if (!(Math.abs((before + after) / 2 - here) <= TOLERANCE * here)) return side === 1
      if (Math.abs(before - after) > here * MOST_SLOPE) return side === 1
    }
    return true
  })!
}

/** Largest relative change of area over half a block, whose two ends may have different classes. */
const MOST_SLOPE = 1.5e-4

/** Spreads points over a scene. */
const probesOf = ({ width, height }: Size): Float64Array =>
  Float64Array.from(
    { length: 2 * TRIED * TRIED },
    (_, i) => ((Math.floor(i / 2 / (i % 2 ? TRIED : 1)) % TRIED) + 0.5) * ((i % 2 ? height : width) / TRIED)
  )

function middleOf(density: Density, size: Size): number | undefined {
  const [middle] = density(Float64Array.of(size.width / 2, size.height / 2))
  return middle > 0 ? middle : [...density(probesOf(size))].find((area) => area > 0)
}

/**
 * Sums areas inside rings. Each row is cut where the rings' edges cross its centre line; between two cuts, the blocks'
 * areas apply.
 */
function areaWithin(
  rings: readonly (readonly number[])[],
  { across, down, rowOf }: Blocks,
  { width, height }: Size
): number {
  const crossings = new Map<number, number[]>()
  for (const ring of rings) {
    for (let i = 0; i + 3 < ring.length; i += 2) {
      const [x0, y0, x1, y1] = [ring[i], ring[i + 1], ring[i + 2], ring[i + 3]]
      if (y0 === y1) continue
      const first = Math.max(0, Math.ceil(Math.min(y0, y1) - 0.5))
      const last = Math.min(height - 1, Math.ceil(Math.max(y0, y1) - 0.5) - 1)
      for (let row = first; row <= last; row++) {
        const list = crossings.get(row)
        const x = x0 + ((row + 0.5 - y0) * (x1 - x0)) / (y1 - y0)
        if (list) list.push(x)
        else crossings.set(row, [x])
      }
    }
  }
  let sum = 0
  for (const [row, places] of crossings) {
    places.sort((a, b) => a - b)
    const areas = rowOf(Math.floor(row / down))
    for (let i = 0; i + 1 < places.length; i += 2) {
      const [from, to] = [Math.max(0, places[i]), Math.min(width, places[i + 1])]
      for (let block = Math.floor(from / across); block * across < to; block++)
        sum +=
          Math.max(0, Math.min(to, (block + 1) * across) - Math.max(from, block * across)) *
          areas[Math.min(block, areas.length - 1)]
    }
  }
  return sum
}
