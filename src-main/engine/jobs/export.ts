import { stat } from 'node:fs/promises'
import { SmaltiError } from '../../contract/errors.ts'
import type { CleanUp, ExportFormatName, Measures } from '../../contract/labels.ts'
import type { ExportItem } from '../../export/format.ts'
import { FORMATS } from '../../export/formats.ts'
import { checkOutFolder, openOutFolder } from '../../export/outFolder.ts'
import { NAMES_FILE, isRenamed, layersOf, namesTable, stemsOf } from '../../export/stems.ts'
import { groundAreas } from '../../imagery/crs/groundArea.ts'
import type { Size } from '../../imagery/raster.ts'
import { cleaned } from '../../labels/cleaned.ts'
import { type Layer, corrected } from '../../labels/corrections.ts'
import { openHeatmap } from '../../labels/heatmaps.ts'
import { openLabels, translated } from '../../labels/source.ts'
import {
  type LabelIndex,
  type LabelSet,
  type LabelledImage,
  labelSetOf,
  loadLabelIndex,
  storedHead
} from '../../project/labelSets.ts'
import { type Project, openProject } from '../../project/project.ts'
import { following, loadScheme, tableOf } from '../../project/scheme.ts'
import { loadLayers } from '../labelling/correcting.ts'
import { exportModel } from '../exporting/exportModel.ts'
import { exportReport } from '../exporting/exportReport.ts'
import { labelPlace } from '../labelling/labelPlace.ts'
import type { Job } from '../job.ts'

type Input = Parameters<Job<'export'>>[0]

/** Exports labels, a report or the network of a run. */
export const exportJob: Job<'export'> = async (input, context) => {
  const { project: folder, format: name, out, images, measures = {}, only } = input
  const project = await openProject(folder)
  const measured = measures.confidence || measures.probabilities
  if (measured && name !== 'geotiff')
    throw new SmaltiError('InvalidSetting', {
      setting: measures.confidence ? 'confidence' : 'probabilities',
      reason: 'only available with label GeoTIFFs'
    })
  if (name === 'onnx') return exportModel(project, input, context)
  const set = labelSetOf(project, images)
  const whole = await loadLabelIndex(project, set)
  if (!whole || whole.images.length === 0) throw new SmaltiError('NothingSegmented', { path: folder })
  const index = only ? { ...whole, images: chosenImages(whole.images, only) } : whole
  if (name === 'report') return exportReport(project, set, index, input, context)
  const without = index.images.find(({ heatmaps }) => !heatmaps)
  if (measured && without) throw new SmaltiError('HeatmapsMissing', { path: without.path })

  const format = FORMATS[name]
  const stems = stemsOf(
    whole.images.map(({ path }) => path),
    format.inList
  )
  const { items, classes } = await labelledItems(project, set, index, stems, input, context.signal)
  format.check?.(items)
  const filesOf = (list: readonly ExportItem[]): string[] => format.files(list, classes, measures, out)
  const shared = new Set(filesOf([]))
  const renamed = items
    .filter(isRenamed)
    .flatMap((item) => filesOf([item]).flatMap((file) => (shared.has(file) ? [] : [{ file, image: item.path }])))
  const names = [...filesOf(items), ...(renamed.length > 0 ? [NAMES_FILE] : [])]
  const notes = [
    ...(renamed.length > 0 ? [`Some files have different names from their images. ${NAMES_FILE} lists them.`] : []),
    ...(format.notes?.(items, out) ?? [])
  ]
  const outcome = {
    files: names.filter((file) => !UNCOUNTED.has(file)).length,
    names: names.slice(0, NAMED),
    notes,
    head: input.head,
    format: name
  }
  const territory = { sources: whole.sources, images: whole.images.map(({ file }) => file), project: folder }
  if (input.plan) {
    const stored = index.images.map((image) => ({ ...image, ...storedHead(set, index, image, input.head) }))
    const checked = await checkOutFolder(out, names, territory, input.overwrite)
    return { out: checked.folder, ...outcome, bytes: await bytesOf(name, stored, measures) }
  }
  await using target = await openOutFolder(out, names, territory, input.overwrite)
  const onProgress = (share: number): void => context.onProgress({ stage: 'Exporting', share })
  await format.write({ out: target, items, classes, measures, signal: context.signal, onProgress })
  if (renamed.length > 0) await target.write(NAMES_FILE, namesTable(renamed))
  await target.finish([...(format.outdated?.(items, measures) ?? []), ...(renamed.length > 0 ? [] : [NAMES_FILE])])
  return { out: target.folder, ...outcome }
}

/** Returns the images that were asked for. @throws InvalidSetting naming one that isn't segmented */
function chosenImages(images: readonly LabelledImage[], only: readonly string[]): LabelledImage[] {
  const unknown = only.find((path) => images.every((image) => image.path !== path))
  if (unknown !== undefined)
    throw new SmaltiError('InvalidSetting', { setting: 'only', reason: `${unknown} isn't one of the segmented images` })
  return images.filter(({ path }) => only.includes(path))
}

/** Returns what a format writes of each image, and the classes of its labels. */
async function labelledItems(
  project: Project,
  set: LabelSet,
  index: LabelIndex,
  stems: ReadonlyMap<string, string>,
  { head, what, cleanUp }: Input,
  signal: AbortSignal
): Promise<{ items: ExportItem[]; classes: { name: string; colour: string }[] }> {
  const found = what === 'clusters'
  const scheme = found ? undefined : await loadScheme(project, head)
  const layers = layersOf(stems)
  const classes = scheme
    ? scheme.classes.map(({ name: label, colour }) => ({ name: label, colour }))
    : index.classes[head]
  const layersOfCorrections = await loadLayers(project, set)
  const items: ExportItem[] = []
  // Opened one after the other, because thousands of files can't be open at once.
  for (const image of index.images) {
    const { table, ...stored } = storedHead(set, index, image, head)
    const classOf = scheme && tableOf(scheme)
    const corrections = { layer: found ? undefined : layersOfCorrections(head, image.path), table: classOf }
    items.push(
      await itemOf(
        image,
        { stem: stems.get(image.path)!, layer: layers.get(image.path)! },
        { ...stored, table: following(table, classOf), corrections, classes: classes.length },
        cleanUp,
        signal
      )
    )
  }
  return { items, classes }
}

/** Files that accompany the exported ones and aren't counted. */
const UNCOUNTED = new Set(['classes.json', NAMES_FILE])
/** The number of file names that the plan shows. */
const NAMED = 6

/**
 * Estimates the bytes that rasters take from the size of the stored ones; undefined for formats whose size depends on
 * the labels' shapes.
 */
async function bytesOf(
  format: ExportFormatName,
  images: readonly (Size & { raster: string; heatmap?: string; size?: number })[],
  measures: Measures
): Promise<number | undefined> {
  // The labels are small compared with the images that are copied.
  if (format === 'yolo') return images.reduce((sum, { size = 0 }) => sum + size, 0)
  if (format === 'npy') return images.reduce((sum, { width, height }) => sum + width * height + 128, 0)
  if (format !== 'geotiff' && format !== 'png' && format !== 'png-palette') return undefined
  let bytes = 0
  for (const { raster, heatmap } of images) {
    bytes += (await stat(raster)).size
    if (heatmap !== undefined && measures.probabilities) bytes += (await stat(heatmap)).size
  }
  // Confidence varies more from pixel to pixel than classes do, so it compresses worse.
  return measures.confidence ? 3 * bytes : bytes
}

/** The stored labels, with a table from their values to classes unless they are classes already. */
interface StoredLabels {
  raster: string
  heatmap?: string
  table?: Uint8Array
  corrections: { layer?: Layer; table?: Uint8Array }
  classes: number
}

async function itemOf(
  { path, file, page, width, height, heatmaps }: LabelledImage,
  names: Pick<ExportItem, 'stem' | 'layer'>,
  { raster, heatmap, table, corrections, classes }: StoredLabels,
  cleanUp: CleanUp | undefined,
  signal: AbortSignal
): Promise<ExportItem> {
  const georeference = await labelPlace({ file, page, placed: true }, raster, signal)
  const ground = groundAreas(georeference, { width, height })
  const changed = table !== undefined || cleanUp !== undefined || corrections.layer !== undefined
  return {
    path,
    file,
    ...names,
    width,
    height,
    georeference,
    ground,
    raster: changed || !raster.endsWith('.tif') ? undefined : raster,
    async open() {
      const labels = translated(await openLabels(raster), table)
      try {
        // Corrections drawn by hand are not cleaned up.
        return corrected(cleanUp ? cleaned(labels, cleanUp, ground) : labels, corrections.layer, corrections.table)
      } catch (fault) {
        await labels.close()
        throw fault
      }
    },
    openHeatmap:
      heatmap === undefined ? undefined : () => openHeatmap(heatmap, heatmaps!.cell, table && { table, classes })
  }
}
