import { SmaltiError } from '../../contract/errors.ts'
import { toPixel, toWorld } from '../../imagery/crs/transform.ts'
import type { Georeference } from '../../imagery/georeference.ts'
import { georeferenceOfFile } from '../../imagery/reading/openRaster.ts'
import type { Raster } from '../../imagery/raster.ts'
import type { LabelledImage } from '../../project/labelSets.ts'

/** Pixels by which a mask's corners may miss those of its image. */
const MOST_PIXELS = 1

/** Checks that a georeferenced mask covers the same place as its image. @throws TruthUnusable */
export async function checkPlace(path: string, mask: Raster, { file, page }: LabelledImage): Promise<void> {
  const theirs = await mask.georeference()
  if (!theirs?.transform) return
  // If the image no longer exists, there is nothing to compare with.
  const own = await georeferenceOfFile({ file, page, placed: true }).catch(() => undefined)
  const off = own && pixelsApart(own, theirs, mask)
  if (off === undefined || off <= MOST_PIXELS) return
  throw new SmaltiError('TruthUnusable', {
    path,
    reason: `it shows a different place from its image, ${Number.isFinite(off) ? `${Math.round(off)} pixels away` : 'in another part of the world'}`
  })
}

/**
 * Returns the distance between the corners of a mask and those of its image, in pixels of the image; undefined if it
 * isn't known.
 */
function pixelsApart(own: Georeference, theirs: Georeference, { width, height }: Raster): number | undefined {
  if (!own.transform || !theirs.transform || own.place.known !== theirs.place.known) return undefined
  const corners = [
    [0, 0],
    [width, 0],
    [0, height],
    [width, height]
  ]
  const points = Float64Array.from(corners.flatMap(([column, row]) => toWorld(theirs.transform!, column, row)))
  if (own.place.known && theirs.place.known && own.place.crs !== theirs.place.crs) {
    theirs.place.crs.toLonLat(points)
    own.place.crs.toLonLat(points, true)
  }
  const apart = corners.map(([column, row], i) => {
    const [x, y] = toPixel(own.transform!, points[2 * i], points[2 * i + 1])
    const distance = Math.hypot(x - column, y - row)
    return Number.isNaN(distance) ? Infinity : distance
  })
  return Math.max(...apart)
}
