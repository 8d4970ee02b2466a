import type { ClusterClass, Measures } from '../contract/labels.ts'
import type { GroundAreas } from '../imagery/crs/groundArea.ts'
import type { Georeference } from '../imagery/georeference.ts'
import type { Size } from '../imagery/raster.ts'
import type { Heatmap } from '../labels/heatmaps.ts'
import type { LabelSource } from '../labels/source.ts'
import type { OutFolder } from './outFolder.ts'

/** The labels of one image to export. */
export interface ExportItem extends Size {
  /** Path of the image in its catalogue. */
  path: string
  /** The image itself, which may no longer exist. */
  file: string
  /** Base name of the exported files, without extension; unique among all items. */
  stem: string
  /** Name of the GeoPackage layer; unique among all items. */
  layer: string
  georeference?: Georeference
  /** Ground areas of the pixels, if known. */
  ground?: GroundAreas
  /** Path of a label raster with exactly these labels, if there is one. */
  raster?: string
  open(): Promise<LabelSource>
  /** Opens the probabilities of the classes, if heatmaps were saved. */
  openHeatmap?(): Promise<Heatmap>
}

/** Everything that a format needs to write its files. */
export interface ExportContext {
  out: OutFolder
  items: readonly ExportItem[]
  /** Names and colours of the labels, from 0. */
  classes: readonly ClusterClass[]
  measures: Measures
  signal: AbortSignal
  onProgress(share: number): void
}

/** A format that labels can be exported to. */
export interface ExportFormat {
  /** Returns the names of all files that the format will write into a folder. */
  files(items: readonly ExportItem[], classes: readonly ClusterClass[], measures: Measures, folder: string): string[]
  /** Returns the names of files from an earlier export that would be mistaken for part of this one. */
  outdated?(items: readonly ExportItem[], measures: Measures): string[]
  /** Returns notes about the export for the user. */
  notes?(items: readonly ExportItem[], folder: string): string[]
  /** Rejects images that the format can't represent, before anything is written. @throws PlaceUnknown */
  check?(items: readonly ExportItem[]): void
  /** True if the format lists paths in a text file, one per line. */
  inList?: true
  write(context: ExportContext): Promise<void>
}
