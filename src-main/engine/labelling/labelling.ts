import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { z } from 'zod'
import type { Backend } from '../../backends/program.ts'
import { clusterColours, clusterNames } from '../../classes/palette.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { BandStatistics, CatalogueImage, SkippedFile } from '../../contract/imagery.ts'
import { NO_LABEL, SURE } from '../../contract/labels.ts'
import { tagsOfCells } from '../../imagery/georeference.ts'
import { georeferenceOfFile } from '../../imagery/reading/openRaster.ts'
import type { Sight } from '../../imagery/pictures.ts'
import { disposed, stopped } from '../../imagery/scoped.ts'
import { type HeatmapFile, HeatmapWriter, cellRowsWritten } from '../../labels/heatmaps.ts'
import { type RasterFile, RasterWriter, discardUnfinished, rowsWritten } from '../../labels/writer.ts'
import { type RasterNotes, tileSide } from '../../labels/tiffFile.ts'
import { readIfPresent, writeFileSafely } from '../../project/files.ts'
import type { Cut, LabelIndex, LabelledImage } from '../../project/labelSets.ts'
import { type HeadSums, headSums, joinedSums } from '../../segmentation/clusterSums.ts'
import {
  type Block,
  type Plan,
  blockRows,
  blocksOf,
  cellGrid,
  cellRowsAbove,
  planOf,
  tilesOf
} from '../../segmentation/plan.ts'
import { type Model, type Sink, createSegmenter } from '../../segmentation/segment.ts'
import type { JobContext } from '../job.ts'
import { startWindowSource } from './windowSource.ts'

/** Everything that labels depend on besides the images. */
export interface Labeller {
  /** Folder of the project that the labels belong to. */
  project: string
  backend: Backend
  /** The network, with the heads whose labels are stored. */
  model: Model
  /** The other heads, which group the clusters of a stored head. */
  cuts: Record<string, Cut>
  statistics: BandStatistics
  sight: Sight
  key: string
}

/** Rows of tiles of an image that are labelled into rasters of their own, one per head. */
export interface Task {
  image: CatalogueImage
  plan: Plan
  fromRow: number
  toRow: number
  /** Absolute paths of the rasters by head. */
  rasters: Record<string, string>
  /** Absolute paths of the heatmaps by head, if they are saved. */
  heatmaps?: Record<string, string>
}

/** Makes a task of a whole image, or of some of its rows. */
export function taskOf(
  { model, sight }: Labeller,
  image: CatalogueImage,
  { rasters, heatmaps }: Partial<Pick<Task, 'rasters' | 'heatmaps'>> = {},
  rows?: { from: number; to: number }
): Task {
  const plan = planOf(model.architecture, image, sight.scale, tileSide(image))
  return {
    image,
    plan,
    fromRow: rows?.from ?? 0,
    toRow: rows?.to ?? tilesOf(plan).rows,
    rasters: rasters ?? {},
    heatmaps
  }
}

/** Returns all files of a task. */
export const filesOf = ({ rasters, heatmaps }: Task): string[] => [
  ...Object.values(rasters),
  ...Object.values(heatmaps ?? {})
]

/** Bytes of image data that the reading thread may cache. */
const KEPT_BYTES = 256 * 2 ** 20

/**
 * Labels tasks one after the other. Windows are read ahead on a thread of their own, tiles are packed and written while
 * the network continues, and only the windows in progress are in memory. Rows that an earlier process wrote are not
 * labelled again.
 *
 * @param onDone  called when a task's rasters are complete, with the sums over its pixels
 * @returns       share of the time in which the network waited to read or write
 * @throws Cancelled, DiskFull, FolderNotWritable; a later call resumes from the rows written
 */
export async function labelTasks(
  labeller: Labeller,
  tasks: readonly Task[],
  context: JobContext,
  onDone: (task: Task, sums: HeadSums) => Promise<void>,
  onSkipped: (file: SkippedFile) => void
): Promise<{ waitingShare: number }> {
  const {
    model: { architecture },
    statistics,
    sight
  } = labeller
  await using segmenter = disposed(createSegmenter(labeller.backend, labeller.model))
  let stage = 'Segmenting'
  await using source = stopped(
    startWindowSource({ sight, statistics, keptBytes: KEPT_BYTES }, context.signal, (path, share) =>
      context.onProgress({ stage: `Preparing a tiled copy of ${path}`, share })
    )
  )
  const started = performance.now()
  const weightOf = (task: Task): number => task.image.width * (task.toRow - task.fromRow) * task.plan.tile
  const total = tasks.reduce((sum, task) => sum + weightOf(task), 0)
  const begun = new Map<Task, Begun>()
  for (const task of tasks) {
    if (filesOf(task).some((path) => existsSync(`${path}.rows`)))
      begun.set(task, await begunAt(task, await rowToGoOnWith(labeller, task)))
  }
  const beginning = (task: Task): Begun => begun.get(task) ?? { row: task.fromRow, sums: {} }
  const requests = function* (
    from: number
  ): Generator<{ image: CatalogueImage; window: Block['regions'][number]['window'] }> {
    for (const task of tasks.slice(from)) {
      for (const { regions } of blocksOf(task.plan, architecture, beginning(task).row, task.toRow))
        for (const { window } of regions) yield { image: task.image, window }
    }
  }
  let done = 0
  source.restart(requests(0))
  for (const [number, task] of tasks.entries()) {
    stage = `Segmenting ${task.image.path}`
    await context.whenResumed()
    const onRows = (rows: number): void => {
      const share = (done + weightOf({ ...task, toRow: rows })) / total
      const elapsed = (performance.now() - started) / 1e3
      context.onProgress({ stage, share, remaining: share > 0 ? (elapsed * (1 - share)) / share : undefined })
    }
    try {
      await onDone(
        task,
        await labelTask(labeller, task, beginning(task), segmenter, () => source.next(), context.signal, onRows)
      )
      await rm(sumsPath(task), { force: true })
    } catch (fault) {
      if (!(fault instanceof SmaltiError) || (fault.name !== 'UnreadableImage' && fault.name !== 'AreaUnreachable'))
        throw fault
      const file = {
        path: task.image.path,
        reason: fault.name === 'UnreadableImage' ? String(fault.details.reason) : fault.message
      }
      for (const path of filesOf(task)) await discardUnfinished(path)
      await rm(sumsPath(task), { force: true })
      onSkipped(file)
      context.onProgress({ stage, skipped: file })
      source.restart(requests(number + 1))
    }
    done += weightOf(task)
  }
  return { waitingShare: segmenter.waited() / Math.max(performance.now() - started, 1) }
}

/** Returns the metadata of an image's whole label raster. */
export async function notesOf({ model }: Labeller, image: CatalogueImage, head: string): Promise<RasterNotes> {
  const { clusters } = model.architecture.heads.find(({ name }) => name === head)!
  return { tags: (await georeferenceOfFile(image))?.tags ?? [], colours: clusterColours(clusters), nodata: NO_LABEL }
}

/** Returns the size and metadata of an image's heatmap, or of some of its rows. */
export async function heatmapFileOf(
  labeller: Labeller,
  { image, plan, fromRow, toRow }: Task,
  head: string
): Promise<HeatmapFile> {
  const { architecture } = labeller.model
  const { width, cell } = cellGrid(plan, architecture)
  const { clusters } = architecture.heads.find(({ name }) => name === head)!
  const [top, bottom] = [fromRow, toRow].map((row) => cellRowsAbove(plan, architecture, row))
  const georeference = isWhole({ plan, fromRow, toRow }) ? await georeferenceOfFile(image) : undefined
  const notes: RasterNotes = {
    tags: georeference ? tagsOfCells(georeference, cell) : [],
    nodata: NO_LABEL,
    names: clusterNames(clusters).map(({ name }) => name),
    step: 1 / SURE
  }
  return { width, height: bottom - top, top, clusters, notes, key: keyOfImage(labeller, image) }
}

const isWhole = ({ plan, fromRow, toRow }: Pick<Task, 'plan' | 'fromRow' | 'toRow'>): boolean =>
  fromRow === 0 && toRow === tilesOf(plan).rows
const keyOfImage = ({ key }: Labeller, { size = 0, modified = 0, page }: CatalogueImage): string =>
  `${key} ${size} ${modified}${page === undefined ? '' : ` page ${page}`}`

/** Returns the first row of tiles that an earlier process did not write, at the start of a block. */
async function rowToGoOnWith(labeller: Labeller, task: Task): Promise<number> {
  const { plan, fromRow, toRow, rasters, heatmaps = {} } = task
  const rows = await Promise.all(
    Object.entries(rasters).map(async ([head, path]) => rowsWritten(path, await fileOf(labeller, task, head)))
  )
  const cells = await Promise.all(
    Object.entries(heatmaps).map(async ([head, path]) =>
      cellRowsWritten(path, await heatmapFileOf(labeller, task, head))
    )
  )
  const told = fromRow + Math.min(...rows)
  let first = fromRow
  for (
    let next = first;
    next <= told && cells.every((written) => cellRowsAbove(plan, labeller.model.architecture, next) <= written);
    next = Math.min(first + blockRows(plan), toRow)
  ) {
    first = next
    if (first === toRow) break
  }
  return first
}

/** The row from which a partly labelled image resumes, and the sums up to it. */
const begunTask = z.object({ row: z.int(), sums: headSums })
type Begun = z.infer<typeof begunTask>

/** Number of states kept: rasters report several rows later, and all at once, that they are written. */
const ROWS_TOLD = 8

const sumsPath = (task: Task): string => `${filesOf(task)[0]}.sums`

/** Returns where a task resumes: at its beginning if the sums up to the written row are unknown. */
async function begunAt(task: Task, row: number): Promise<Begun> {
  const told = await readIfPresent(sumsPath(task))
  const states = told ? z.array(begunTask).parse(JSON.parse(told.toString())) : []
  return states.find((state) => state.row === row) ?? { row: task.fromRow, sums: {} }
}

/** Returns names and colours of the clusters of all heads. */
export function classesOf(labeller: Labeller): LabelIndex['classes'] {
  return Object.fromEntries(
    Object.entries(clusterCounts(labeller)).map(([name, clusters]) => [name, clusterNames(clusters)])
  )
}

/** Returns the number of clusters of each head. */
export function clusterCounts({ model, cuts }: Pick<Labeller, 'model' | 'cuts'>): Record<string, number> {
  const stored = model.architecture.heads.map(({ name, clusters }) => [name, clusters])
  return Object.fromEntries([
    ...stored,
    ...Object.entries(cuts).map(([name, { groups }]) => [name, Math.max(...groups) + 1])
  ])
}

/** Returns the entry of a labelled image in its set's index. */
export function entryOf(
  labeller: Labeller,
  image: CatalogueImage,
  rasters: Record<string, string>,
  heatmaps?: Record<string, string>
): LabelledImage {
  const { path, file, page, width, height, size, modified } = image
  const { cell } = cellGrid(taskOf(labeller, image).plan, labeller.model.architecture)
  return { path, file, page, width, height, size, modified, rasters, heatmaps: heatmaps && { cell, rasters: heatmaps } }
}

/** Returns the size and metadata of a head's raster for a task. */
async function fileOf(labeller: Labeller, { image, plan, fromRow, toRow }: Task, head: string): Promise<RasterFile> {
  const notes = await notesOf(labeller, image, head)
  return {
    width: image.width,
    height: Math.min(toRow * plan.tile, image.height) - fromRow * plan.tile,
    tile: plan.tile,
    key: keyOfImage(labeller, image),
    notes: isWhole({ plan, fromRow, toRow }) ? notes : { ...notes, tags: [] }
  }
}

async function labelTask(
  labeller: Labeller,
  task: Task,
  { row: firstRow, sums: before }: Begun,
  segmenter: ReturnType<typeof createSegmenter>,
  read: Parameters<typeof segmenter.label>[2],
  signal: AbortSignal,
  onRows: (rows: number) => void
): Promise<HeadSums> {
  const { plan, fromRow, toRow, rasters, heatmaps } = task
  // Writers create folders, and would bring back the old folder of a project that was moved.
  if (!existsSync(labeller.project)) throw new SmaltiError('ProjectNotFound', { path: labeller.project })
  const { architecture } = labeller.model
  const writers: Record<string, RasterWriter> = {}
  const heatWriters: Record<string, HeatmapWriter> = {}
  const { columns } = tilesOf(plan)
  let sums = before
  let told: Begun[] = []
  const sink: Sink = {
    async tile(column, row, labels) {
      // After a kill, one head may have more rows on disk than another.
      await Promise.all(
        Object.entries(writers).map(([head, writer]) =>
          row - fromRow < writer.rowsDone ? undefined : writer.write(column, row - fromRow, labels[head])
        )
      )
    },
    sums(found) {
      sums = Object.fromEntries(
        Object.entries(found).map(([head, more]) => [head, joinedSums([sums[head] ?? [], more])])
      )
    },
    ...(heatmaps && {
      cells: async (cells, probabilities) =>
        void (await Promise.all(
          Object.entries(heatWriters).map(([head, writer]) => writer.add(cells, probabilities[head]))
        ))
    })
  }
  try {
    for (const [head, path] of Object.entries(rasters))
      writers[head] = await RasterWriter.open(path, await fileOf(labeller, task, head))
    for (const [head, path] of Object.entries(heatmaps ?? {}))
      heatWriters[head] = await HeatmapWriter.open(path, await heatmapFileOf(labeller, task, head))
    for (const block of blocksOf(plan, architecture, firstRow, toRow)) {
      if (signal.aborted) throw new SmaltiError('Cancelled')
      await segmenter.label(plan, block, read, sink)
      if (block.column + block.across < columns) continue
      const rows = block.row + block.down
      told = [{ row: rows, sums }, ...told].slice(0, ROWS_TOLD)
      if (rows < toRow) await writeFileSafely(sumsPath(task), JSON.stringify(told))
      for (const writer of Object.values(heatWriters)) await writer.endRows(cellRowsAbove(plan, architecture, rows))
      for (const writer of Object.values(writers))
        if (rows - fromRow > writer.rowsDone) await writer.endRows(rows - fromRow)
      onRows(rows)
    }
    for (const writer of [...Object.values(heatWriters), ...Object.values(writers)]) await writer.finish()
    return sums
  } catch (fault) {
    for (const writer of [...Object.values(heatWriters), ...Object.values(writers)])
      await writer.pause().catch(() => undefined)
    throw fault
  }
}
