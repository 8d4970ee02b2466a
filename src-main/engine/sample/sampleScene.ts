import { type Uniform, integerBelow, normalFrom, uniformFrom } from '../../learning/random.ts'

/** The classes of a generated scene, in the order of its truth's indices. */
export const SAMPLE_CLASSES = ['field', 'trees', 'water', 'roof', 'road'] as const
const [FIELD, TREES, WATER, ROOF, ROAD] = [0, 1, 2, 3, 4]

export interface SampleScene {
  side: number
  /** Interleaved 8-bit RGB. */
  colours: Uint8Array
  /** Index into `SAMPLE_CLASSES` for every pixel. */
  truth: Uint8Array
}

type Field = (x: number, y: number) => number

/** Returns smooth noise in 0…1 on a lattice of `spacing` pixels. */
function smoothNoise(side: number, spacing: number, uniform: Uniform): Field {
  const cells = Math.ceil(side / spacing) + 2
  const lattice = Float32Array.from({ length: cells * cells }, uniform)
  const ease = (t: number): number => t * t * (3 - 2 * t)
  return (x, y) => {
    const [gx, gy] = [x / spacing, y / spacing]
    const [ix, iy] = [Math.floor(gx), Math.floor(gy)]
    const [u, v] = [ease(gx - ix), ease(gy - iy)]
    const at = (column: number, row: number): number => lattice[row * cells + column]
    const top = at(ix, iy) * (1 - u) + at(ix + 1, iy) * u
    const bottom = at(ix, iy + 1) * (1 - u) + at(ix + 1, iy + 1) * u
    return top * (1 - v) + bottom * v
  }
}

function layered(side: number, spacing: number, uniform: Uniform): Field {
  const octaves = [1, 2, 4].map((divisor) => smoothNoise(side, spacing / divisor, uniform))
  return (x, y) => (octaves[0](x, y) * 4 + octaves[1](x, y) * 2 + octaves[2](x, y)) / 7
}

interface Parcel {
  x: number
  y: number
  colour: [number, number, number]
  angle: number
  period: number
}

/**
 * Draws an aerial scene from a seed: parcelled fields with furrows, woods with shaded crowns, water, roofs that cast
 * shadows, and roads. The colours of different classes overlap, so only texture and surroundings tell them apart.
 */
export function drawSampleScene(side: number, seed: number): SampleScene {
  const uniform = uniformFrom(seed, 77)
  const truth = new Uint8Array(side * side).fill(FIELD)
  const colours = new Float32Array(side * side * 3)
  const light = layered(side, side / 2, uniform)
  drawGround(side, truth, colours, uniform)
  const roads = drawRoads(side, truth, colours, uniform)
  drawRoofs(side, truth, colours, roads, uniform)
  const normal = normalFrom(uniform)
  const bytes = new Uint8Array(colours.length)
  for (let i = 0; i < side * side; i++) {
    const brightness = 0.82 + 0.36 * light(i % side, Math.floor(i / side))
    const grain = 4 * normal()
    for (let band = 0; band < 3; band++)
      bytes[3 * i + band] = Math.max(0, Math.min(255, colours[3 * i + band] * brightness + grain + 4 * normal()))
  }
  return { side, colours: bytes, truth }
}

function drawGround(side: number, truth: Uint8Array, colours: Float32Array, uniform: Uniform): void {
  const [wet, wooded, patches, fine] = [
    layered(side, 260, uniform),
    layered(side, 150, uniform),
    layered(side, 40, uniform),
    smoothNoise(side, 3, uniform)
  ]
  const ripples = smoothNoise(side, 9, uniform)
  const palette: Parcel['colour'][] = [
    [116, 128, 70],
    [150, 140, 92],
    [92, 112, 58],
    [168, 150, 110],
    [104, 96, 70]
  ]
  const parcels = Array.from({ length: Math.round((side / 110) ** 2) }, (): Parcel => ({
    x: uniform() * side,
    y: uniform() * side,
    colour: palette[integerBelow(palette.length, uniform)],
    angle: uniform() * Math.PI,
    period: 5 + 6 * uniform()
  }))
  const crowns = crownShades(side, uniform)
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const i = y * side + x
      if (wet(x, y) < 0.36) {
        truth[i] = WATER
        const glint = 14 * ripples(x, y)
        colours.set(
          [40 + glint + 18 * patches(x, y), 66 + glint + 16 * patches(x, y), 62 + glint + 24 * patches(x, y)],
          3 * i
        )
      } else if (wooded(x, y) > 0.56) {
        truth[i] = TREES
        const shade = crowns[i] * (0.75 + 0.5 * fine(x, y))
        colours.set([34 + 62 * shade, 48 + 78 * shade, 28 + 40 * shade], 3 * i)
      } else {
        const parcel = parcels.reduce((best, p) =>
          (p.x - x) ** 2 + (p.y - y) ** 2 < (best.x - x) ** 2 + (best.y - y) ** 2 ? p : best
        )
        const furrow =
          9 * Math.sin((2 * Math.PI * (x * Math.cos(parcel.angle) + y * Math.sin(parcel.angle))) / parcel.period)
        const tone = 26 * (patches(x, y) - 0.5) + furrow
        colours.set(
          parcel.colour.map((value) => value + tone),
          3 * i
        )
      }
    }
  }
}

/** Returns the light on tree crowns, 0…1: domes lit from the upper left. */
function crownShades(side: number, uniform: Uniform): Float32Array {
  const shades = new Float32Array(side * side).fill(0.15)
  const count = Math.round((side * side) / 70)
  for (let crown = 0; crown < count; crown++) {
    const [cx, cy, radius, tint] = [uniform() * side, uniform() * side, 4 + 5 * uniform(), 0.8 + 0.4 * uniform()]
    for (let y = Math.max(0, Math.ceil(cy - radius)); y < Math.min(side, cy + radius); y++) {
      for (let x = Math.max(0, Math.ceil(cx - radius)); x < Math.min(side, cx + radius); x++) {
        const [dx, dy] = [(x - cx) / radius, (y - cy) / radius]
        if (dx * dx + dy * dy <= 1) shades[y * side + x] = tint * (0.5 - 0.4 * (dx + dy) * 0.7)
      }
    }
  }
  return shades
}

interface Road {
  horizontal: boolean
  at: number
  bend: number
  width: number
}

const roadCentre = (road: Road, along: number, side: number): number =>
  road.at + road.bend * Math.sin((2 * Math.PI * along) / side)

function drawRoads(side: number, truth: Uint8Array, colours: Float32Array, uniform: Uniform): Road[] {
  const roads = Array.from({ length: Math.max(2, Math.round(side / 260)) }, (_, r): Road => ({
    horizontal: r % 2 === 0,
    at: side * (0.15 + 0.7 * uniform()),
    bend: 30 * (uniform() - 0.5),
    width: 12 + 6 * uniform()
  }))
  for (const road of roads) {
    for (let along = 0; along < side; along++) {
      const centre = roadCentre(road, along, side)
      for (let off = -Math.floor(road.width / 2); off <= road.width / 2; off++) {
        const across = Math.round(centre + off)
        if (across < 0 || across >= side) continue
        const i = road.horizontal ? across * side + along : along * side + across
        truth[i] = ROAD
        const marking = Math.abs(off) < 1 && along % 24 < 12 ? 60 : 0
        const wear = 8 * Math.cos((off / road.width) * 4 * Math.PI)
        colours.set([126 + marking + wear, 122 + marking + wear, 116 + marking + wear], 3 * i)
      }
    }
  }
  return roads
}

function drawRoofs(
  side: number,
  truth: Uint8Array,
  colours: Float32Array,
  roads: readonly Road[],
  uniform: Uniform
): void {
  const tiles: [number, number, number][] = [
    [150, 92, 74],
    [128, 124, 120],
    [168, 160, 150],
    [118, 84, 66]
  ]
  for (let house = 0; house < (side / 42) ** 2; house++) {
    const road = roads[integerBelow(roads.length, uniform)]
    const along = uniform() * side
    const off = (uniform() < 0.5 ? -1 : 1) * (road.width / 2 + 18 + 50 * uniform())
    const across = roadCentre(road, along, side) + off
    const [cx, cy] = road.horizontal ? [along, across] : [across, along]
    const [halfWidth, halfHeight, angle, height] = [
      9 + 9 * uniform(),
      8 + 6 * uniform(),
      0.5 * (uniform() - 0.5),
      4 + 5 * uniform()
    ]
    const colour = tiles[integerBelow(tiles.length, uniform)]
    const reach = halfWidth + halfHeight + height
    const place = (x: number, y: number): [number, number] => {
      const [dx, dy] = [x - cx, y - cy]
      return [dx * Math.cos(angle) + dy * Math.sin(angle), dy * Math.cos(angle) - dx * Math.sin(angle)]
    }
    const within = (x: number, y: number): boolean => {
      const [u, v] = place(x, y)
      return Math.abs(u) <= halfWidth && Math.abs(v) <= halfHeight
    }
    if (cx < 0 || cy < 0 || cx >= side || cy >= side || truth[Math.floor(cy) * side + Math.floor(cx)] !== FIELD)
      continue
    for (let y = Math.max(0, Math.ceil(cy - reach)); y < Math.min(side, cy + reach); y++) {
      for (let x = Math.max(0, Math.ceil(cx - reach)); x < Math.min(side, cx + reach); x++) {
        const i = y * side + x
        if (within(x, y)) {
          const [, v] = place(x, y)
          const slope = v < 0 ? 1.15 : 0.8
          const course = Math.floor(Math.abs(v)) % 3 === 0 ? -10 : 0
          truth[i] = ROOF
          colours.set(
            colour.map((value) => value * slope + course),
            3 * i
          )
        } else if (within(x - height, y - height) && truth[i] !== ROOF) {
          for (let band = 0; band < 3; band++) colours[3 * i + band] *= 0.45
        }
      }
    }
  }
}
