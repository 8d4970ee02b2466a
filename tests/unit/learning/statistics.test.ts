import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { kMeansHeads, mergedHead, refittedHead, treeOfClusters } from '../../../src-main/learning/clusterHeads.ts'
import { columnMoments, kMeans, standardised } from '../../../src-main/learning/kMeans.ts'
import type { Architecture } from '../../../src-main/learning/network/architecture.ts'
import { featureChannels } from '../../../src-main/learning/network/architecture.ts'
import { inferenceFeatures, inferencePass } from '../../../src-main/learning/network/inferencePass.ts'
import {
  meanStatistics,
  patchStatistics,
  patchStatisticsCount
} from '../../../src-main/learning/network/patchStatistics.ts'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'

beforeAll(() => tf.setBackend('cpu'))

const [side, bands] = [16, 2]
const values = Float32Array.from({ length: side * side * bands }, normalFrom(uniformFrom(1)))
const image = tf.tensor4d(values, [1, side, side, bands])
const at = (r: number, c: number, band: number): number => values[(r * side + c) * bands + band]

/** The statistics of one output pixel, in loops over its box. */
function byLoops(
  row: number,
  column: number,
  stride: number,
  box: number,
  valid: (r: number, c: number) => boolean = () => true
): number[] {
  const magnitude = (r: number, c: number): number => {
    if (r === side - 1 || c === side - 1) return 0
    let sum = 1e-6
    for (let band = 0; band < bands; band++)
      sum += (at(r + 1, c, band) - at(r, c, band)) ** 2 + (at(r, c + 1, band) - at(r, c, band)) ** 2
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
  const bandMean =
    (reach: number) =>
    (band: number): number =>
      mean((r, c) => at(r, c, band), reach)
  const deviation = (band: number): number =>
    Math.sqrt(mean((r, c) => at(r, c, band) ** 2, box) - bandMean(box)(band) ** 2 + 1e-6)
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
    for (const [r, c] of [
      [0, 0],
      [1, 2],
      [side / stride - 1, side / stride - 2]
    ]) {
      byLoops(r, c, stride, cells).forEach((value, i) => expect(rows[r][c][i]).toBeCloseTo(value, 4))
    }
  })
})

describe('statistics in the box of least variance', () => {
  it.each([
    { stride: 1, box: 5, cells: 5, likeness: 0 },
    { stride: 2, box: 9, cells: 5, likeness: 0 },
    { stride: 2, box: 9, cells: 5, likeness: 0.3 }
  ])(
    'equal loops over the nine boxes of $box pixels at stride $stride, λ $likeness',
    ({ stride, box, cells, likeness }) => {
      const [found, centred] = [
        patchStatistics(image, [box], stride, { kuwahara: likeness }).arraySync()[0],
        patchStatistics(image, [box], stride).arraySync()[0]
      ]
      const [length, r] = [side / stride, (cells - 1) / 2]
      const cost = (own: number[], row: number, column: number): number => {
        const numbers = centred[row][column].slice(bands + 1)
        const spread = numbers.slice(bands, 2 * bands).reduce((sum, deviation) => sum + deviation ** 2, 0)
        return spread + likeness * own.slice(0, bands).reduce((sum, value, b) => sum + (numbers[b] - value) ** 2, 0)
      }
      let moved = 0
      for (let row = 0; row < length; row++) {
        for (let column = 0; column < length; column++) {
          const own = centred[row][column]
          const places = [0, -r, r]
            .flatMap((dy) => [0, -r, r].map((dx) => [row + dy, column + dx]))
            .filter(([y, x]) => y >= 0 && x >= 0 && y < length && x < length)
          const [y, x] = places.reduce((best, place) =>
            cost(own, place[0], place[1]) < cost(own, best[0], best[1]) - 1e-6 ? place : best
          )
          moved += Number(y !== row || x !== column)
          found[row][column]
            .slice(bands + 1)
            .forEach((value, i) => expect(value).toBeCloseTo(centred[y][x][bands + 1 + i], 4))
          expect(found[row][column].slice(0, bands + 1)).toEqual(own.slice(0, bands + 1))
        }
      }
      expect(moved).toBeGreaterThan(length)
    }
  )

  it('stay on one side of an edge', () => {
    const halves = tf.tensor4d(
      Float32Array.from({ length: side * side * bands }, (_, i) => Number(Math.floor(i / bands) % side >= side / 2)),
      [1, side, side, bands]
    )
    const found = patchStatistics(halves, [5], 1, { kuwahara: 0.3 }).arraySync()[0]
    for (const column of [side / 2 - 2, side / 2 - 1, side / 2, side / 2 + 1])
      expect(found[6][column][bands + 1]).toBe(Number(column >= side / 2))
  })

  it('avoid boxes with little data', () => {
    const mask = Float32Array.from({ length: side * side }, (_, i) => Number(i % side >= 6))
    const found = patchStatistics(image, [5], 1, {
      valid: tf.tensor4d(mask, [1, side, side, 1]),
      kuwahara: 0
    }).arraySync()[0]
    const centred = patchStatistics(image, [5], 1, { valid: tf.tensor4d(mask, [1, side, side, 1]) }).arraySync()[0]
    const isFrom = (column: number, at: number): boolean =>
      [0, -2, 2].some((dy) =>
        centred[6 + dy]?.[at]
          .slice(bands + 1)
          .every((value, i) => Math.abs(value - found[6][column][bands + 1 + i]) < 1e-4)
      )
    expect(isFrom(6, 4)).toBe(false)
    expect(isFrom(6, 6) || isFrom(6, 8)).toBe(true)
  })
})

describe('statistics of an image with missing data', () => {
  it('are those of the valid pixels, by loops over them', () => {
    const uniform = uniformFrom(4)
    const mask = Float32Array.from({ length: side * side }, (_, i) => Number(i % side > 5 && uniform() < 0.8))
    const valid = (r: number, c: number): boolean => mask[r * side + c] === 1
    const found = patchStatistics(image, [9], 2, { valid: tf.tensor4d(mask, [1, side, side, 1]) })
    const rows = found.arraySync()[0]
    for (const [r, c] of [
      [0, 7],
      [3, 4],
      [6, 3],
      [7, 6]
    ])
      byLoops(r, c, 2, 5, valid).forEach((value, i) => expect(rows[r][c][i]).toBeCloseTo(value, 4))
  })

  it('do not reveal how near the border of the data is', () => {
    const flat = tf.fill([1, side, side, bands], 0.7) as tf.Tensor4D
    const half = tf.tensor4d(
      Float32Array.from({ length: side * side }, (_, i) => Number(i % side >= side / 2)),
      [1, side, side, 1]
    )
    const whole = patchStatistics(flat, [9], 2).arraySync()[0]
    const masked = patchStatistics(flat, [9], 2, { valid: half }).arraySync()[0]
    for (let r = 1; r < side / 2 - 2; r++)
      for (let c = side / 4; c < side / 2 - 2; c++)
        masked[r][c].forEach((value, i) => expect(value).toBeCloseTo(whole[4][4][i], 3))
  })
})

describe('the means among the statistics', () => {
  it('are all values that move with the bands, and the gradients', () => {
    const boxes = [3, 9]
    const columns = meanStatistics(bands, boxes)
    const [before, after] = [image, tf.add(image, 1) as tf.Tensor4D].map((picture) =>
      patchStatistics(picture, boxes, 4).dataSync()
    )
    const width = patchStatisticsCount(bands, boxes)
    const moved = Array.from({ length: width }, (_, i) => Math.abs(after[i] - before[i] - 1) < 1e-3)
    const gradients = [bands, 3 * bands + 1, 5 * bands + 2]
    expect(columns).toEqual(Array.from({ length: width }, (_, i) => i).filter((i) => moved[i] || gradients.includes(i)))
  })
})

/** Draws three round clouds in four dimensions. */
function clouds(): { values: Float32Array; count: number; width: number; cloud: number[] } {
  const normal = normalFrom(uniformFrom(2))
  const cloud = Array.from({ length: 300 }, (_, i) => i % 3)
  const values = Float32Array.from(
    cloud.flatMap((k) => Array.from({ length: 4 }, (_, d) => 5 * Number(d === k) + 0.3 * normal()))
  )
  return { values, count: 300, width: 4, cloud }
}

describe('k-means', () => {
  it('finds separate clouds whatever the seed', () => {
    const points = clouds()
    for (let seed = 1; seed <= 5; seed++) {
      const { assigned } = kMeans(points, 3, uniformFrom(seed))
      const pairs = new Set(points.cloud.map((k, i) => `${k}:${assigned[i]}`))
      expect(pairs.size).toBe(3)
    }
  })

  it('measures the distances of points from their centres', () => {
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

describe('heads made by clustering', () => {
  const architecture: Architecture = {
    bands: 2,
    layers: [],
    statistics: [3],
    heads: [
      { name: 'A', clusters: 4, subHeads: 1 },
      { name: 'B', clusters: 2, subHeads: 1, mergedFrom: 'A' }
    ]
  }
  const planar = tf.transpose(image, [0, 3, 1, 2]) as tf.Tensor4D
  const features = inferenceFeatures(architecture, {}, { images: planar })
  const points = {
    values: features.dataSync() as Float32Array,
    count: side * side,
    width: featureChannels(architecture)
  }
  const heads = kMeansHeads(architecture, points, 0.5, uniformFrom(3))

  it('give each pixel the label of the nearest centre', () => {
    const expected = kMeans(standardised(points, columnMoments(points)), 4, uniformFrom(3)).assigned
    const weights = {
      'headA/filter': tf.tensor4d(heads['headA/filter'], [4, points.width, 1, 1]),
      'headA/bias': tf.tensor1d(heads['headA/bias']),
      'headB/merge': tf.tensor2d([1, 0, 0, 1, 1, 0, 0, 1], [4, 2])
    }
    const heatmaps = inferencePass(architecture, weights, { images: planar })
    const found = tf.argMax(heatmaps.A[0], 3).dataSync()
    const agreeing = expected.reduce((sum, k, i) => sum + Number(found[i] === k), 0)
    expect(agreeing / expected.length).toBeGreaterThan(0.98)
    // A merged head's probability is the sum of those of the clusters that it joins.
    const [a, b] = [heatmaps.A[0].dataSync(), heatmaps.B[0].dataSync()]
    for (let i = 0; i < side * side; i++) expect(b[2 * i]).toBeCloseTo(a[4 * i] + a[4 * i + 2], 5)
  })

  it('settle where the pixels are when refitted, wherever training left them', () => {
    const { values: found, count, width, cloud } = clouds()
    const trunkPart = {
      values: Float32Array.from(cloud.flatMap((_, i) => [found[i * width], found[i * width + 1]])),
      count,
      width: 2
    }
    const rest = {
      values: Float32Array.from(cloud.flatMap((_, i) => [found[i * width + 2], found[i * width + 3]])),
      count,
      width: 2
    }
    // Training has left a third of every cloud in a wrong cluster.
    const heatmap = new Float32Array(count * 3)
    cloud.forEach((k, i) => (heatmap[i * 3 + ((k + Number(i % 9 < 3)) % 3)] = 1))
    const head = { name: 'A', clusters: 3, subHeads: 1, refit: [3] }
    const { weights, heatmap: settled } = refittedHead(
      head,
      { features: trunkPart, statistics: rest, share: 1, placed: false },
      { values: heatmap, count, width: 3 },
      uniformFrom(5)
    )
    const [filter, bias] = [weights['headA/refit/filter'], weights['headA/refit/bias']]
    const label = (i: number): number => {
      const pixel = [...trunkPart.values.subarray(2 * i, 2 * i + 2), ...rest.values.subarray(2 * i, 2 * i + 2)]
      const logits = [0, 1, 2].map((c) => pixel.reduce((sum, value, d) => sum + value * filter[c * 4 + d], bias[c]))
      return logits.indexOf(Math.max(...logits))
    }
    cloud.forEach((k, i) => expect(label(i)).toBe(k))
    cloud.forEach((k, i) => expect(settled.values[3 * i + k]).toBeGreaterThan(0.9))
  })

  it.each([false, true])('join clusters whose pixels look alike, whatever their size (upright: %s)', (upright) => {
    const { values: statistics, count, width, cloud } = clouds()
    // Six clusters, two per cloud, of very different mass.
    const heatmap = new Float32Array(count * 6)
    cloud.forEach((k, i) => (heatmap[i * 6 + k + (i % 30 < 3 ? 3 : 0)] = 1))
    const assignment = { space: { values: statistics, count, width }, heatmap: { values: heatmap, count, width: 6 } }
    const tree = treeOfClusters(assignment, assignment.space, upright)
    const merged = mergedHead({ name: 'B', clusters: 3, subHeads: 1, mergedFrom: 'A' }, tree)
    const rows = Array.from({ length: 6 }, (_, c) => merged['headB/merge'].slice(3 * c, 3 * c + 3).join())
    expect(rows.slice(0, 3)).toEqual(rows.slice(3))
    expect(new Set(rows).size).toBe(3)
  })
})
