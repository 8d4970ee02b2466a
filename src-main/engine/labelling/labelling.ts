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
  type Model,
  type Plan,
  type Sink,
  blockRows,
  blocksOf,
  cellGrid,
  cellRowsAbove,
  createSegmenter,
  planOf,
  tilesOf
} from '../../segmentation/segment.ts'
import type { JobContext } from '../job.ts'
import { startWindowSource } from './windowSource.ts'

/** What labels depend on besides the images. */
export interface Labeller {
  /** Folder of the project that the labels are for. */
  project: string
  backend: Backend
  /** With the heads whose labels are stored. */
  model: Model
  /** The other heads, which are groups of their clusters. */
  cuts: Record<string, Cut>
  statistics: BandStatistics
  sight: Sight
  key: string
}

/** Tile rows of an image that are labelled into rasters of their own, one a head. */
export interface Task {
  image: CatalogueImage
  plan: Plan
  fromRow: number
  toRow: number
  /** Absolute paths of the rasters by head. */
  rasters: Record<string, string>
  /** The same of heatmaps, where they are to be kept. */
  heatmaps?: Record<string, string>
}

/** All of an image, or some of its rows. */
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

/** All files of a task. */
export const filesOf = ({ rasters, heatmaps }: Task): string[] => [
  ...Object.values(rasters),
  ...Object.values(heatmaps ?? {})
]

/** Values of scenes that the reading thread keeps at hand, in bytes. */
const KEPT_BYTES = 256 * 2 ** 20

/**
 * Labels tasks one after the other: windows are read ahead on a thread of their own, tiles are packed and written
 * while the network goes on, and nothing is ever held of a scene but what lies between. Rows that an earlier process
 * wrote are not labelled again.
 *
 * @param onDone  called when a task's rasters are complete, with what was added up meanwhile
 * @returns       share of the time in which the network waited to be fed or relieved
 * @throws Cancelled, DiskFull, FolderNotWritable; what was written by then is gone on with
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
      context.onProgress({ stage: `Preparing ${path}, which cannot be read in parts`, share })
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

/** What an image's whole label raster says of itself. */
export async function notesOf({ model }: Labeller, image: CatalogueImage, head: string): Promise<RasterNotes> {
  const { clusters } = model.architecture.heads.find(({ name }) => name === head)!
  return { tags: (await georeferenceOfFile(image))?.tags ?? [], colours: clusterColours(clusters), nodata: NO_LABEL }
}

/** What an image's heatmap says of itself, or that of some of its rows. */
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

/** The first row of tiles that an earlier process did not write, the beginning of a block. */
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

/** Where an image that is labelled in part goes on, and what was added up before. */
const begunTask = z.object({ row: z.int(), sums: headSums })
type Begun = z.infer<typeof begunTask>

/** Rasters say how far they are some rows later, all at once. */
const ROWS_TOLD = 8

const sumsPath = (task: Task): string => `${filesOf(task)[0]}.sums`

/** Where a task goes on: from its beginning, rasters apart, if what was added up until the row is not known. */
async function begunAt(task: Task, row: number): Promise<Begun> {
  const told = await readIfPresent(sumsPath(task))
  const states = told ? z.array(begunTask).parse(JSON.parse(told.toString())) : []
  return states.find((state) => state.row === row) ?? { row: task.fromRow, sums: {} }
}

/** Names and colours of the clusters of all heads. */
export function classesOf(labeller: Labeller): LabelIndex['classes'] {
  return Object.fromEntries(
    Object.entries(clusterCounts(labeller)).map(([name, clusters]) => [name, clusterNames(clusters)])
  )
}

/** How many clusters each head has. */
export function clusterCounts({ model, cuts }: Pick<Labeller, 'model' | 'cuts'>): Record<string, number> {
  const stored = model.architecture.heads.map(({ name, clusters }) => [name, clusters])
  return Object.fromEntries([
    ...stored,
    ...Object.entries(cuts).map(([name, { groups }]) => [name, Math.max(...groups) + 1])
  ])
}

/** A labelled image as its set's index lists it. */
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

/** What a head's raster of a task says of itself. */
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
  // Writers make folders: those of a project that was moved away would come to be where it was.
  if (!existsSync(labeller.project)) throw new SmaltiError('ProjectNotFound', { path: labeller.project })
  const { architecture } = labeller.model
  const writers: Record<string, RasterWriter> = {}
  const heatWriters: Record<string, HeatmapWriter> = {}
  const { columns } = tilesOf(plan)
  let sums = before
  let told: Begun[] = []
  const sink: Sink = {
    async tile(column, row, labels) {
      // Of two heads one may have been told of more rows before a kill.
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
