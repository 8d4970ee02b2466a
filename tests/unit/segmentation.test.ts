import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onnxruntimeBackend } from '../../src-main/backends/onnxruntime.ts'
import { drawSampleScene } from '../../src-main/cli/sampleScene.ts'
import { PictureReader } from '../../src-main/imagery/pictures.ts'
import { type Architecture, initialWeights, receptiveHalo, trunk } from '../../src-main/learning/network/architecture.ts'
import { normalFrom, uniformFrom } from '../../src-main/learning/random.ts'
import { createSegmenter } from '../../src-main/segmentation/segment.ts'

const signal = new AbortController().signal
const SIDE = 300
const image = { path: 'scene.png', width: SIDE, height: SIDE, bands: 3 }
const architecture: Architecture = { bands: 3, layers: trunk('8s2,8,M,12,12', 1), heads: [{ name: 'A', clusters: 6, subHeads: 1 }] }
const weights = initialWeights(architecture, normalFrom(uniformFrom(4)))
const statistics = [0, 1, 2].map(() => ({ mean: 0.4, deviation: 0.2 }))
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-segment-'))
  await sharp(drawSampleScene(SIDE, 5).colours, { raw: { width: SIDE, height: SIDE, channels: 3 } }).png().toFile(join(folder, 'scene.png'))
})
afterAll(() => rm(folder, { recursive: true }))

async function label(scale: number, window: number): Promise<{ labels: Uint8Array; confidence: Uint8Array }> {
  const reader = new PictureReader(folder, scale, 3)
  const segmenter = await createSegmenter(onnxruntimeBackend(), { architecture, weights, subHeads: { A: 0 }, statistics }, reader, [image], window)
  const { A } = await segmenter.label(image, signal, () => undefined)
  await segmenter.dispose()
  return A
}

const agreement = (a: Uint8Array, b: Uint8Array): number => a.reduce((same, value, i) => same + Number(value === b[i]), 0) / a.length

describe('tiled inference', () => {
  it.each([1, 0.5, 0.37])('gives the same labels whatever the window, at scale %d', async (scale) => {
    const whole = await label(scale, 1024)
    expect(new Set(whole.labels).size).toBeGreaterThan(2)
    for (const window of [96, 128]) expect(agreement(whole.labels, (await label(scale, window)).labels)).toBeGreaterThan(0.9999)
  })

  it('gives a probability between 1/C and 1 for every pixel', async () => {
    const { confidence } = await label(1, 256)
    expect(Math.min(...confidence)).toBeGreaterThanOrEqual(Math.floor(255 / 6))
  })

  it('refuses a window without room beside its halo', async () => {
    await expect(label(1, 2 * receptiveHalo(architecture))).rejects.toThrow('no room')
  })
})
