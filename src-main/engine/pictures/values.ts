import type { MadePicture, PictureQuery, PixelValues } from '../../contract/window/pictures.ts'
import type { Crs } from '../../imagery/crs/crs.ts'
import { toWorld } from '../../imagery/crs/transform.ts'
import { named } from '../../imagery/pictures.ts'
import { withShown } from './pictures.ts'

/** Returns the values of an image at a pixel, and the pixel's location. @throws UnreadableImage, Cancelled */
export async function valuesAt(
  { file, project, x, y, ...look }: PictureQuery<'values'>,
  signal: AbortSignal
): Promise<MadePicture> {
  try {
    const values = await withShown({ file, look, project }, signal, async ({ raster, shown }): Promise<PixelValues> => {
      const { bands, valid } = await raster.read({ left: x, top: y, width: 1, height: 1 }, { signal })
      const { transform, place } = (await raster.georeference()) ?? {}
      const at = transform && toWorld(transform, x + 0.5, y + 0.5)
      return {
        bands: raster.palette ? [bands[0][0]] : bands.map(([value]) => value),
        roles: raster.bands.map(({ role }) => role),
        shown: shown.roles,
        valid: valid?.[0] !== 0,
        map: at && {
          x: at[0],
          y: at[1],
          crs: place?.known ? place.crs.code : undefined,
          degrees: place?.known ? degreesOf(place.crs, at) : undefined
        }
      }
    })
    return { type: 'application/json', bytes: Buffer.from(JSON.stringify(values)) }
  } catch (fault) {
    throw named(fault, file)
  }
}

/** Returns the longitude and latitude of a point, or undefined if it has none. */
function degreesOf(crs: Crs, at: readonly [number, number]): [number, number] | undefined {
  const point = Float64Array.from(at)
  crs.toLonLat(point)
  return point.some(Number.isNaN) ? undefined : [point[0], point[1]]
}
