import type { ExportFormatName } from '../contract/labels.ts'
import type { ExportFormat } from './format.ts'
import { cocoPanoptic, cocoRle } from './coco.ts'
import { csvAreas } from './csv.ts'
import { geoJson } from './geoJson.ts'
import { geoPackage } from './geoPackage.ts'
import { flatGeobuf } from './flatGeobuf.ts'
import { labelGeoTiff } from './geotiff.ts'
import { npyArrays } from './npy.ts'
import { palettePng, pngMasks, pngPerClass } from './pngMasks.ts'
import { yoloSegments } from './yolo.ts'

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
