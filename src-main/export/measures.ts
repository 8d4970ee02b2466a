import { basename } from 'node:path'
import { type Measures, NO_LABEL, SURE } from '../contract/labels.ts'
import { tagsOfCells } from '../imagery/georeference.ts'
import { scoped } from '../imagery/scoped.ts'
import { confidenceOf, writeHeatmap } from '../labels/heatmaps.ts'
import { type RasterNotes, tileSide } from '../labels/tiffFile.ts'
import { writeLabels } from '../labels/writeLabels.ts'
import type { ExportContext, ExportItem } from './format.ts'
import { throughRaster, writeOptimised } from './optimised.ts'

const NAMES: Record<keyof Measures, (stem: string) => string> = {
  confidence: (stem) => `${stem}.confidence.tif`,
  probabilities: (stem) => `${stem}.probabilities.tif`
}

/** Returns the names of the confidence and probability files that are written with an image's labels. */
export function measureNames(stem: string, measures: Measures): string[] {
  return (Object.keys(NAMES) as (keyof Measures)[])
    .filter((measure) => measures[measure])
    .map((measure) => NAMES[measure](stem))
}

/** Returns the names of such files that an earlier export may have left and that don't match these labels. */
export function otherMeasureNames(stem: string, measures: Measures): string[] {
  return (Object.keys(NAMES) as (keyof Measures)[])
    .filter((measure) => !measures[measure])
    .map((measure) => NAMES[measure](stem))
}

/**
 * Writes the confidence of an image's classes. `confidence`, on the image's grid, is the probability of each pixel's
 * most probable class. `probabilities`, on the network's grid, has a band for each class. Both are stored in steps of
 * 1/254.
 * @throws Cancelled, DiskFull, FolderNotWritable
 */
export async function writeMeasures(
  item: ExportItem,
  { out, classes, measures, signal }: ExportContext
): Promise<void> {
  const steps = { nodata: NO_LABEL, step: 1 / SURE }
  if (measures.confidence) {
    const notes: RasterNotes = { ...steps, tags: item.georeference?.tags ?? [], names: ['Confidence'] }
    await using heatmap = scoped(await item.openHeatmap!())
    await using labels = scoped(await item.open())
    const confidence = confidenceOf(heatmap, labels)
    await out.stream(NAMES.confidence(item.stem), (handle, path) =>
      throughRaster(path, async (raster) => {
        const file = {
          width: item.width,
          height: item.height,
          tile: tileSide(item),
          overviews: 'mean' as const,
          notes,
          key: basename(path)
        }
        await writeLabels(raster, file, (window) => confidence.read(window, signal), signal)
        await writeOptimised(handle, raster, item, notes)
      })
    )
  }
  if (measures.probabilities) {
    await using heatmap = scoped(await item.openHeatmap!())
    const notes: RasterNotes = {
      ...steps,
      tags: item.georeference ? tagsOfCells(item.georeference, heatmap.cell) : [],
      names: classes.map(({ name }) => name)
    }
    await out.stream(NAMES.probabilities(item.stem), (handle, path) =>
      throughRaster(path, async (raster) => {
        await writeHeatmap(raster, heatmap, { notes, key: basename(path) }, signal)
        await writeOptimised(handle, raster, heatmap, notes)
      })
    )
  }
}
