import type { ExportFormatName } from '../contract/labels.ts'
import type { ExportFormat } from './format.ts'
import { cocoPanoptic, cocoRle } from './formats/coco.ts'
import { csvAreas } from './formats/csv.ts'
import { geoJson } from './formats/geoJson.ts'
import { geoPackage } from './formats/geoPackage.ts'
import { flatGeobuf } from './formats/flatGeobuf.ts'
import { labelGeoTiff } from './formats/geotiff.ts'
import { npyArrays } from './formats/npy.ts'
import { palettePng, pngMasks, pngPerClass } from './formats/pngMasks.ts'
import { yoloSegments } from './formats/yolo.ts'

/** The export formats by name. A new format is one file in `formats/` and one line here. */
export const FORMATS: Record<Exclude<ExportFormatName, 'onnx' | 'report'>, ExportFormat> = {
  geotiff: labelGeoTiff,
  png: pngMasks,
  'png-palette': palettePng,
  'png-classes': pngPerClass,
  geojson: geoJson,
  geopackage: geoPackage,
  flatgeobuf: flatGeobuf,
  'coco-panoptic': cocoPanoptic,
  'coco-rle': cocoRle,
  yolo: yoloSegments,
  csv: csvAreas,
  npy: npyArrays
}
