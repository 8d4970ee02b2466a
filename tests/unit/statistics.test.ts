import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { averageLinkage } from '../../src-main/learning/averageLinkage.ts'
import { kMeansHeads, mergedHead, refittedHead } from '../../src-main/learning/clusterHeads.ts'
import { columnMoments, kMeans, standardised } from '../../src-main/learning/kMeans.ts'
import type { Architecture } from '../../src-main/learning/network/architecture.ts'
import { featureChannels } from '../../src-main/learning/network/architecture.ts'
import { inferenceFeatures, inferencePass } from '../../src-main/learning/network/forward.ts'
import { meanStatistics, patchStatistics, patchStatisticsCount } from '../../src-main/learning/network/patchStatistics.ts'
import { normalFrom, uniformFrom } from '../../src-main/learning/random.ts'

beforeAll(() => tf.setBackend('cpu'))

const [side, bands] = [16, 2]
const values = Float32Array.from({ length: side * side * bands }, normalFrom(uniformFrom(1)))
const image = tf.tensor4d(values, [1, side, side, bands])
const at = (r: number, c: number, band: number): number => values[(r * side + c) * bands + band]

/** The statistics of one output pixel, by loops over its box. */
function byLoops(row: number, column: number, stride: number, box: number, valid: (r: number, c: number) => boolean = () => true): number[] {
  const magnitude = (r: number, c: number): number => {
    if (r === side - 1 || c === side - 1) return 0
    let sum = 1e-6
    for (let band = 0; band < bands; band++) sum += (at(r + 1, c, band) - at(r, c, band)) ** 2 + (at(r, c + 1, band) - at(r, c, band)) ** 2
    return Math.sqrt(sum)
  }
  const mean = (f: (r: number, c: number) => number, reach: number): number => {
    const [from, to] = [-Math.floor(reach / 2) * stride, (Math.floor(reach / 2) + 1) * stride]
    let [sum, count] = [0, 0]
    for (let r = row * stride + from; r < row * stride + to; r++) {
      for (let c = column * stride + from; c < column * stride + to; c++) {
        if (r < 0 || c < 0 || r >= side || c >= side || !valid(r, c)) continue
        sum += f(r, c)
        count++
      }
    }
    return sum / count
  }
  const each = (f: (band: number) => number): number[] => Array.from({ length: bands }, (_, band) => f(band))
  const bandMean = (reach: number) => (band: number): number => mean((r, c) => at(r, c, band), reach)
  const deviation = (band: number): number => Math.sqrt(mean((r, c) => at(r, c, band) ** 2, box) - bandMean(box)(band) ** 2 + 1e-6)
  return [...each(bandMean(1)), mean(magnitude, 1), ...each(bandMean(box)), ...each(deviation), mean(magnitude, box)]
}

describe('patch statistics', () => {
  it.each([
    { stride: 1, box: 3, cells: 3 },
    { stride: 1, box: 9, cells: 9 },
    { stride: 4, box: 9, cells: 3 },
    { stride: 2, box: 2, cells: 1 }
  ])('equal loops over the box of $box pixels at stride $stride', ({ stride, box, cells }) => {
    const found = patchStatistics(image, [box], stride)
    expect(found.shape[3]).toBe(patchStatisticsCount(bands, [box]))
    const rows = found.arraySync()[0]
    for (const [r, c] of [[0, 0], [1, 2], [side / stride - 1, side / stride - 2]]) {
      byLoops(r, c, stride, cells).forEach((value, i) => expect(rows[r][c][i]).toBeCloseTo(value, 4))
    }
  })
})

describe('statistics of an image with missing data', () => {
  it('are those of the pixels that are there, by loops over them', () => {
    const uniform = uniformFrom(4)
    const mask = Float32Array.from({ length: side * side }, (_, i) => Number(i % side > 5 && uniform() < 0.8))
    const valid = (r: number, c: number): boolean => mask[r * side + c] === 1
    const found = patchStatistics(image, [9], 2, tf.tensor4d(mask, [1, side, side, 1]))
    const rows = found.arraySync()[0]
    for (const [r, c] of [[0, 7], [3, 4], [6, 3], [7, 6]]) byLoops(r, c, 2, 5, valid).forEach((value, i) => expect(rows[r][c][i]).toBeCloseTo(value, 4))
  })

  it('do not tell how near the border of the known is', () => {
    const flat = tf.fill([1, side, side, bands], 0.7) as tf.Tensor4D
    const half = tf.tensor4d(Float32Array.from({ length: side * side }, (_, i) => Number(i % side >= side / 2)), [1, side, side, 1])
    const whole = patchStatistics(flat, [9], 2).arraySync()[0]
    const masked = patchStatistics(flat, [9], 2, half).arraySync()[0]
    for (let r = 1; r < side / 2 - 2; r++) for (let c = side / 4; c < side / 2 - 2; c++) masked[r][c].forEach((value, i) => expect(value).toBeCloseTo(whole[4][4][i], 3))
  })
})

describe('the means among the statistics', () => {
  it('are all that a shift of the bands moves by as much, and the gradients', () => {
    const boxes = [3, 9]
    const columns = meanStatistics(bands, boxes)
    const [before, after] = [image, tf.add(image, 1) as tf.Tensor4D].map((picture) => patchStatistics(picture, boxes, 4).dataSync())
    const width = patchStatisticsCount(bands, boxes)
    const moved = Array.from({ length: width }, (_, i) => Math.abs(after[i] - before[i] - 1) < 1e-3)
    const gradients = [bands, 3 * bands + 1, 5 * bands + 2]
    expect(columns).toEqual(Array.from({ length: width }, (_, i) => i).filter((i) => moved[i] || gradients.includes(i)))
  })
})

/** Three round clouds in four dimensions. */
function clouds(): { values: Float32Array; count: number; width: number; cloud: number[] } {
  const normal = normalFrom(uniformFrom(2))
  const cloud = Array.from({ length: 300 }, (_, i) => i % 3)
  const values = Float32Array.from(cloud.flatMap((k) => Array.from({ length: 4 }, (_, d) => 5 * Number(d === k) + 0.3 * normal())))
  return { values, count: 300, width: 4, cloud }
}

describe('k-means', () => {
  it('finds clouds that lie apart, whatever the seed', () => {
    const points = clouds()
    for (let seed = 1; seed <= 5; seed++) {
      const { assigned } = kMeans(points, 3, uniformFrom(seed))
      const pairs = new Set(points.cloud.map((k, i) => `${k}:${assigned[i]}`))
      expect(pairs.size).toBe(3)
    }
  })

  it('measures how far the points lie from their centres', () => {
    const { centres, inertia } = kMeans({ values: Float32Array.of(0, 1, 10), count: 3, width: 1 }, 2, uniformFrom(1))
    expect([...centres].sort((a, b) => a - b)).toEqual([0.5, 10])
    expect(inertia).toBeCloseTo(2 * 0.5 ** 2, 6)
  })

  it('fills every cluster even where points coincide', () => {
    const { assigned, inertia } = kMeans({ values: new Float32Array(40), count: 20, width: 2 }, 3, uniformFrom(1))
    expect(assigned.every((k) => k >= 0 && k < 3)).toBe(true)
    expect(inertia).toBe(0)
  })
})

describe('average linkage', () => {
  it('joins the two groups whose points are nearest on average, and numbers what is left in order', () => {
    const points = { values: Float32Array.of(0, 10, 1, 11, 30), count: 5, width: 1 }
    expect(averageLinkage(points, 3)).toEqual([0, 1, 0, 1, 2])
    expect(averageLinkage(points, 2)).toEqual([0, 0, 0, 0, 1])
    expect(averageLinkage(points, 5)).toEqual([0, 1, 2, 3, 4])
    expect(averageLinkage(points, 8)).toEqual([0, 1, 2, 3, 4])
  })

  it('is the mean over all pairs of members, not the distance of the means', () => {
    // Between {0, 8} and 4 the mean distance is 4, between 4 and 7.9 it is 3.9.
    const merged = averageLinkage({ values: Float32Array.of(0, 0, 0, 8, 4, 4, 4, 7.9), count: 4, width: 2 }, 2)
    expect(merged[1]).toBe(merged[3])
  })
})

describe('heads made by clustering', () => {
  const architecture: Architecture = { bands: 2, layers: [], statistics: [3], heads: [{ name: 'A', clusters: 4, subHeads: 1 }, { name: 'B', clusters: 2, subHeads: 1, mergedFrom: 'A' }] }
  const planar = tf.transpose(image, [0, 3, 1, 2]) as tf.Tensor4D
  const features = inferenceFeatures(architecture, {}, planar)
  const points = { values: features.dataSync() as Float32Array, count: side * side, width: featureChannels(architecture) }
  const heads = kMeansHeads(architecture, points, 0.5, uniformFrom(3))

  it('label each pixel with the nearest centre', () => {
    const expected = kMeans(standardised(points, columnMoments(points)), 4, uniformFrom(3)).assigned
    const weights = {
      'headA/filter': tf.tensor4d(heads['headA/filter'], [4, points.width, 1, 1]),
      'headA/bias': tf.tensor1d(heads['headA/bias']),
      'headB/merge': tf.tensor2d([1, 0, 0, 1, 1, 0, 0, 1], [4, 2])
    }
    const heatmaps = inferencePass(architecture, weights, planar)
    const found = tf.argMax(heatmaps.A[0], 3).dataSync()
    const agreeing = expected.reduce((sum, k, i) => sum + Number(found[i] === k), 0)
    expect(agreeing / expected.length).toBeGreaterThan(0.98)
    // A merged head's probability is the sum of those that it joins.
    const [a, b] = [heatmaps.A[0].dataSync(), heatmaps.B[0].dataSync()]
    for (let i = 0; i < side * side; i++) expect(b[2 * i]).toBeCloseTo(a[4 * i] + a[4 * i + 2], 5)
  })

  it('settle, when refitted, where the pixels are, from wherever training left them', () => {
    const { values: found, count, width, cloud } = clouds()
    const trunkPart = { values: Float32Array.from(cloud.flatMap((_, i) => [found[i * width], found[i * width + 1]])), count, width: 2 }
    const rest = { values: Float32Array.from(cloud.flatMap((_, i) => [found[i * width + 2], found[i * width + 3]])), count, width: 2 }
    // Training left a third of every cloud in a wrong cluster.
    const heatmap = new Float32Array(count * 3)
    cloud.forEach((k, i) => (heatmap[i * 3 + ((k + Number(i % 9 < 3)) % 3)] = 1))
    const head = { name: 'A', clusters: 3, subHeads: 1, refit: [3] }
    const weights = refittedHead(head, trunkPart, rest, 1, { values: heatmap, count, width: 3 })
    const [filter, bias] = [weights['headA/refit/filter'], weights['headA/refit/bias']]
    const label = (i: number): number => {
      const pixel = [...trunkPart.values.subarray(2 * i, 2 * i + 2), ...rest.values.subarray(2 * i, 2 * i + 2)]
      const logits = [0, 1, 2].map((c) => pixel.reduce((sum, value, d) => sum + value * filter[c * 4 + d], bias[c]))
      return logits.indexOf(Math.max(...logits))
    }
    cloud.forEach((k, i) => expect(label(i)).toBe(k))
  })

  it('join clusters whose pixels look alike, however large they are', () => {
    const { values: statistics, count, width, cloud } = clouds()
    // Six clusters, two for each cloud, of very different mass.
    const heatmap = new Float32Array(count * 6)
    cloud.forEach((k, i) => (heatmap[i * 6 + k + (i % 30 < 3 ? 3 : 0)] = 1))
    const merged = mergedHead({ name: 'B', clusters: 3, subHeads: 1, mergedFrom: 'A' }, { values: statistics, count, width }, { values: heatmap, count, width: 6 })
    const rows = Array.from({ length: 6 }, (_, c) => merged['headB/merge'].slice(3 * c, 3 * c + 3).join())
    expect(rows.slice(0, 3)).toEqual(rows.slice(3))
    expect(new Set(rows).size).toBe(3)
  })
})
