import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CropperConfig } from '../../../src-main/engine/training/cropSource.ts'
import { createCropper } from '../../../src-main/engine/training/cropper.ts'
import { KEPT_BYTES } from '../../../src-main/imagery/pictures.ts'
import { recipeOf } from '../../../src-main/learning/presets.ts'
import { temporaryFolder } from '../../fixtures/commandLine.ts'

describe('crops', () => {
  const side = 40
  const names = ['a.png', 'b.png', 'broken.png']
  let config: CropperConfig

  beforeAll(async () => {
    const folder = await temporaryFolder()
    for (const [seed, name] of names.entries()) {
      const values = Uint8Array.from({ length: 3 * side * side }, (_, i) => (i * (7 + seed) + (i >> 5)) % 251)
      const png = await sharp(values, { raw: { width: side, height: side, channels: 3 } })
        .png()
        .toBuffer()
      await writeFile(join(folder, name), name === 'broken.png' ? png.subarray(0, png.length / 2) : png)
    }
    config = {
      sight: { scale: 1, bands: { roles: ['red', 'green', 'blue'] } },
      images: names.map((path) => ({
        path,
        file: join(folder, path),
        width: side,
        height: side,
        bands: ['red', 'green', 'blue'],
        type: 'uint8'
      })),
      statistics: Array(3).fill({ mean: 0.5, deviation: 0.2 }),
      shape: { pairs: 4, bands: 3, coloured: true, crop: 16, coarse: 4, radius: 2, warped: false },
      views: { ...recipeOf({ preset: 'quick' }).views, shift: 4 },
      seed: 5,
      keptBytes: KEPT_BYTES
    }
  })

  it('depend only on the seed and the step, whatever was cut or found broken before', async () => {
    const [one, another] = [createCropper(config), createCropper(config)]
    const found: string[][] = []
    for (let step = 0; step < 6; step++) found.push((await one(step)).unreadable.map(({ path }) => path))
    expect(found.flat()).toEqual(['broken.png'])
    const [after, alone] = [await one(6), await another(6)]
    expect(after.batch).toEqual(alone.batch)
    expect((await one(7)).batch).not.toEqual(alone.batch)
  })

  it('with hard views depend only on the seed and the step, and change only the second view', async () => {
    const hard = {
      ...config,
      shape: { ...config.shape, warped: true },
      views: {
        ...config.views,
        adef: { steps: 5 },
        wasserstein: { epsilon: 2, eta: 4 },
        sinkhorn: { epsilon: 1, steps: 3 }
      }
    }
    const easier = { ...hard, views: { ...hard.views, sinkhorn: { epsilon: 0, steps: 3 } } }
    const [one, another, easy] = [createCropper(hard), createCropper(hard), createCropper(easier)]
    for (let step = 0; step < 4; step++) await one(step)
    const [after, alone, usual] = [await one(4), await another(4), await easy(4)]
    expect(after.batch).toEqual(alone.batch)
    expect(after.batch.first).toEqual(usual.batch.first)
    expect(after.batch.second).not.toEqual(usual.batch.second)
    expect(after.batch.valid!.some((share) => share === 1)).toBe(true)
  })

  it('fail with an error when no image is readable', async () => {
    const cut = createCropper({ ...config, images: config.images.slice(2) })
    await expect(cut(0)).rejects.toMatchObject({ name: 'NoReadableImages' })
  })
})
