import type { ExportFormat } from './format.ts'
import { type LabelFeature, featuresOf, inLongitudeLatitude } from './features.ts'

const nameOf = (stem: string): string => `${stem}.geojson`
/** Millimetres on the ground. */
const DIGITS = 9
/** Features put into one write. */
const AT_ONCE = 500

/** Polygons in longitude and latitude on WGS 84 (RFC 7946); in pixels where an image's place is not known. */
export const geoJson: ExportFormat = {
  files: (items) => items.map(({ stem }) => nameOf(stem)),
  async write({ out, items, classes, signal, onProgress }) {
    for (const [done, item] of items.entries()) {
      const features = inLongitudeLatitude(item, await featuresOf(item, { classes, signal }))
      await out.stream(nameOf(item.stem), async (handle) => {
        await handle.appendFile('{"type":"FeatureCollection","features":[\n')
        for (let from = 0; from < features.length; from += AT_ONCE) {
          const part = features.slice(from, from + AT_ONCE).map((feature) => JSON.stringify(geoJsonFeature(feature)))
          await handle.appendFile((from > 0 ? ',\n' : '') + part.join(',\n'))
        }
        await handle.appendFile('\n]}\n')
      })
      onProgress((done + 1) / items.length)
    }
  }
}

export interface GeoJsonFeature {
  type: 'Feature'
  properties: Record<string, string | number | null>
  geometry: { type: 'Polygon'; coordinates: [number, number][][] }
}

export function geoJsonFeature({ image, value, name, colour, pixels, area, rings }: LabelFeature): GeoJsonFeature {
  const rounded = (number: number): number => Number(number.toFixed(DIGITS))
  return {
    type: 'Feature',
    properties: { image, value, name, colour, pixels, area: area ?? null },
    geometry: { type: 'Polygon', coordinates: rings.map((ring) => ring.map(([x, y]): [number, number] => [rounded(x), rounded(y)])) }
  }
}
