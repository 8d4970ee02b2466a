import { describe, expect, it } from 'vitest'
import { mapOfPoints } from '../../../src-main/learning/pointMap.ts'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'

const width = 16
/** Draws five clouds along a line in many dimensions. */
function clouds(count: number): { values: Float32Array; count: number; width: number; of: number[] } {
  const normal = normalFrom(uniformFrom(3))
  const direction = Array.from({ length: width }, normal)
  const of = Array.from({ length: count }, (_, i) => i % 5)
  return {
    values: Float32Array.from(
      { length: count * width },
      (_, i) => 3 * of[Math.floor(i / width)] * direction[i % width] + 0.5 * normal()
    ),
    count,
    width,
    of
  }
}
const distance = (a: { x: number; y: number }, b: { x: number; y: number }): number => Math.hypot(a.x - b.x, a.y - b.y)

describe('the map of many points', () => {
  it('keeps similar points together and preserves the order of the clouds', () => {
    const { of, ...points } = clouds(2000)
    const places = mapOfPoints(points, uniformFrom(1))
    const middle = Array.from({ length: 5 }, (_, cloud) => {
      const own = places.filter((_, i) => of[i] === cloud)
      return {
        x: own.reduce((sum, { x }) => sum + x, 0) / own.length,
        y: own.reduce((sum, { y }) => sum + y, 0) / own.length
      }
    })
    const nearestIsOwn = places.filter((place, i) =>
      middle.every((other) => distance(place, middle[of[i]]) <= distance(place, other))
    ).length
    expect(nearestIsOwn / places.length).toBeGreaterThan(0.99)
    for (const far of [2, 3, 4])
      expect(distance(middle[0], middle[far])).toBeGreaterThan(distance(middle[0], middle[far - 1]))
    expect(mapOfPoints(points, uniformFrom(1))).toEqual(places)
  })

  it.each([1, 2, 3])('places as few as %d points, and points that are all the same', (count) => {
    for (const points of [clouds(count), { values: new Float32Array(count * width), count, width }]) {
      const places = mapOfPoints(points, uniformFrom(1))
      expect(places.length).toBe(count)
      expect(places.every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))).toBe(true)
    }
  })
})
