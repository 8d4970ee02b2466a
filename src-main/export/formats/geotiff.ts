import { basename } from 'node:path'
import { NO_LABEL, type ClusterClass } from '../../contract/labels.ts'
import { rgbOf } from '../../classes/palette.ts'
import { TAG } from '../../imagery/formats/tiff/directory.ts'
import type { Georeference } from '../../imagery/georeference.ts'
import { type RasterNotes, escapedXml, tileSide } from '../../labels/tiffFile.ts'
import { writeLabels } from '../../labels/writeLabels.ts'
import { type LabelAreas, measureLabels, withLabels } from '../areas.ts'
import type { ExportContext, ExportFormat, ExportItem } from '../format.ts'
import { measureNames, otherMeasureNames, writeMeasures } from '../measures.ts'
import { throughRaster, writeOptimised } from '../optimised.ts'

const namesOf = (stem: string): { raster: string; table: string; style: string } => ({
  raster: `${stem}.tif`,
  table: `${stem}.tif.aux.xml`,
  style: `${stem}.qml`
})

/**
 * Writes label rasters for a GIS: tiled, deflated, with overviews, in the order of a cloud-optimised GeoTIFF, with the
 * scene's own tags and a colour table. Next to each raster are an attribute table for GDAL and a style that QGIS finds
 * by its name.
 */
export const labelGeoTiff: ExportFormat = {
  files: (items, _, measures) =>
    items.flatMap(({ stem }) => [...Object.values(namesOf(stem)), ...measureNames(stem, measures)]),
  outdated: (items, measures) => items.flatMap(({ stem }) => otherMeasureNames(stem, measures)),
  async write(context) {
    const { out, items, classes, signal, onProgress } = context
    for (const [done, item] of items.entries()) {
      const names = namesOf(item.stem)
      const notes: RasterNotes = {
        tags: item.georeference?.tags ?? [],
        colours: classes.map(({ colour }) => colour),
        nodata: NO_LABEL
      }
      const areas = await withLabels(item, (labels) => measureLabels(labels, item.ground, signal))
      await out.stream(names.raster, async (handle, path) => {
        if (item.raster) await writeOptimised(handle, item.raster, item, notes)
        else
          await throughRaster(path, async (changed) => {
            await relabelled(item, changed, notes, context)
            await writeOptimised(handle, changed, item, notes)
          })
      })
      await out.write(names.table, attributeTable(item, classes, areas))
      await out.write(names.style, qgisStyle(classes))
      await writeMeasures(item, context)
      onProgress((done + 1) / items.length)
    }
  }
}

/** Writes labels that differ from the stored ones to a separate raster. */
async function relabelled(
  item: ExportItem,
  path: string,
  notes: RasterNotes,
  { signal }: ExportContext
): Promise<void> {
  const file = { width: item.width, height: item.height, tile: tileSide(item), notes, key: basename(path) }
  await withLabels(item, (labels) => writeLabels(path, file, (window) => labels.read(window, signal), signal))
}

const FIELDS: [name: string, type: 'integer' | 'real' | 'text', usage: number][] = [
  ['Value', 'integer', 5],
  ['Class', 'text', 2],
  ['Red', 'integer', 6],
  ['Green', 'integer', 7],
  ['Blue', 'integer', 8],
  ['Count', 'integer', 1],
  ['Area', 'real', 0]
]
const TYPES = { integer: 0, real: 1, text: 2 }

/**
 * Writes GDAL's raster attribute table: value, name, colour, pixels, and square metres on the ellipsoid if the scene's
 * place is known.
 */
function attributeTable(
  { georeference }: ExportItem,
  classes: readonly ClusterClass[],
  { pixels, squareMetres }: LabelAreas
): string {
  const known = squareMetres ? FIELDS : FIELDS.filter(([name]) => name !== 'Area')
  const fields = known.map(
    ([name, type, usage], i) =>
      `      <FieldDefn index="${i}"><Name>${name}</Name><Type>${TYPES[type]}</Type><Usage>${usage}</Usage></FieldDefn>`
  )
  const rows = classes.map(({ name, colour }, value) => {
    const cells = [
      value,
      escapedXml(name),
      ...rgbOf(colour),
      pixels[value],
      ...(squareMetres ? [squareMetres[value]] : [])
    ]
    return `      <Row index="${value}">${cells.map((cell) => `<F>${cell}</F>`).join('')}</Row>`
  })
  const wkt = georeference && systemText(georeference)
  const place = wkt === undefined ? '' : `  <SRS>${escapedXml(wkt)}</SRS>\n`
  return `<PAMDataset>\n${place}  <PAMRasterBand band="1">\n    <GDALRasterAttributeTable tableType="thematic">\n${[...fields, ...rows].join('\n')}\n    </GDALRasterAttributeTable>\n  </PAMRasterBand>\n</PAMDataset>\n`
}

/** Returns the coordinate system as text if the raster's tags don't name it. */
function systemText({ tags, place }: Georeference): string | undefined {
  if (tags.some(({ tag }) => tag === TAG.geoKeys)) return undefined
  return place.known ? (place.crs.wkt('WKT1:GDAL') ?? place.crs.wkt('WKT2:2019')) : place.wkt
}

/** Writes a QGIS style with a colour for each value of a raster. */
export function qgisStyle(classes: readonly ClusterClass[]): string {
  const entries = classes.map(
    ({ name, colour }, value) =>
      `        <paletteEntry value="${value}" color="${colour}" alpha="255" label="${escapedXml(name)}"/>`
  )
  return `<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22" styleCategories="Symbology">
  <pipe>
    <rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1">
      <colorPalette>
${entries.join('\n')}
      </colorPalette>
    </rasterrenderer>
  </pipe>
</qgis>
`
}
