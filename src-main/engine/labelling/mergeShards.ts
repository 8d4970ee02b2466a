import { join } from 'node:path'
import { SmaltiError } from '../../contract/errors.ts'
import type { CatalogueImage, SkippedFile } from '../../contract/imagery.ts'
import { fileAt } from '../../imagery/location.ts'
import { openRaster } from '../../imagery/reading/openRaster.ts'
import { HeatmapWriter, cellsOf } from '../../labels/heatmaps.ts'
import { openLabels } from '../../labels/source.ts'
import { writeLabels } from '../../labels/writeLabels.ts'
import {
  type LabelSet,
  type LabelledImage,
  heatmapPaths,
  placeOf,
  rasterNames,
  rasterPaths,
  saveLabelIndex
} from '../../project/labelSets.ts'
import { blocksOf, cellRowsAbove, tilesOf } from '../../segmentation/plan.ts'
import { linesOf } from '../../project/lineFile.ts'
import { joinedSums } from '../../segmentation/clusterSums.ts'
import { cleanRasters, rawPath } from './cleaning.ts'
import { describeSet, openDescriber } from './describing.ts'
import type { JobContext } from '../job.ts'
import { type Labeller, classesOf, entryOf, heatmapFileOf, notesOf, taskOf } from './labelling.ts'
import type { PreparedLabelling } from './prepareLabelling.ts'
import {
  type PieceSums,
  SUMS,
  type ShardSet,
  type StoredPiece,
  areOutdated,
  outdatedShards,
  pieceName,
  pieceSums,
  piecesOf,
  removeShards,
  rowsOf,
  shardFolder
} from './shards.ts'

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
