import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { beforeAll, describe, expect, it } from 'vitest'
import { notesOfNetwork, openNetworkFile } from '../../../src-main/backends/networkFile.ts'
import {
  type FedBand,
  type FrozenTrunk,
  atCells,
  frameOf,
  frozenTrunk
} from '../../../src-main/learning/network/backbone.ts'
import { trunk, windowStep } from '../../../src-main/learning/network/architecture.ts'
import { normalFrom, uniformFrom } from '../../../src-main/learning/random.ts'
import { DRAWN, drawNetwork } from '../../fixtures/network.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'backbone-'))
})

const FED: FedBand[] = [0, 1, 2].map((band) => ({ band, scale: 2, shift: band }))
const picture = (side: number): Float32Array =>
  Float32Array.from({ length: 3 * side * side }, normalFrom(uniformFrom(3)))

async function opened(name: string, options: Parameters<typeof drawNetwork>[1] = {}): Promise<FrozenTrunk> {
  const path = join(folder, `${name}.onnx`)
  await drawNetwork(path, options)
  const file = await openNetworkFile(path)
  return frozenTrunk(file, await frameOf(file), FED, 'digest')
}

describe('a pretrained network', () => {
  it('gives the features that it gives on its own, with each band scaled and shifted as required', async () => {
    const side = 64
    const ours = await opened('plain')
    const values = picture(side)
    const file = await openNetworkFile(join(folder, 'plain.onnx'))
    const fed = values.map((value, i) => 2 * value + Math.floor(i / side ** 2))
    const direct = await file.run('pixels', fed, [1, 3, side, side], 'map')
    const found = await ours.features(values, side)
    const across = side / DRAWN.stride
    for (let i = 0; i < across ** 2; i++)
      for (let k = 0; k < DRAWN.channels; k++)
        expect(found[i * DRAWN.channels + k]).toBe(direct.values[k * across ** 2 + i])
    expect(ours.network).toEqual({ digest: 'digest', channels: 12, stride: 8, halo: 32 })
  })

  it.each([
    ['as a list of patches after a class token', { tokens: true }],
    ['with its bands last', { channelsLast: true }],
    ['in parts where it accepts a single size', { side: 64 }],
    ['in parts of one size, as a list', { side: 96, tokens: true }]
  ])('gives the same features %s', async (name, options) => {
    const side = 160
    const [plain, other] = [await opened('same'), await opened(name.replaceAll(' ', '-'), options)]
    const values = picture(side)
    const [expected, found] = [await plain.features(values, side), await other.features(values, side)]
    expect(found).toHaveLength(expected.length)
    // Its second layer sees one feature further, and the borders between parts are discarded.
    found.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 4))
  })

  it('repeats the border where a window is smaller than its only size', async () => {
    const found = await (await opened('large', { side: 128 })).features(picture(64), 64)
    expect(found).toHaveLength((64 / DRAWN.stride) ** 2 * DRAWN.channels)
    expect(found.every(Number.isFinite)).toBe(true)
  })

  it('is interpolated linearly between its positions', () => {
    const architecture = {
      bands: 3,
      layers: trunk('A,A', 1),
      backbone: { digest: '', channels: 2, stride: 14, halo: 56 },
      heads: []
    }
    expect(windowStep(architecture)).toBe(28)
    // A plane: f = 3x − 2y + 1 and its negative at the middle of each position.
    const [across, window, margin] = [8, 112, 28]
    const at = (i: number): number => (i + 0.5) * 14
    const values = Float32Array.from({ length: across * across * 2 }, (_, i) => {
      const [row, column] = [Math.floor(i / 2 / across), Math.floor(i / 2) % across]
      return (i % 2 ? -1 : 1) * (3 * at(column) - 2 * at(row) + 1)
    })
    const cells = atCells(architecture, tf.tensor4d(values, [1, across, across, 2]), window, margin)
    expect(cells.shape).toEqual([1, 14, 14, 2])
    const found = cells.dataSync()
    for (let row = 0; row < 14; row++) {
      for (let column = 0; column < 14; column++) {
        const [x, y] = [margin + 4 * column + 2, margin + 4 * row + 2]
        expect(found[2 * (row * 14 + column)]).toBeCloseTo(3 * x - 2 * y + 1, 3)
        expect(found[2 * (row * 14 + column) + 1]).toBeCloseTo(-(3 * x - 2 * y + 1), 3)
      }
    }
  })

  it('returns its metadata', async () => {
    const path = join(folder, 'notes.onnx')
    await drawNetwork(path, { notes: { image_mean: '[0.1,0.2,0.3]', author: 'söme one' } })
    expect(notesOfNetwork(await readFile(path))).toEqual({ image_mean: '[0.1,0.2,0.3]', author: 'söme one' })
  })

  it('is rejected with a reason where it has no position for the parts of an image or is not a network', async () => {
    const path = join(folder, 'pooled.onnx')
    await drawNetwork(path, { pooled: true })
    await expect(openNetworkFile(path).then(frameOf)).rejects.toThrow(
      'none of its outputs is a feature map (classes: 1 × 12)'
    )
    await writeFile(join(folder, 'text.onnx'), 'no network')
    await expect(openNetworkFile(join(folder, 'text.onnx'))).rejects.toThrow()
  })
})
