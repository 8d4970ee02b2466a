import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { SmaltiError } from '../../contract/errors.ts'
import { type CatalogueImage, type SkippedFile, skippedFile } from '../../contract/imagery.ts'
import { type Shard, cleanUp } from '../../contract/labels.ts'
import { readIfPresent, writeJsonSafely } from '../../project/files.ts'
import { withLock } from '../../project/lock.ts'
import { type LabelSet, heatmapPaths, rasterNames, rasterPaths } from '../../project/labelSets.ts'
import { blockRows, tilesOf } from '../../segmentation/plan.ts'
import { linesOf, openLineFile } from '../../project/lineFile.ts'
import { headSums } from '../../segmentation/clusterSums.ts'
import type { JobContext } from '../job.ts'
import { type Labeller, type Task, filesOf, labelTasks, taskOf } from './labelling.ts'
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

export const shardFolder = (set: LabelSet, key: string, shard: Shard): string =>
  join(set.folder, `${key}.${shardLock(shard)}`)

const SUMMARY = 'shard.json'

/** Sums collected while each piece was labelled. */
export const SUMS = 'sums.jsonl'

export const pieceSums = z.object({ piece: z.string(), heads: headSums })

export type PieceSums = z.infer<typeof pieceSums>

/** Rows of tiles of an image, labelled by one shard. */
interface Piece {
  image: CatalogueImage
  from: number
  to: number
}

/** Divides rows of tiles among shards, in whole blocks, with about the same number of pixels each. */
export function piecesOf(labeller: Labeller, images: readonly CatalogueImage[], of: number): Piece[][] {
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
export interface StoredPiece extends Piece {
  folder: string
}

export const rowsOf = ({ from, to }: Piece): string => `.rows-${from}-${to}`

export const pieceName = (piece: Piece): string => piece.image.path + rowsOf(piece)

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

export const outdatedShards = (): SmaltiError =>
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
