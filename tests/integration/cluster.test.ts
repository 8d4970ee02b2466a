import { spawnSync } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { drawSampleScene } from '../../src-main/engine/sample/sampleScene.ts'
import { SCENE_TILE, writeSceneFile } from '../../src-main/engine/sample/sceneFile.ts'
import { smalti, temporaryFolder } from '../fixtures/commandLine.ts'
import { ask, oracleLack } from '../fixtures/gdal.ts'

const PYTHON = '/usr/bin/python3'
const env = { ...process.env, PYTHONPATH: resolve('.runtime/cogeo') }
const lack =
  oracleLack ??
  (spawnSync(PYTHON, ['-c', 'import rasterio, onnxruntime, dask.distributed'], { env }).status === 0
    ? undefined
    : 'rasterio, onnxruntime or dask is not installed')
if (lack) console.warn(`NOT TESTED: segmentation with Dask, because ${lack}`)

describe.skipIf(lack)('segmentation with Dask', () => {
  it('gives the same labels as the program with two workers, and skips finished work', async () => {
    const folder = await temporaryFolder()
    const images = join(folder, 'images')
    await mkdir(images)
    const side = 1024
    const { colours } = drawSampleScene(side, 4)
    await writeSceneFile(join(images, 'scene.tif'), side, (column, row) => {
      const tile = new Uint8Array(SCENE_TILE * SCENE_TILE * 3)
      for (let y = 0; y < SCENE_TILE; y++) {
        const from = ((row * SCENE_TILE + y) * side + column * SCENE_TILE) * 3
        tile.set(colours.subarray(from, from + SCENE_TILE * 3), y * SCENE_TILE * 3)
      }
      return tile
    })
    const project = join(folder, 'p')
    expect(
      (await smalti('train', images, '--project', project, '--preset', 'preview', '--backend', 'onnxruntime')).code
    ).toBe(0)
    await smalti('segment', project)
    await smalti('export', project, '--format', 'geotiff', '--out', join(folder, 'ours'))
    await smalti('export', project, '--format', 'onnx', '--out', join(folder, 'model'))
    const label = (): { status: number | null; stdout: string; stderr: string } =>
      spawnSync(
        PYTHON,
        [
          resolve('resources/cluster/segment_dask.py'),
          '--model',
          join(folder, 'model', 'labels.onnx'),
          '--images',
          images,
          '--out',
          join(folder, 'theirs'),
          '--workers',
          '2',
          '--side',
          '512'
        ],
        { env, encoding: 'utf8' }
      )
    const first = label()
    expect(first.status, first.stderr).toBe(0)
    const pixels = async (part: string): Promise<number[]> =>
      (
        await ask<{ windows: number[][][] }>({
          ask: 'windows',
          path: join(folder, part, 'scene.tif'),
          windows: [[0, 0, side, side, 0]]
        })
      ).windows[0][0]
    const [ours, theirs] = [await pixels('ours'), await pixels('theirs')]
    expect(ours.filter((value, i) => value === theirs[i]).length / ours.length).toBeGreaterThan(0.999)
    expect(label().stdout).toContain('already exists')
    await rm(folder, { recursive: true })
  })
})
