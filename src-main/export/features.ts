import { toLongitudeLatitude } from '../imagery/area.ts'
import { type Transform, toWorld } from '../imagery/georeference.ts'
import { type PatchPolygon, TOLERANCE, doubledArea, polygonsOf } from '../labels/polygons.ts'
import { withLabels } from './areas.ts'
import type { ExportContext, ExportItem } from './format.ts'

/** A polygon on the ground, or on an image whose place is not known. */
export interface LabelFeature {
  image: string
  value: number
  name: string
  colour: string
  pixels: number
  /** Square metres, where they are known. */
  area?: number
  /** Outer ring counter-clockwise, then holes clockwise, closed. */
  rings: [number, number][][]
}

/** Of an image of unknown place: columns, and rows counted upwards from the upper border so that it stands upright. */
const UNPLACED: Transform = [0, 1, 0, 0, 0, -1]

/** The polygons of an image in the coordinates of its scene. */
export async function featuresOf(item: ExportItem, { classes, signal }: Pick<ExportContext, 'classes' | 'signal'>): Promise<LabelFeature[]> {
  const patches = await withLabels(item, (labels) => polygonsOf(labels, TOLERANCE, signal))
  const transform = item.georeference?.transform ?? UNPLACED
  return patches.map((patch) => featureOf(patch, item, transform, classes))
}

function featureOf({ label, rings }: PatchPolygon, { path, pixelArea }: ExportItem, transform: Transform, classes: ExportContext['classes']): LabelFeature {
  const pixels = Math.abs(rings.reduce((sum, ring) => sum + doubledArea(ring), 0)) / 2
  const [, xc, xr, , yc, yr] = transform
  const mirrored = xc * yr - xr * yc > 0
  const placed = rings.map((ring) => {
    const points = Array.from({ length: ring.length / 2 }, (_, i) => toWorld(transform, ring[2 * i], ring[2 * i + 1]))
    return mirrored ? points.reverse() : points
  })
  const { name, colour } = classes[label]
  return { image: path, value: label, name, colour, pixels, area: pixelArea === undefined ? undefined : pixels * pixelArea, rings: placed }
}

/** Features in longitude and latitude, where the coordinate system leads there; else as they are. */
export function inLongitudeLatitude(item: ExportItem, features: readonly LabelFeature[]): LabelFeature[] {
  const convert = item.georeference?.transform && toLongitudeLatitude(item.georeference)
  if (!convert) return [...features]
  return features.map((feature) => ({ ...feature, rings: feature.rings.map((ring) => ring.map(([x, y]) => convert(x, y))) }))
}
