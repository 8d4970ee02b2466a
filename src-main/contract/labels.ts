import { z } from 'zod'

/** Value of pixels without a label. */
export const NO_LABEL = 255
/** A probability of 1, where probabilities are stored in bytes and 255 is nodata. */
export const SURE = 254

export const clusterClass = z.object({ name: z.string(), colour: z.string() })
export type ClusterClass = z.infer<typeof clusterClass>

/** The size of a patch: pixels of the image, or square metres on the ground. */
export const patchSize = z.object({ value: z.number().positive(), unit: z.enum(['px', 'm2']) })
export type PatchSize = z.infer<typeof patchSize>

/** Clean-up of labels before they are used. */
export const cleanUp = z.object({
  /** Radius in pixels of the square whose most frequent label each pixel takes. */
  majority: z.int().min(1).max(32).optional(),
  /** Minimum mapping unit: smaller patches join the neighbour with which they share the longest border. */
  sieve: patchSize.optional()
})
export type CleanUp = z.infer<typeof cleanUp>

/** Extra files written with label GeoTIFFs, from saved heatmaps. */
export const measures = z.object({
  /** The probability of each pixel's class. */
  confidence: z.boolean().optional(),
  /** The probability of every class, one band per class, at the network's resolution. */
  probabilities: z.boolean().optional()
})
export type Measures = z.infer<typeof measures>

/** Export formats, with what each one writes. */
export const FORMAT_NOTES = {
  geotiff: 'label GeoTIFFs (COG) with colour table, attribute table and QGIS style',
  png: '8-bit grey masks of class indices, plus classes.json',
  'png-palette': 'indexed masks in the classes’ colours, plus classes.json',
  'png-classes': 'a black-and-white mask for each image and class',
  geojson: 'GeoJSON polygons in longitude and latitude',
  geopackage: 'one GeoPackage with a polygon layer for each image',
  flatgeobuf: 'FlatGeobuf polygons in the scene’s coordinate system',
  'coco-panoptic': 'COCO panoptic: panoptic.json and a PNG for each image',
  'coco-rle': 'COCO annotations with run-length encoding: annotations.json',
  yolo: 'a YOLO training data set: labels, copies of the images, data.yaml',
  csv: 'class areas in each image: pixels, square metres on the ellipsoid, per cent',
  npy: '8-bit NumPy arrays, plus classes.json',
  report: 'HTML report: images, classes with their areas, settings and the commands to repeat it',
  onnx: 'the network as probabilities.onnx and labels.onnx, for Deepness in QGIS and other programs'
} as const
export type ExportFormatName = keyof typeof FORMAT_NOTES
export const EXPORT_FORMATS = Object.keys(FORMAT_NOTES) as [ExportFormatName, ...ExportFormatName[]]

/** One part of a segmentation that is divided among several processes. */
export const shard = z
  .object({ number: z.int().min(1), of: z.int().min(1).max(10_000) })
  .refine(({ number, of }) => number <= of, "the shard number can't exceed the number of shards")
export type Shard = z.infer<typeof shard>
