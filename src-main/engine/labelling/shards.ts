import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { SmaltiError } from '../../contract/errors.ts'
import { type CatalogueImage, type SkippedFile, skippedFile } from '../../contract/imagery.ts'
import { type Shard, cleanUp } from '../../contract/labels.ts'
import { fileAt } from '../../imagery/location.ts'
import { openRaster } from '../../imagery/reading/openRaster.ts'
import { HeatmapWriter, cellsOf } from '../../labels/heatmaps.ts'
import { openLabels } from '../../labels/source.ts'
import { writeLabels } from '../../labels/writeLabels.ts'
import { readIfPresent, writeJsonSafely } from '../../project/files.ts'
import { withLock } from '../../project/lock.ts'
import {
  type LabelSet,
  type LabelledImage,
  heatmapPaths,
  placeOf,
  rasterNames,
  rasterPaths,
  saveLabelIndex
} from '../../project/labelSets.ts'
import { blockRows, blocksOf, cellRowsAbove, tilesOf } from '../../segmentation/plan.ts'
import { linesOf, openLineFile } from '../../project/lineFile.ts'
import { headSums, joinedSums } from '../../segmentation/clusterSums.ts'
import { cleanRasters, rawPath } from './cleaning.ts'
import { describeSet, openDescriber } from './describing.ts'
import type { JobContext } from '../job.ts'
import {
  type Labeller,
  type Task,
  classesOf,
  entryOf,
  filesOf,
  heatmapFileOf,
  labelTasks,
  notesOf,
  taskOf
} from './labelling.ts'
import type { PreparedLabelling } from './prepareLabelling.ts'

/** The description stored with each shard. */
const shardSummary = z.object({
  number: z.int(),
  of: z.int(),
  key: z.string(),
  /** Step of the checkpoint that labelled it; absent in older versions. */
  step: z.int().optional(),
  /** Whether all its rows are labelled. */
  finished: z.boolean().default(true),
  skipped: z.array(skippedFile),
  /** The options of the shard; merging must use the same. */
  asked: z.object({
    cleanUp: cleanUp.optional(),
    area: z.string().optional(),
    heatmaps: z.boolean().optional(),
    page: z.int().optional()
  })
})
type ShardSummary = z.infer<typeof shardSummary>
/** The options of a segmentation that all its shards share. */
export type ShardOptions = ShardSummary['asked']

/** Name of the lock under which a shard is written. */
export const shardLock = ({ number, of }: Shard): string => `shard-${number}-of-${of}`
const shardFolder = (set: LabelSet, key: string, shard: Shard): string => join(set.folder, `${key}.${shardLock(shard)}`)
const SUMMARY = 'shard.json'
/** Sums collected while each piece was labelled. */
const SUMS = 'sums.jsonl'
const pieceSums = z.object({ piece: z.string(), heads: headSums })
type PieceSums = z.infer<typeof pieceSums>

/** Rows of tiles of an image, labelled by one shard. */
interface Piece {
  image: CatalogueImage
  from: number
  to: number
}

/** Divides rows of tiles among shards, in whole blocks, with about the same number of pixels each. */
function piecesOf(labeller: Labeller, images: readonly CatalogueImage[], of: number): Piece[][] {
  const units = images.flatMap((image) => {
    const { plan } = taskOf(labeller, image)
    const [{ rows }, step] = [tilesOf(plan), blockRows(plan)]
    return Array.from({ length: Math.ceil(rows / step) }, (_, b) => ({
      image,
      from: b * step,
      to: Math.min(rows, (b + 1) * step),
      pixels: image.width * step * plan.tile
    }))
  })
  const total = units.reduce((sum, { pixels }) => sum + pixels, 0)
  const shards: Piece[][] = Array.from({ length: of }, () => [])
  let before = 0
  for (const { image, from, to, pixels } of units) {
    const pieces = shards[Math.min(of - 1, Math.floor((of * (before + pixels / 2)) / total))]
    before += pixels
    const last = pieces.at(-1)
    if (last?.image === image) last.to = to
    else pieces.push({ image, from, to })
  }
  return shards
}

/** A piece with the folder of the shard that labelled it. */
interface StoredPiece extends Piece {
  folder: string
}

const rowsOf = ({ from, to }: Piece): string => `.rows-${from}-${to}`
const pieceName = (piece: Piece): string => piece.image.path + rowsOf(piece)

/** Labels one shard's rows into rasters of their own. @throws as `labelTasks` does */
export async function labelShard(
  { labeller, meta }: PreparedLabelling,
  set: LabelSet,
  images: readonly CatalogueImage[],
  shard: Shard,
  asked: ShardOptions,
  context: JobContext
): Promise<{ images: number; labelled: number; skipped: SkippedFile[]; waitingShare: number }> {
  const folder = shardFolder(set, labeller.key, shard)
  const heads = labeller.model.architecture.heads.map(({ name }) => name)
  const pieces = piecesOf(labeller, images, shard.of)[shard.number - 1]
  const names = rasterNames(images.map(({ path }) => path))
  const rasterOf = (piece: Piece): string => names.get(piece.image.path)! + rowsOf(piece)
  const done = new Set(
    (await readdir(folder, { recursive: true }).catch(() => []))
      .filter((name) => name.endsWith('.tif'))
      .map((name) => join(folder, name))
  )
  const nameOf = ({ image, fromRow, toRow }: Task): string => pieceName({ image, from: fromRow, to: toRow })
  const summed = new Set<string>()
  for await (const { piece } of linesOf(join(folder, SUMS), pieceSums)) summed.add(piece)
  await mkdir(folder, { recursive: true })
  const summary: ShardSummary = {
    ...shard,
    key: labeller.key,
    step: meta.position.step,
    finished: false,
    skipped: [],
    asked
  }
  if (!(await readIfPresent(join(folder, SUMMARY)))) await writeJsonSafely(join(folder, SUMMARY), summary)
  const tasks = pieces
    .map((piece): Task =>
      taskOf(
        labeller,
        piece.image,
        {
          rasters: rasterPaths(folder, heads, rasterOf(piece)),
          heatmaps: asked.heatmaps ? heatmapPaths(folder, heads, rasterOf(piece)) : undefined
        },
        piece
      )
    )
    .filter((task) => !(filesOf(task).every((path) => done.has(path)) && summed.has(nameOf(task))))
  const skipped: SkippedFile[] = []
  const sums = await openLineFile<PieceSums>(join(folder, SUMS))
  const { waitingShare } = await labelTasks(
    labeller,
    tasks,
    context,
    (task, heads) => sums.add({ piece: nameOf(task), heads }),
    (file) => void skipped.push(file)
  ).finally(() => sums.close())
  await writeJsonSafely(join(folder, SUMMARY), { ...summary, finished: true, skipped })
  return {
    images: new Set(pieces.map(({ image }) => image.path)).size,
    labelled: tasks.length - skipped.length,
    skipped,
    waitingShare
  }
}

const SHARD_FOLDER = /^([0-9a-f]{16})\.shard-(\d+)-of-(\d+)$/

/** The shards of one segmentation. */
export interface ShardSet {
  key: string
  of: number
  /** The shards that have started. */
  shards: ShardSummary[]
}

/** Returns the shards in a set's folder, grouped by segmentation. */
async function shardSets(set: LabelSet): Promise<ShardSet[]> {
  const sets = new Map<string, ShardSet>()
  for (const name of await readdir(set.folder).catch(() => [])) {
    const [, key, number, of] = SHARD_FOLDER.exec(name) ?? []
    if (key === undefined) continue
    const found = sets.get(`${key} ${of}`) ?? { key, of: Number(of), shards: [] }
    sets.set(`${key} ${of}`, found)
    const summary = await readIfPresent(join(set.folder, name, SUMMARY))
    found.shards.push(
      summary
        ? shardSummary.parse(JSON.parse(summary.toString()))
        : { number: Number(number), of: Number(of), key, finished: false, skipped: [], asked: {} }
    )
  }
  return [...sets.values()]
}

const finishedOf = ({ shards }: ShardSet): ShardSummary[] => shards.filter(({ finished }) => finished)

/**
 * Chooses the shards to merge: of the sets labelled with the run's latest checkpoint, the most complete one.
 * @param step  step of the run's checkpoint
 * @throws ShardMissing with the shards that are missing or unfinished
 */
export async function shardsToMerge(set: LabelSet, step: number): Promise<ShardSet> {
  const sets = await shardSets(set)
  if (sets.length === 0)
    throw new SmaltiError('ShardMissing', { missing: 'all of them. Run segment --shard 1/n, 2/n, … first' })
  const share = (found: ShardSet): number => finishedOf(found).length / found.of
  const [best] = sets
    .filter(({ shards }) => shards.some((shard) => (shard.step ?? step) === step))
    .sort((a, b) => share(b) - share(a))
  if (!best) throw outdatedShards()
  const numbers = new Set(finishedOf(best).map(({ number }) => number))
  if (numbers.size < best.of)
    throw new SmaltiError('ShardMissing', {
      missing: Array.from({ length: best.of }, (_, i) => i + 1)
        .filter((number) => !numbers.has(number))
        .map((number) => `${number}/${best.of}`)
        .join(', ')
    })
  return best
}

const outdatedShards = (): SmaltiError =>
  new SmaltiError('ShardMissing', {
    missing: 'all of them; those found are of an earlier training. Segment the shards again'
  })

/** Removes the sets of shards that `isNeedless` selects, unless one of their shards is being written. */
export async function removeShards(set: LabelSet, isNeedless: (found: ShardSet) => boolean): Promise<void> {
  for (const found of await shardSets(set)) {
    if (!isNeedless(found)) continue
    const folders = found.shards.map((shard) => ({
      folder: shardFolder(set, found.key, shard),
      lock: shardLock(shard)
    }))
    const removeAll = folders.reduceRight(
      (remove, { lock }) =>
        () =>
          withLock(set.project, remove, { name: lock }),
      async (): Promise<void> => {
        for (const { folder } of folders) await rm(folder, { recursive: true, force: true })
      }
    )
    await removeAll().catch((fault: unknown) => {
      if (!(fault instanceof SmaltiError && fault.name === 'ProjectLocked')) throw fault
    })
  }
}

/** Whether shards were labelled with an earlier checkpoint than the present labels. */
export const areOutdated =
  (step: number) =>
  ({ shards }: ShardSet): boolean =>
    shards.every((shard) => (shard.step ?? step) < step)

/**
 * Merges the rasters of all shards into the label rasters that an undivided segmentation would have written, byte for
 * byte.
 * @throws ShardMissing when the shards were made with other settings
 */
export async function mergeShards(
  { labeller, meta }: PreparedLabelling,
  set: LabelSet,
  merged: ShardSet,
  sources: string[],
  images: readonly CatalogueImage[],
  skipped: readonly SkippedFile[],
  context: JobContext
): Promise<{ images: number; shards: number; skipped: SkippedFile[] }> {
  const { key, model } = labeller
  const { of } = merged
  if (merged.key !== key) throw outdatedShards()
  const { cleanUp: cleaning, heatmaps: keepsHeatmaps } = merged.shards[0].asked
  const heads = model.architecture.heads.map(({ name }) => name)
  const rawOrNot = (path: string): string => (cleaning ? rawPath(path) : path)
  const passed = [...skipped, ...merged.shards.flatMap((shard) => shard.skipped)]
  const shards = piecesOf(labeller, images, of)
  const names = rasterNames(images.map(({ path }) => path))
  const unreadable = new Set(passed.map(({ path }) => path))
  const entries: LabelledImage[] = []
  const sumsOfPieces = new Map<string, PieceSums['heads']>()
  for (let number = 1; number <= of; number++)
    for await (const { piece, heads: sums } of linesOf(join(shardFolder(set, key, { number, of }), SUMS), pieceSums))
      sumsOfPieces.set(piece, sums)
  const describer = await openDescriber(labeller, set)
  try {
    for (const [i, image] of images.entries()) {
      context.onProgress({ stage: `Merging ${image.path}`, share: i / images.length })
      if (unreadable.has(image.path)) continue
      const pieces = shards.flatMap((list, s) =>
        list
          .filter((piece) => piece.image.path === image.path)
          .map((piece): StoredPiece => ({ ...piece, folder: shardFolder(set, key, { number: s + 1, of }) }))
      )
      const name = names.get(image.path)!
      const rasters = rasterPaths(key, heads, name)
      const heatmaps = keepsHeatmaps ? heatmapPaths(key, heads, name) : undefined
      for (const head of heads) {
        await mergeLabels(
          labeller,
          image,
          head,
          pieces,
          (piece) => rasterPaths(piece.folder, heads, name + rowsOf(piece))[head],
          rawOrNot(placeOf(set, rasters[head])),
          context.signal
        )
        if (heatmaps)
          await mergeHeatmaps(
            labeller,
            image,
            head,
            pieces,
            (piece) => heatmapPaths(piece.folder, heads, name + rowsOf(piece))[head],
            placeOf(set, heatmaps[head]),
            context.signal
          )
      }
      if (cleaning)
        await cleanRasters(
          Object.fromEntries(Object.entries(rasters).map(([head, path]) => [head, placeOf(set, path)])),
          labeller,
          image,
          cleaning,
          context.signal
        )
      const entry = entryOf(labeller, image, rasters, heatmaps)
      const sums = Object.fromEntries(
        heads.map((head) => [head, joinedSums(pieces.map((piece) => sumsOfPieces.get(pieceName(piece))?.[head] ?? []))])
      )
      await describer.add(image, entry, sums, context.signal)
      entries.push(entry)
    }
  } finally {
    await describer.close()
  }
  const unique = [...new Map(passed.map((file) => [file.path, file])).values()]
  await saveLabelIndex(set, {
    step: meta.position.step,
    key,
    sources,
    images: entries,
    skipped: unique,
    partial: false,
    cleanUp: cleaning,
    classes: classesOf(labeller),
    cuts: labeller.cuts
  })
  await describeSet(labeller, set, new Set(entries.map(({ path }) => path)))
  await removeShards(set, (found) => found.key === key || areOutdated(meta.position.step)(found))
  return { images: entries.length, shards: of, skipped: unique }
}

/** Opens the files of an image's pieces while `work` needs them. */
async function withPieces<T extends { close(): Promise<void> }>(
  pieces: readonly StoredPiece[],
  open: (piece: StoredPiece) => Promise<T>,
  work: (opened: readonly (StoredPiece & { file: T })[]) => Promise<void>
): Promise<void> {
  const opened: (StoredPiece & { file: T })[] = []
  try {
    for (const piece of pieces) opened.push({ ...piece, file: await open(piece) })
    await work(opened)
  } finally {
    for (const { file } of opened) await file.close()
  }
}

function mergeLabels(
  labeller: Labeller,
  image: CatalogueImage,
  head: string,
  pieces: readonly StoredPiece[],
  pathOf: (piece: StoredPiece) => string,
  path: string,
  signal: AbortSignal
): Promise<void> {
  return withPieces(
    pieces,
    (piece) => openLabels(pathOf(piece)),
    async (opened) => {
      const { plan } = taskOf(labeller, image)
      const file = {
        width: image.width,
        height: image.height,
        tile: plan.tile,
        key: labeller.key,
        notes: await notesOf(labeller, image, head)
      }
      await writeLabels(
        path,
        file,
        (window) => {
          const row = window.top / plan.tile
          const piece = opened.find(({ from, to }) => row >= from && row < to)!
          return piece.file.read({ ...window, top: window.top - piece.from * plan.tile }, signal)
        },
        signal
      )
    }
  )
}

/** Adds the cells in the order in which an undivided segmentation adds them. */
function mergeHeatmaps(
  labeller: Labeller,
  image: CatalogueImage,
  head: string,
  pieces: readonly StoredPiece[],
  pathOf: (piece: StoredPiece) => string,
  path: string,
  signal: AbortSignal
): Promise<void> {
  const { architecture } = labeller.model
  return withPieces(
    pieces,
    (piece) => openRaster(fileAt(pathOf(piece))),
    async (opened) => {
      const whole = taskOf(labeller, image)
      const writer = await HeatmapWriter.open(path, await heatmapFileOf(labeller, whole, head))
      try {
        for (const { from, to, file } of opened) {
          const top = cellRowsAbove(whole.plan, architecture, from)
          for (const block of blocksOf(whole.plan, architecture, from, to)) {
            if (signal.aborted) throw new SmaltiError('Cancelled')
            for (const { cells } of block.regions)
              if (cells.width * cells.height > 0)
                await writer.add(cells, await cellsOf(file, { ...cells, top: cells.top - top }, signal))
            if (block.column + block.across === tilesOf(whole.plan).columns)
              await writer.endRows(cellRowsAbove(whole.plan, architecture, block.row + block.down))
          }
        }
        await writer.finish()
      } catch (fault) {
        await writer.pause().catch(() => undefined)
        throw fault
      }
    }
  )
}
