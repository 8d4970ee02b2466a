import { stat } from 'node:fs/promises'
import { SmaltiError } from '../../contract/errors.ts'
import type { CleanUp, ExportFormatName, Measures } from '../../contract/labels.ts'
import type { ExportItem } from '../../export/format.ts'
import { FORMATS } from '../../export/formats.ts'
import { checkOutFolder, openOutFolder } from '../../export/outFolder.ts'
import { pixelArea } from '../../imagery/georeference.ts'
import type { Size } from '../../imagery/raster.ts'
import { georeferenceOfFile } from '../../imagery/openRaster.ts'
import { cleaned } from '../../labels/cleaned.ts'
import { type Layer, corrected } from '../../labels/corrections.ts'
import { openHeatmap } from '../../labels/heatmaps.ts'
import { openLabels, translated } from '../../labels/source.ts'
import { type LabelledImage, labelSetOf, loadLabelIndex, storedHead } from '../../project/labelSets.ts'
import { openProject } from '../../project/project.ts'
import { following, loadScheme, tableOf } from '../../project/scheme.ts'
import { loadLayers } from '../correcting.ts'
import { exportModel } from '../exportModel.ts'
import { exportReport } from '../exportReport.ts'
import type { Job } from '../job.ts'

export const exportJob: Job<'export'> = async (input, context) => {
  const { project: folder, format: name, out, head, images, cleanUp, measures = {}, what, only, plan, overwrite } = input
  const { signal, onProgress } = context
  const project = await openProject(folder)
  const measured = measures.confidence || measures.probabilities
  if (measured && name !== 'geotiff') throw new SmaltiError('InvalidSetting', { setting: measures.confidence ? 'confidence' : 'probabilities', reason: 'is written beside label GeoTIFFs only (--format geotiff)' })
  if (name === 'onnx') return exportModel(project, input, context)
  const set = labelSetOf(project, images)
  const whole = await loadLabelIndex(project, set)
  if (!whole || whole.images.length === 0) throw new SmaltiError('NothingSegmented', { path: folder })
  const unknown = only?.find((path) => whole.images.every((image) => image.path !== path))
  if (unknown !== undefined) throw new SmaltiError('InvalidSetting', { setting: 'only', reason: `${unknown} is none of the segmented images` })
  const index = only ? { ...whole, images: whole.images.filter(({ path }) => only.includes(path)) } : whole
  if (name === 'report') return exportReport(project, set, index, input, context)
  const without = index.images.find(({ heatmaps }) => !heatmaps)
  if (measured && without) throw new SmaltiError('HeatmapsMissing', { path: without.path })
  const found = what === 'clusters'
  const scheme = found ? undefined : await loadScheme(project, head)
  const stems = uniqueStems(whole.images.map(({ path }) => path))
  const items: ExportItem[] = []
  // One after the other: thousands of files cannot be open at a time.
  const classes = scheme ? scheme.classes.map(({ name: label, colour }) => ({ name: label, colour })) : index.classes[head]
  const layers = await loadLayers(project, set)
  for (const image of index.images) {
    const { table, ...stored } = storedHead(set, index, image, head)
    const classOf = scheme && tableOf(scheme)
    const corrections = { layer: found ? undefined : layers(head, image.path), table: classOf }
    items.push(await itemOf(image, stems.get(image.path)!, { ...stored, table: following(table, classOf), corrections, classes: classes.length }, cleanUp))
  }
  const format = FORMATS[name]
  const names = format.files(items, classes, measures)
  const territory = { sources: whole.sources, images: whole.images.map(({ file }) => file), project: folder }
  const outcome = { files: names.filter((file) => file !== 'classes.json').length, names: names.slice(0, NAMED), head, format: name }
  if (plan) return { out: (await checkOutFolder(out, names, territory, overwrite)).folder, ...outcome, bytes: await bytesOf(name, index.images.map((image) => ({ ...image, ...storedHead(set, index, image, head) })), measures) }
  const target = await openOutFolder(out, names, territory, overwrite)
  await format.write({ out: target, items, classes, measures, signal, onProgress: (share) => onProgress({ stage: 'Exporting', share }) })
  await target.finish(format.outdated?.(items, measures) ?? [])
  return { out: target.folder, ...outcome }
}

/** Names of files that are told. */
const NAMED = 6

/** About how many bytes rasters will take: as many as those that are stored; undefined for what depends on the labels' shapes. */
async function bytesOf(format: ExportFormatName, images: readonly (Size & { raster: string; heatmap?: string })[], measures: Measures): Promise<number | undefined> {
  if (format === 'npy') return images.reduce((sum, { width, height }) => sum + width * height + 128, 0)
  if (format !== 'geotiff' && format !== 'png' && format !== 'png-palette') return undefined
  let bytes = 0
  for (const { raster, heatmap } of images) {
    bytes += (await stat(raster)).size
    if (heatmap !== undefined && measures.probabilities) bytes += (await stat(heatmap)).size
  }
  // What is told of each pixel's class is less regular than the classes.
  return measures.confidence ? 3 * bytes : bytes
}

/** Labels as they are stored, and the class of each value where they are not the classes themselves. */
interface StoredLabels {
  raster: string
  heatmap?: string
  table?: Uint8Array
  corrections: { layer?: Layer; table?: Uint8Array }
  classes: number
}

async function itemOf({ path, file, page, width, height, heatmaps }: LabelledImage, stem: string, { raster, heatmap, table, corrections, classes }: StoredLabels, cleanUp: CleanUp | undefined): Promise<ExportItem> {
  // The image itself may have gone since; its labels have its place too.
  const georeference = raster.endsWith('.tif') ? await georeferenceOfFile({ file: raster }) : await georeferenceOfFile({ file, page, placed: true }).catch(() => undefined)
  const whole = georeference && (await georeferenceOfFile({ file, page, placed: true }).catch(() => undefined))
  const place = georeference && { ...georeference, wkt: whole?.wkt, crs: georeference.crs ?? whole?.crs, epsg: georeference.epsg ?? whole?.epsg, geographic: whole?.geographic ?? georeference.geographic }
  const area = pixelArea(place, { width, height })
  const changed = table !== undefined || cleanUp !== undefined || corrections.layer !== undefined
  return {
    path, stem, width, height,
    georeference: place,
    pixelArea: area,
    raster: changed || !raster.endsWith('.tif') ? undefined : raster,
    async open() {
      const labels = translated(await openLabels(raster), table)
      // What was drawn by hand is not cleaned away.
      return corrected(cleanUp ? cleaned(labels, cleanUp, area === undefined ? undefined : Math.sqrt(area)) : labels, corrections.layer, corrections.table)
    },
    openHeatmap: heatmap === undefined ? undefined : () => openHeatmap(heatmap, heatmaps!.cell, table && { table, classes })
  }
}

/** `a/b.jpg` becomes `a/b`, unless another image would take the same name; then endings stay. */
function uniqueStems(paths: readonly string[]): Map<string, string> {
  const stem = (path: string): string => path.replace(/\.[^./]+$/, '')
  const counts = new Map<string, number>()
  for (const path of paths) counts.set(stem(path).toLowerCase(), (counts.get(stem(path).toLowerCase()) ?? 0) + 1)
  return new Map(paths.map((path) => [path, counts.get(stem(path).toLowerCase())! > 1 ? path : stem(path)]))
}
