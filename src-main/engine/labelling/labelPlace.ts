import { SmaltiError } from '../../contract/errors.ts'
import type { Georeference } from '../../imagery/georeference.ts'
import { georeferenceOfFile } from '../../imagery/reading/openRaster.ts'

/** By which part of a pixel two transforms may differ and still be the same. */
const SAME = 1e-6

/**
 * Where labels are: as their raster says, which outlives the image; in the image's own coordinate system, which a sidecar may
 * give better than tags can, as long as the image is still where it was.
 * @throws Cancelled
 */
export async function labelPlace(
  image: Parameters<typeof georeferenceOfFile>[0],
  raster: string,
  signal?: AbortSignal
): Promise<Georeference | undefined> {
  const own = await georeferenceOfFile(image, signal).catch((fault: unknown) => {
    if (fault instanceof SmaltiError && fault.name === 'Cancelled') throw fault
    return undefined // It may have gone, or changed to what cannot be read.
  })
  const labels = raster.endsWith('.tif') ? await georeferenceOfFile({ file: raster }) : undefined
  if (!labels?.transform) return own ?? labels
  return own?.place.known && sameGrid(own, labels) ? { ...labels, place: own.place } : labels
}

function sameGrid({ transform: one }: Georeference, { transform: other }: Georeference): boolean {
  if (!one || !other) return false
  const pixel = Math.sqrt(Math.abs(other[1] * other[5] - other[2] * other[4]))
  return one.every((value, i) => Math.abs(value - other[i]) <= SAME * pixel)
}
