import type { CatalogueImage } from '../../contract/imagery.ts'
import type { OpenOptions } from '../formats/format.ts'
import { formatOf } from '../formats/formats.ts'
import type { Georeference } from '../georeference.ts'
import { type Location, locationOf } from '../location.ts'
import type { Raster } from '../raster.ts'

/** Formats that users are likely to try, and how to convert them. */
const REFUSED: [RegExp, string][] = [
  [
    /\.(jp2|j2k|jpx)$/i,
    "JPEG 2000 isn't supported. Convert it to GeoTIFF with gdal_translate -co TILED=YES -co COMPRESS=DEFLATE"
  ],
  [
    /\.(ecw|sid|img|vrt|hdf|h5|nc|ntf|bil|bsq|grd|asc)$/i,
    "its raster format isn't supported. Convert it to GeoTIFF with gdal_translate -co TILED=YES -co COMPRESS=DEFLATE"
  ],
  [
    /\.(heic|heif|avif|jxl|gif|bmp|psd|dng|cr2|nef|arw|raw)$/i,
    "its image format isn't supported. Export it as PNG, JPEG or TIFF"
  ]
]

/** Explains from its name alone why a file is skipped. */
export function refusedName(path: string): string {
  return REFUSED.find(([pattern]) => pattern.test(path))?.[1] ?? "it isn't an image in a supported format"
}

/** Opens an image of any format. @throws UnreadableImage with a readable reason, Cancelled */
export const openRaster = (location: Location, options: OpenOptions = {}): Promise<Raster> =>
  formatOf(location).open(location, options)

/** Reads where an image is on the ground, from its header alone. */
export async function georeferenceOfFile(
  { file, placed, page }: Pick<CatalogueImage, 'file' | 'placed' | 'page'>,
  signal?: AbortSignal
): Promise<Georeference | undefined> {
  const location = locationOf(file)
  const { position, header } = formatOf(location)
  if (position) return placed ? position(location) : undefined
  return header(location, { page, signal }, (found) => found.georeference())
}
