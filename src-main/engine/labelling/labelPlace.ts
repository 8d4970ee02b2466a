import { SmaltiError } from '../../contract/errors.ts'
import type { Georeference } from '../../imagery/georeference.ts'
import { georeferenceOfFile } from '../../imagery/reading/openRaster.ts'

/** Largest difference between two transforms that count as equal, as a share of a pixel. */
const SAME = 1e-6

/**
 * Returns where labels are: as their raster says, which may outlive the image. As long as the image is in the same
 * place, its own coordinate system is used, because a sidecar may describe it better than tags.
 * @throws Cancelled
 */
export async function labelPlace(
  image: Parameters<typeof georeferenceOfFile>[0],
  raster: string,
  signal?: AbortSignal
): Promise<Georeference | undefined> {
  const own = await georeferenceOfFile(image, signal).catch((fault: unknown) => {
    if (fault instanceof SmaltiError && fault.name === 'Cancelled') throw fault
    return undefined // The file may be gone or unreadable.
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
