import type { ClusterClass, Measures } from '../contract/labels.ts'
import type { GroundAreas } from '../imagery/crs/groundArea.ts'
import type { Georeference } from '../imagery/georeference.ts'
import type { Size } from '../imagery/raster.ts'
import type { Heatmap } from '../labels/heatmaps.ts'
import type { LabelSource } from '../labels/source.ts'
import type { OutFolder } from './outFolder.ts'

/** The labels of one image, as they are to be written. */
export interface ExportItem extends Size {
  /** Path of the image in its catalogue. */
  path: string
  /** The image itself, which may no longer exist. */
  file: string
  /** The path as exported files are called, without an ending, unique among all. */
  stem: string
  /** Name of its layer in a GeoPackage, unique among all. */
  layer: string
  georeference?: Georeference
  /** Areas of its pixels on the ground, where they are known. */
  ground?: GroundAreas
  /** Path of a label raster that holds exactly these labels, if there is one. */
  raster?: string
  open(): Promise<LabelSource>
  /** Probabilities of the classes, where heatmaps were kept. */
  openHeatmap?(): Promise<Heatmap>
}

export interface ExportContext {
  out: OutFolder
  items: readonly ExportItem[]
  /** Names and colours of the labels from 0. */
  classes: readonly ClusterClass[]
  measures: Measures
  signal: AbortSignal
  onProgress(share: number): void
}

/** One way of writing labels. */
export interface ExportFormat {
  /** Names of all files that it will write into a folder. */
  files(items: readonly ExportItem[], classes: readonly ClusterClass[], measures: Measures, folder: string): string[]
  /** Names of files that an earlier export of other labels may have left beside these, and that would be taken for theirs. */
  outdated?(items: readonly ExportItem[], measures: Measures): string[]
  /** Sentences about an export that the user should know. */
  notes?(items: readonly ExportItem[], folder: string): string[]
  /** Refuses images that the format cannot hold, before anything is written. @throws PlaceUnknown */
  check?(items: readonly ExportItem[]): void
  /** It lists paths in a text file, one a line. */
  inList?: true
  write(context: ExportContext): Promise<void>
}
