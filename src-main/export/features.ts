import { type Transform, toWorld } from '../imagery/crs/transform.ts'
import { NO_LABEL } from '../contract/labels.ts'
import type { Window } from '../imagery/raster.ts'
import type { LabelSource } from '../labels/source.ts'
import { type PatchPolygon, TOLERANCE, doubledArea, polygonsOf } from '../labels/polygons.ts'
import { withLabels } from './areas.ts'
import type { ExportContext, ExportItem } from './format.ts'

/** A patch of an image. */
export interface LabelFeature {
  image: string
  value: number
  name: string
  colour: string
  pixels: number
  /** Square metres on the ellipsoid, where they are known. */
  area?: number
  /** Columns and rows, [x, y, x, y …], closed: an outer ring, then holes. */
  rings: number[][]
}

/**
 * The patches of an image.
 * @param counted  1 for each pixel of a window that is to be part of one; all are when absent
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

/** Of an image of unknown place: columns, and rows counted upwards from the upper border so that it stands upright. */
const UNPLACED: Transform = [0, 1, 0, 0, 0, -1]

/** Rings in the coordinates of an image's scene: the outer counter-clockwise, holes clockwise. */
export function sceneRings({ rings }: LabelFeature, { georeference }: ExportItem): [number, number][][] {
  const transform = georeference?.transform ?? UNPLACED
  const [, xc, xr, , yc, yr] = transform
  const mirrored = xc * yr - xr * yc > 0
  return rings.map((ring) => {
    const points = Array.from({ length: ring.length / 2 }, (_, i) => toWorld(transform, ring[2 * i], ring[2 * i + 1]))
    return mirrored ? points.reverse() : points
  })
}
