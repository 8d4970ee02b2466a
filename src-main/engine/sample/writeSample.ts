import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { SmaltiError, asSmaltiError } from '../../contract/errors.ts'
import { drawSampleScene } from './sampleScene.ts'
import { SCENE_TILE, writeSceneFile } from './sceneFile.ts'

const SCENES = 4
const SIDE = 640

/**
 * Writes generated aerial scenes, next to each other on the ground, into the sub-folder `images`, and their masks into
 * `truth`.
 * @throws DiskFull, FolderNotWritable, Cancelled
 */
export async function writeSample(
  folder: string,
  signal: AbortSignal,
  onProgress: (share: number) => void
): Promise<{ images: string; truth: string }> {
  const [images, truth] = ['images', 'truth'].map((part) => join(folder, part))
  try {
    for (const part of [images, truth]) await mkdir(part, { recursive: true })
    for (let scene = 1; scene <= SCENES; scene++) {
      if (signal.aborted) throw new SmaltiError('Cancelled')
      const drawn = drawSampleScene(SIDE, scene)
      await writeSceneFile(
        join(images, `scene-${scene}.tif`),
        SIDE,
        (column, row) => tileOf(drawn.colours, column, row),
        (scene * SIDE) / 2
      )
      await sharp(drawn.truth, { raw: { width: SIDE, height: SIDE, channels: 1 } })
        .toColourspace('b-w')
        .png()
        .toFile(join(truth, `scene-${scene}.png`))
      onProgress(scene / SCENES)
    }
  } catch (fault) {
    throw asSmaltiError(fault, folder)
  }
  return { images, truth }
}

/** Returns a tile of a scene, black beyond the scene's border. */
function tileOf(colours: Uint8Array, column: number, row: number): Uint8Array {
  const tile = new Uint8Array(SCENE_TILE * SCENE_TILE * 3)
  const [left, top] = [column * SCENE_TILE, row * SCENE_TILE]
  const width = Math.min(SCENE_TILE, SIDE - left)
  for (let y = 0; y < Math.min(SCENE_TILE, SIDE - top); y++)
    tile.set(colours.subarray(((top + y) * SIDE + left) * 3, ((top + y) * SIDE + left + width) * 3), y * SCENE_TILE * 3)
  return tile
}
