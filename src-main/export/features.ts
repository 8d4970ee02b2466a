import { type Transform, toWorld } from '../imagery/crs/transform.ts'
import { NO_LABEL } from '../contract/labels.ts'
import type { Window } from '../imagery/raster.ts'
import type { LabelSource } from '../labels/source.ts'
import { type PatchPolygon, TOLERANCE, doubledArea, polygonsOf } from '../labels/polygons.ts'
import { withLabels } from './areas.ts'
import type { ExportContext, ExportItem } from './format.ts'

/** A connected patch of one class, ready to be written as a polygon. */
export interface LabelFeature {
  image: string
  value: number
  name: string
  colour: string
  pixels: number
  /** Square metres on the ellipsoid, if known. */
  area?: number
  /** Columns and rows, [x, y, x, y …], closed: an outer ring, then holes. */
  rings: number[][]
}

/**
 * Vectorises the patches of an image.
 * @param counted  returns 1 for each pixel of a window that may belong to a patch; by default all may
 */
export async function featuresOf(
  item: ExportItem,
  { classes, signal }: Pick<ExportContext, 'classes' | 'signal'>,
  counted?: (window: Window) => Uint8Array
): Promise<LabelFeature[]> {
  const patches = await withLabels(item, (labels) =>
    polygonsOf(counted ? only(labels, counted) : labels, TOLERANCE, signal)
  )
  return patches.map((patch) => featureOf(patch, item, classes))
}

function only(labels: LabelSource, counted: (window: Window) => Uint8Array): LabelSource {
  return {
    ...labels,
    async read(window, signal) {
      const here = counted(window)
      return (await labels.read(window, signal)).map((label, i) => (here[i] ? label : NO_LABEL))
    }
  }
}

function featureOf(
  { label, rings }: PatchPolygon,
  { path, ground }: ExportItem,
  classes: ExportContext['classes']
): LabelFeature {
  const pixels = Math.abs(rings.reduce((sum, ring) => sum + doubledArea(ring), 0)) / 2
  const { name, colour } = classes[label]
  return { image: path, value: label, name, colour, pixels, area: ground?.within(rings), rings }
}

/**
 * The transform for an image of unknown place: columns to the right and rows upwards, so that the image stands upright.
 */
const UNPLACED: Transform = [0, 1, 0, 0, 0, -1]

/** Converts rings to the scene's coordinates: the outer ring counter-clockwise, holes clockwise. */
export function sceneRings({ rings }: LabelFeature, { georeference }: ExportItem): [number, number][][] {
  const transform = georeference?.transform ?? UNPLACED
  const [, xc, xr, , yc, yr] = transform
  const mirrored = xc * yr - xr * yc > 0
  return rings.map((ring) => {
    const points = Array.from({ length: ring.length / 2 }, (_, i) => toWorld(transform, ring[2 * i], ring[2 * i + 1]))
    return mirrored ? points.reverse() : points
  })
}
