import { SmaltiError } from '../../contract/errors.ts'
import { type Rings, type ToGeographic, toGeographic } from '../../imagery/crs/geographicPolygons.ts'
import { type LabelFeature, featuresOf } from '../features.ts'
import type { ExportFormat, ExportItem } from '../format.ts'

const nameOf = (stem: string): string => `${stem}.geojson`
/** Less than a millimetre on the ground. */
const DIGITS = 9
/** Number of features per write. */
const AT_ONCE = 500

/** Writes polygons in longitude and latitude on WGS 84 (RFC 7946). */
export const geoJson: ExportFormat = {
  files: (items) => items.map(({ stem }) => nameOf(stem)),
  check: (items) => items.forEach((item) => void placerOf(item)),
  async write({ out, items, classes, signal, onProgress }) {
    for (const [done, item] of items.entries()) {
      const { polygons, onEarth } = placerOf(item)
      const features = (await featuresOf(item, { classes, signal }, onEarth)).flatMap(
        (feature) => geographicFeature(feature, polygons(feature.rings)) ?? []
      )
      await out.stream(nameOf(item.stem), async (handle) => {
        await handle.appendFile('{"type":"FeatureCollection","features":[\n')
        for (let from = 0; from < features.length; from += AT_ONCE) {
          const part = features.slice(from, from + AT_ONCE).map((feature) => JSON.stringify(feature))
          await handle.appendFile((from > 0 ? ',\n' : '') + part.join(',\n'))
        }
        await handle.appendFile('\n]}\n')
      })
      onProgress((done + 1) / items.length)
    }
  }
}

/** Returns the conversion to longitude and latitude. @throws PlaceUnknown when an image has none */
function placerOf({ path, georeference, ...size }: ExportItem): ToGeographic {
  const found = georeference && toGeographic(georeference, size)
  if (found) return found
  const reason = !georeference?.transform
    ? "it isn't georeferenced"
    : georeference.place.known
      ? 'no part of it is on the Earth'
      : georeference.place.reason
  throw new SmaltiError('PlaceUnknown', { path, reason })
}

export type Properties = Record<string, string | number | null>

export const propertiesOf = ({ image, value, name, colour, pixels, area }: LabelFeature): Properties => ({
  image,
  value,
  name,
  colour,
  pixels,
  area: area ?? null
})

function geographicFeature(feature: LabelFeature, polygons: readonly Rings[]): object | undefined {
  if (polygons.length === 0) return undefined
  const rounded = (number: number): number => Number(number.toFixed(DIGITS))
  const coordinates = polygons.map((rings) =>
    rings.map((ring) => ring.map(([x, y]): [number, number] => [rounded(x), rounded(y)]))
  )
  return {
    type: 'Feature',
    properties: propertiesOf(feature),
    geometry:
      coordinates.length === 1
        ? { type: 'Polygon', coordinates: coordinates[0] }
        : { type: 'MultiPolygon', coordinates }
  }
}
