import type { MadePicture, PictureQuery, PixelValues } from '../../contract/pictures.ts'
import { toLongitudeLatitude } from '../../imagery/area.ts'
import { toWorld } from '../../imagery/georeference.ts'
import { named } from '../../imagery/pictures.ts'
import { shownImage } from './pictures.ts'

/** What an image holds at a pixel, and where that lies. @throws UnreadableImage, Cancelled */
export async function valuesAt({ file, project, x, y, ...look }: PictureQuery<'values'>, signal: AbortSignal): Promise<MadePicture> {
  try {
    const { raster, shown } = await shownImage(file, look, project, signal)
    const { bands, valid } = await raster.read({ left: x, top: y, width: 1, height: 1 }, { signal })
    const { transform, crs, epsg } = raster.georeference ?? {}
    const place = transform && toWorld(transform, x + 0.5, y + 0.5)
    const values: PixelValues = {
      bands: raster.palette ? [bands[0][0]] : bands.map(([value]) => value),
      roles: raster.bands.map(({ role }) => role),
      shown: shown.roles,
      valid: valid?.[0] !== 0,
      map: place && { x: place[0], y: place[1], epsg, degrees: toLongitudeLatitude({ crs })?.(...place) }
    }
    return { type: 'application/json', bytes: Buffer.from(JSON.stringify(values)) }
  } catch (fault) {
    throw named(fault, file)
  }
}
