import type { ExportFormat } from './format.ts'
import { featuresOf } from './features.ts'
import { geoJsonFeature } from './geoJson.ts'

const nameOf = (stem: string): string => `${stem}.fgb`

/** Polygons in the scene's coordinate system, with a spatial index. */
export const flatGeobuf: ExportFormat = {
  files: (items) => items.map(({ stem }) => nameOf(stem)),
  async write({ out, items, classes, signal, onProgress }) {
    // Its many modules are for this format alone.
    const geojson = await import('flatgeobuf/lib/mjs/geojson.js')
    for (const [done, item] of items.entries()) {
      const features = (await featuresOf(item, { classes, signal })).map(geoJsonFeature)
      if (features.length > 0) await out.write(nameOf(item.stem), geojson.serialize({ type: 'FeatureCollection', features } as never, item.georeference?.epsg))
      onProgress((done + 1) / items.length)
    }
  }
}
