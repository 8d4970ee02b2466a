import { z } from 'zod'

/** The value of pixels without a label. */
export const NO_LABEL = 255
/** Certainty where probabilities are stored in bytes, of which 255 is without data. */
export const SURE = 254

export const clusterClass = z.object({ name: z.string(), colour: z.string() })
export type ClusterClass = z.infer<typeof clusterClass>

/** A size on the image: pixels, or square metres on the ground. */
export const patchSize = z.object({ value: z.number().positive(), unit: z.enum(['px', 'm2']) })
export type PatchSize = z.infer<typeof patchSize>

/** What is done to labels before they are used. */
export const cleanUp = z.object({
  /** Radius in pixels of the square whose most frequent label each pixel takes. */
  majority: z.int().min(1).max(32).optional(),
  /** Minimum mapping unit: smaller patches join the neighbour with which they share the longest border. */
  sieve: patchSize.optional()
})
export type CleanUp = z.infer<typeof cleanUp>

/** What is written beside label GeoTIFFs, from heatmaps that were kept. */
export const measures = z.object({
  /** How probable each pixel's class is. */
  confidence: z.boolean().optional(),
  /** How probable each class is, a band each, at the network's resolution. */
  probabilities: z.boolean().optional()
})
export type Measures = z.infer<typeof measures>

/** Ways of writing labels, with what each writes. */
export const FORMAT_NOTES = {
  geotiff: 'label GeoTIFFs (COG) with colour table, attribute table and QGIS style',
  png: 'grey masks of 8 bits whose values are class indices, and classes.json',
  'png-palette': 'indexed masks that show the classes’ colours, and classes.json',
  'png-classes': 'a black and white mask for each image and class',
  geojson: 'GeoJSON polygons, in longitude and latitude as the standard says',
  geopackage: 'one GeoPackage with a layer of polygons for each image',
  flatgeobuf: 'FlatGeobuf polygons in the scene’s coordinate system',
  'coco-panoptic': 'COCO panoptic: panoptic.json and a PNG for each image',
  'coco-rle': 'COCO annotations with run lengths: annotations.json',
  yolo: 'a YOLO data set to train on: labels, copies of the images, data.yaml',
  csv: 'areas of the classes in each image: pixels, square metres on the ellipsoid, per cent',
  npy: 'NumPy arrays of 8 bits, and classes.json',
  report: 'a page for people: pictures, classes with their areas, settings, how to repeat it',
  onnx: 'the network itself, as probabilities.onnx and labels.onnx, for QGIS’ Deepness and other programs'
} as const
export type ExportFormatName = keyof typeof FORMAT_NOTES
export const EXPORT_FORMATS = Object.keys(FORMAT_NOTES) as [ExportFormatName, ...ExportFormatName[]]

/** One part of a segmentation that several processes share. */
export const shard = z
  .object({ number: z.int().min(1), of: z.int().min(1).max(10_000) })
  .refine(({ number, of }) => number <= of, 'the number is at most the count')
export type Shard = z.infer<typeof shard>
