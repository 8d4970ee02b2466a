import { drawSampleScene } from '../../src-main/engine/sample/sampleScene.ts'
import { SCENE_TILE, writeSceneFile } from '../../src-main/engine/sample/sceneFile.ts'

const PATTERN = 2048

/** Writes a georeferenced scene of any size: patches of a generated scene with varying brightness. */
export async function writeScene(path: string, side: number, seed = 1): Promise<void> {
  const { colours } = drawSampleScene(PATTERN, seed)
  await writeSceneFile(path, side, (column, row) => {
    const values = new Uint8Array(SCENE_TILE * SCENE_TILE * 3)
    const shade = 0.75 + 0.25 * Math.cos(row / 5) * Math.cos(column / 7)
    const [dx, dy] = [(column * 211) % (PATTERN - SCENE_TILE), (row * 307 + column * 97) % (PATTERN - SCENE_TILE)]
    for (let y = 0; y < SCENE_TILE; y++) {
      const from = ((y + dy) * PATTERN + dx) * 3
      for (let i = 0; i < SCENE_TILE * 3; i++) values[y * SCENE_TILE * 3 + i] = colours[from + i] * shade
    }
    return values
  })
}
