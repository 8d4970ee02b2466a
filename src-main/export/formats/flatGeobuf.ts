import * as flatbuffers from 'flatbuffers'
import type { Crs as CrsTable } from 'flatgeobuf/lib/mjs/flat-geobuf/crs.js'
import type { ExportFormat, ExportItem } from '../format.ts'
import { featuresOf, sceneRings } from '../features.ts'
import { propertiesOf } from './geoJson.ts'
import { type SpatialReference, systemOf } from '../spatialReference.ts'

const nameOf = (stem: string): string => `${stem}.fgb`

/** Writes polygons in the scene's coordinate system, which is given by its code or its WKT. */
export const flatGeobuf: ExportFormat = {
  files: (items) => items.map(({ stem }) => nameOf(stem)),
  async write({ out, items, classes, signal, onProgress }) {
    // Loaded here because its many modules serve this format only.
    const geojson = await import('flatgeobuf/lib/mjs/geojson.js')
    for (const [done, item] of items.entries()) {
      const features = (await featuresOf(item, { classes, signal })).map((feature) => ({
        type: 'Feature',
        properties: propertiesOf(feature),
        geometry: { type: 'Polygon', coordinates: sceneRings(feature, item) }
      }))
      if (features.length > 0)
        await out.write(
          nameOf(item.stem),
          await withSystem(geojson.serialize({ type: 'FeatureCollection', features } as never), item)
        )
      onProgress((done + 1) / items.length)
    }
  }
}

const MAGIC = 8
const LENGTH = 4

/** Adds the layer's name and a description of the coordinate system; the library writes only a number. */
async function withSystem(file: Uint8Array, { georeference, layer }: ExportItem): Promise<Uint8Array> {
  const system = georeference?.transform && systemOf(georeference.place)
  const [{ Header }, { Crs }, { Column }] = await Promise.all([
    import('flatgeobuf/lib/mjs/flat-geobuf/header.js'),
    import('flatgeobuf/lib/mjs/flat-geobuf/crs.js'),
    import('flatgeobuf/lib/mjs/flat-geobuf/column.js')
  ])
  const bytes = new flatbuffers.ByteBuffer(file.subarray(MAGIC))
  const before = Header.getSizePrefixedRootAsHeader(bytes)
  const builder = new flatbuffers.Builder()
  const columns = Array.from({ length: before.columnsLength() }, (_, i) => {
    const column = before.columns(i)!
    const name = builder.createString(column.name())
    Column.startColumn(builder)
    Column.addName(builder, name)
    Column.addType(builder, column.type())
    return Column.endColumn(builder)
  })
  const columnsAt = Header.createColumnsVector(builder, columns)
  const title = builder.createString(layer)
  const crs = system && crsIn(builder, Crs, system)
  Header.startHeader(builder)
  Header.addName(builder, title)
  if (crs !== undefined) Header.addCrs(builder, crs)
  Header.addFeaturesCount(builder, before.featuresCount())
  Header.addGeometryType(builder, before.geometryType())
  Header.addIndexNodeSize(builder, before.indexNodeSize())
  Header.addColumns(builder, columnsAt)
  builder.finishSizePrefixed(Header.endHeader(builder))
  const rest = file.subarray(MAGIC + LENGTH + new DataView(file.buffer, file.byteOffset).getUint32(MAGIC, true))
  return Buffer.concat([file.subarray(0, MAGIC), builder.asUint8Array(), rest])
}

function crsIn(
  builder: flatbuffers.Builder,
  Crs: typeof CrsTable,
  { organisation, code, name, wkt }: SpatialReference
): flatbuffers.Offset {
  const [organisationAt, nameAt, wktAt] = [organisation, name, wkt].map((text) => builder.createString(text))
  Crs.startCrs(builder)
  if (code !== undefined) {
    Crs.addOrg(builder, organisationAt)
    Crs.addCode(builder, code)
  }
  Crs.addName(builder, nameAt)
  Crs.addWkt(builder, wktAt)
  return Crs.endCrs(builder)
}
