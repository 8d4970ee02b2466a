import { open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { transformTags } from '../../imagery/georeference.ts'
import { type Field, TYPE, encodeDirectory, encodeHeader } from '../../labels/tiffFile.ts'

const deflated = promisify(deflate)
/** Side in pixels of the tiles of a generated scene. */
export const SCENE_TILE = 512
const BANDS = 3
const AT_ONCE = 8
/** WGS 84 / UTM zone 33N, and the upper left corner of a generated scene in it. */
const EPSG = 32633
const CORNER = { x: 500000, y: 5000000 }
const METRES = 0.5

/**
 * Writes a generated scene tile by tile as a georeferenced, tiled, deflated RGB GeoTIFF with pixels of half a metre.
 * @param tileOf  returns interleaved RGB for a whole tile, even where the tile extends beyond the scene
 */
export async function writeSceneFile(
  path: string,
  side: number,
  tileOf: (column: number, row: number) => Uint8Array,
  east = 0
): Promise<void> {
  const across = Math.ceil(side / SCENE_TILE)
  const handle = await open(path, 'w')
  const [offsets, counts]: number[][] = [[], []]
  let end = 8
  try {
    for (let first = 0; first < across * across; first += AT_ONCE) {
      const numbers = Array.from({ length: Math.min(AT_ONCE, across * across - first) }, (_, i) => first + i)
      for (const bytes of await Promise.all(
        numbers.map((tile) => deflated(tileOf(tile % across, Math.floor(tile / across)), { level: 1 }))
      )) {
        await handle.write(bytes, 0, bytes.length, end)
        offsets.push(end)
        counts.push(bytes.length)
        end += bytes.length
      }
    }
    end += end % 2
    const place = transformTags([CORNER.x + east, METRES, 0, CORNER.y, 0, -METRES]).map(
      ({ tag, type, values }): Field => [tag, type, values]
    )
    const fields: Field[] = [
      [256, TYPE.long, [side]],
      [257, TYPE.long, [side]],
      [258, TYPE.short, [8, 8, 8]],
      [259, TYPE.short, [8]],
      [262, TYPE.short, [2]],
      [277, TYPE.short, [BANDS]],
      [284, TYPE.short, [1]],
      [322, TYPE.long, [SCENE_TILE]],
      [323, TYPE.long, [SCENE_TILE]],
      [324, TYPE.long, offsets],
      [325, TYPE.long, counts],
      ...place,
      // GeoKeys version 1.1.0: projected, pixels are areas, the coordinate system by its code.
      [34735, TYPE.short, [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, EPSG]]
    ]
    await handle.write(encodeDirectory(end, fields, false, false), 0, undefined, end)
    await handle.write(encodeHeader(false, end), 0, undefined, 0)
  } finally {
    await handle.close()
  }
}
