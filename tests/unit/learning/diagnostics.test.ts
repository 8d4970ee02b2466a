import { describe, expect, it } from 'vitest'
import { onnxruntimeBackend } from '../../../src-main/backends/onnxruntime.ts'
import { dependency, mutualInformation } from '../../../src-main/learning/diagnostics.ts'
import { type Points, pointsOf } from '../../../src-main/learning/kMeans.ts'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'

const { signal } = new AbortController()
const COUNT = 12_000

/** Draws two blocks of normal numbers whose dimensions correlate pairwise. */
function gaussians(rho: number, width: number): { x: Points; y: Points; both: Points } {
  const normal = normalFrom(uniformFrom(31))
  const [x, y, both] = [[], [], []] as [Float32Array[], Float32Array[], Float32Array[]]
  for (let i = 0; i < COUNT; i++) {
    const a = Float32Array.from({ length: width }, normal)
    const b = a.map((value) => rho * value + Math.sqrt(1 - rho * rho) * normal())
    x.push(a)
    y.push(b)
    both.push(Float32Array.from([...a, ...b]))
  }
  return { x: pointsOf(x), y: pointsOf(y), both: pointsOf(both) }
}
const truth = (rho: number, width: number): number => -0.5 * width * Math.log(1 - rho * rho)

describe('mutual information of features', () => {
  it.each([
    [0, 2],
    [0.5, 2],
    [0.9, 2]
  ])('is −½ ln(1 − ρ²) per dimension for Gaussians with ρ = %f in %i dimensions', async (rho, width) => {
    const { x, y } = gaussians(rho, width)
    expect(
      Math.abs((await mutualInformation(onnxruntimeBackend(), x, y, uniformFrom(1), signal)) - truth(rho, width))
    ).toBeLessThan(0.05 + 0.12 * truth(rho, width))
  })
})

describe('dependency between features', () => {
  it.each([0, 0.8])('is the total correlation of Gaussians with ρ = %f', async (rho) => {
    const { both } = gaussians(rho, 2)
    expect(
      Math.abs((await dependency(onnxruntimeBackend(), both, uniformFrom(2), signal)) - truth(rho, 2))
    ).toBeLessThan(0.05 + 0.12 * truth(rho, 2))
  })
})
