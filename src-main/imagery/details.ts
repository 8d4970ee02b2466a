import { basename } from 'node:path'
import type { ImageDetails } from '../contract/details.ts'
import { groundSamplingDistance } from './crs/groundArea.ts'
import { toWorld } from './crs/transform.ts'
import type { ImageHeader } from './formats/format.ts'
import { formatOf } from './formats/formats.ts'
import type { Georeference } from './georeference.ts'
import type { Size } from './grid.ts'
import { locationOf } from './location.ts'
import { named } from './pictures.ts'

/** An image's header, with its position read. */
export type PlacedHeader = Omit<ImageHeader, 'georeference'> & { georeference?: Georeference }

/** Describes an image from its header and companion files, for the details panel. @throws UnreadableImage, Cancelled */
export async function detailsOf(
  { path, file }: Pick<ImageDetails, 'path' | 'file'>,
  page: number | undefined,
  signal: AbortSignal
): Promise<ImageDetails> {
  try {
    const { width, height, bands, gaps, levels, georeference, notice } = await headerOf(file, page, signal)
    const { read, ignored } = georeference?.sidecars ?? { read: [], ignored: [] }
    return {
      path,
      file,
      width,
      height,
      overviews: levels.length - 1,
      bands: bands.map(({ role, type, nodata }) => ({
        role,
        type,
        nodata: nodata === undefined ? undefined : String(nodata)
      })),
      gaps,
      place: georeference && placeOf(georeference, { width, height }),
      read: read.map((name) => basename(name)),
      ignored: ignored.map((name) => basename(name)),
      warnings: [notice, georeference?.warning].filter((warning) => warning !== undefined)
    }
  } catch (fault) {
    throw named(fault, path)
  }
}

/**
 * Reads an image's header. Takes no longer for large images.
 *
 * @throws UnreadableImage, Cancelled and file system errors
 */
export function headerOf(file: string, page: number | undefined, signal: AbortSignal): Promise<PlacedHeader> {
  const location = locationOf(file)
  return formatOf(location).header(location, { page, signal }, async (header) => ({
    ...header,
    georeference: await header.georeference()
  }))
}

function placeOf(georeference: Georeference, size: Size): ImageDetails['place'] {
  const { transform, place } = georeference
  const pixel: [number, number] | undefined = transform && [
    Math.hypot(transform[1], transform[4]),
    Math.hypot(transform[2], transform[5])
  ]
  if (!place.known) return { pixel, unknown: place.reason }
  const { crs } = place
  const about = { pixel, crs: { name: crs.name, code: crs.code, unit: crs.unit.name, geographic: crs.geographic } }
  if (!transform) return { ...about, unknown: 'its pixels have no coordinates' }
  const middle = Float64Array.from(toWorld(transform, size.width / 2, size.height / 2))
  crs.toLonLat(middle)
  const gsd = groundSamplingDistance(georeference, size)
  if (middle.some(Number.isNaN))
    return { ...about, unknown: gsd === undefined ? 'its coordinates are not on the Earth' : undefined, gsd }
  const [longitude, latitude] = middle
  return { ...about, longitude, latitude, accuracy: crs.accuracyAt(longitude, latitude), gsd }
}
