import sharp from 'sharp'
import { scaledToPlane } from '../../src-main/classes/map.ts'
import { type Uniform, integerBelow } from '../../src-main/learning/random.ts'

const NEIGHBOURS = 4
const SHUFFLES = 50
const [TILE, SIDE, MARGIN] = [30, 560, 24]

/** Mean cosine similarity of filters that are next to each other, and the same with shuffled places. */
export function neighbourSimilarity(
  filters: readonly Float32Array[],
  distances: Float64Array,
  uniform: Uniform
): { near: number; shuffled: number } {
  const count = filters.length
  const cosine = (a: Float32Array, b: Float32Array): number =>
    a.reduce((sum, value, i) => sum + value * b[i], 0) / (Math.hypot(...a) * Math.hypot(...b) || 1)
  const mean = (of: readonly number[]): number => {
    let total = 0
    for (let i = 0; i < count; i++) {
      const nearest = Array.from({ length: count }, (_, j) => j)
        .filter((j) => j !== i)
        .sort((a, b) => distances[i * count + a] - distances[i * count + b])
        .slice(0, NEIGHBOURS)
      for (const j of nearest) total += cosine(filters[of[i]], filters[of[j]]) / (count * NEIGHBOURS)
    }
    return total
  }
  const order = Array.from({ length: count }, (_, i) => i)
  const near = mean(order)
  let shuffled = 0
  for (let time = 0; time < SHUFFLES; time++) {
    for (let i = count - 1; i > 0; i--) {
      const other = integerBelow(i + 1, uniform)
      ;[order[i], order[other]] = [order[other], order[i]]
    }
    shuffled += mean(order) / SHUFFLES
  }
  return { near, shuffled }
}

/** Draws filters at their places in the embedding, scaled to the plane. */
export async function drawFilters(
  filters: readonly Float32Array[],
  side: number,
  distances: Float64Array,
  file: string
): Promise<void> {
  const places = scaledToPlane(distances, filters.length)
  const reach = Math.max(...places.map(({ x, y }) => Math.max(Math.abs(x), Math.abs(y))))
  const tiles = await Promise.all(
    filters.map(async (filter, i) => {
      const most = Math.max(...filter.map(Math.abs), 1e-9)
      const pixels = Buffer.from(Uint8Array.from(filter, (value) => Math.round(127.5 + (127 * value) / most)))
      const input = await sharp(pixels, { raw: { width: side, height: side, channels: 1 } })
        .resize(TILE, TILE, { kernel: 'nearest' })
        .png()
        .toBuffer()
      const at = (value: number): number => Math.round(SIDE / 2 + (value / reach) * (SIDE / 2 - MARGIN) - TILE / 2)
      return { input, left: at(places[i].x), top: at(places[i].y) }
    })
  )
  await sharp({ create: { width: SIDE, height: SIDE, channels: 3, background: '#f6f5f2' } })
    .composite(tiles)
    .png({ palette: true, colours: 64, compressionLevel: 9 })
    .toFile(file)
}
