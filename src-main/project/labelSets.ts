import { createHash } from 'node:crypto'
import { readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { NO_LABEL, clusterClass, cleanUp } from '../contract/labels.ts'
import { skippedFile } from '../contract/imagery.ts'
import { LONGEST_NAME, digitsAt, distinctNames, folded, hashOf, portable, shortened } from './fileNames.ts'
import { TEMPORARY_BYTES, pathBelow, pathText, writeJsonSafely } from './files.ts'
import { type LineFile, linesOf, openLineFile } from './lineFile.ts'
import { type Project, readJson, runFolder } from './project.ts'

/** The entry of a segmented image in a label index. */
const labelledImage = z.object({
  path: pathBelow,
  file: pathText,
  /** The chosen page of a multi-page TIFF. */
  page: z.int().optional(),
  width: z.int(),
  height: z.int(),
  /** Size and time of the image's file when it was segmented. */
  size: z.number().optional(),
  modified: z.number().optional(),
  /** Label rasters by head; paths are inside the set's folder. */
  rasters: z.record(z.string(), pathBelow),
  /** Heatmaps by head, if they were saved, and the number of image pixels that a cell covers. */
  heatmaps: z
    .object({ cell: z.object({ width: z.number(), height: z.number() }), rasters: z.record(z.string(), pathBelow) })
    .optional()
})
export type LabelledImage = z.infer<typeof labelledImage>

const cut = z.object({
  of: z.string(),
  /** For each cluster of the other head, its cluster here. */
  groups: z.array(z.int())
})
/** A head whose clusters are groups of another head's clusters, and whose labels are a table on the other's labels. */
export type Cut = z.infer<typeof cut>

const labelIndex = z.object({
  format: z.literal(2),
  /** Step of the checkpoint that made the labels. */
  step: z.int(),
  /** Identifies everything that the labels depend on besides the images. */
  key: z.string(),
  sources: z.array(z.string()),
  images: z.array(labelledImage),
  /** Heads without rasters, which are cuts of other heads. */
  cuts: z.record(z.string(), cut).optional(),
  skipped: z.array(skippedFile),
  /** True if segmentation was cancelled before the last image. */
  partial: z.boolean(),
  cleanUp: cleanUp.optional(),
  classes: z.record(z.string(), z.array(clusterClass))
})
export type LabelIndex = z.infer<typeof labelIndex>

/** The label index of format 1, with an 8-bit PNG for each image and head. */
const formerIndex = z.object({
  format: z.literal(1),
  step: z.int(),
  folder: z.string(),
  images: z.array(
    z.object({ path: z.string(), width: z.int(), height: z.int(), masks: z.record(z.string(), z.string()) })
  ),
  skipped: z.array(skippedFile),
  classes: z.record(z.string(), z.array(clusterClass))
})

/** The labels that a run made for one collection of images. */
export interface LabelSet {
  /** Folder of the project. */
  project: string
  folder: string
  name: string
}

const TRAINING_SET = 'training'

/** Returns the label set of the run's own images, or of other images, next to it. */
export function labelSetOf(project: Project, sources?: readonly string[]): LabelSet {
  const own =
    sources === undefined ||
    (sources.length === project.sources.length && sources.every((source, i) => source === project.sources[i]))
  const name = own
    ? TRAINING_SET
    : `${basename(sources[0])
        .replace(/[^\p{L}\p{N}._-]/gu, '_')
        .slice(0, 60)}-${createHash('sha256').update(sources.join('\n')).digest('hex').slice(0, 8)}`
  return { project: project.folder, name, folder: join(runFolder(project), 'labels', name) }
}

const indexPath = ({ folder }: LabelSet): string => join(folder, 'labels.json')
const donePath = ({ folder }: LabelSet, key: string): string => join(folder, key, 'done.jsonl')

/**
 * Most bytes in a raster's name before its ending, leaving room for the names of its pieces and of unfinished files.
 */
const LONGEST_RASTER = LONGEST_NAME - '.rows-99999999-99999999.raw.tif.sums'.length - TEMPORARY_BYTES

/**
 * Names label rasters by image path, without extension: the path itself, unless it is too long or a file system would
 * confuse it with another one.
 * @param images  paths of all images that are segmented together
 */
export function rasterNames(images: readonly string[]): Map<string, string> {
  const nameAt = (path: string, level: number): string => {
    const hash = hashOf(path, digitsAt(level))
    const parts = (level === 0 ? path : `${path}-${hash}`).split('/').map(portable)
    return [...parts.slice(0, -1), shortened(parts.at(-1)!, LONGEST_RASTER, hash)].join('/')
  }
  // A folder of images may have the name of another image's raster: a.jpg.tif/b.jpg next to a.jpg.
  const folders = new Set(
    images.flatMap((path) =>
      path
        .split('/')
        .slice(0, -1)
        .map((_, i, parts) =>
          folded(
            parts
              .slice(0, i + 1)
              .map(portable)
              .join('/')
          )
        )
    )
  )
  return distinctNames(images, nameAt, (name) => folders.has(folded(`${name}.tif`)))
}

/** Returns the paths of an image's label rasters below a folder, by head. @param name  from `rasterNames` */
export const rasterPaths = (folder: string, heads: readonly string[], name: string): Record<string, string> =>
  Object.fromEntries(heads.map((head) => [head, `${folder}/${head}/${name}.tif`]))
export const heatmapPaths = (folder: string, heads: readonly string[], name: string): Record<string, string> =>
  rasterPaths(`${folder}/heatmaps`, heads, name)

/** Returns the full path of a file in a label set. */
export const placeOf = ({ folder }: LabelSet, path: string): string => join(folder, path)

/** Returns the paths of a head's labels and heatmap and, for a cut, the table that maps the other head's labels. */
export function storedHead(
  set: LabelSet,
  { cuts = {} }: Pick<LabelIndex, 'cuts'>,
  { rasters, heatmaps }: LabelledImage,
  head: string
): { raster: string; heatmap?: string; table?: Uint8Array } {
  const stored = cuts[head]?.of ?? head
  return {
    raster: placeOf(set, rasters[stored]),
    heatmap: heatmaps && placeOf(set, heatmaps.rasters[stored]),
    table: stored === head ? undefined : tableOfCut(cuts[head])
  }
}

/** Returns a table that maps the labels of the other head to the cut's labels. */
export function tableOfCut({ groups }: Cut): Uint8Array {
  const table = new Uint8Array(256).fill(NO_LABEL)
  table.set(groups)
  return table
}

/** Loads the index of a label set, or returns undefined if there is none. @throws ProjectUnreadable, ProjectTooNew */
export async function loadLabelIndex(project: Project, set: LabelSet): Promise<LabelIndex | undefined> {
  const found = await readJson(project.folder, indexPath(set), labelIndex)
  if (found || set.name !== TRAINING_SET) return found
  const former = await readJson(project.folder, join(runFolder(project), 'labels', 'labels.json'), formerIndex)
  if (!former) return undefined
  const images = former.images.map(({ masks, ...image }) => ({
    ...image,
    file: join(former.folder, image.path),
    rasters: Object.fromEntries(Object.entries(masks).map(([head, mask]) => [head, join('..', mask)]))
  }))
  return {
    format: 2,
    step: former.step,
    key: 'format-1',
    sources: [former.folder],
    images,
    skipped: former.skipped,
    partial: false,
    classes: former.classes
  }
}

/** Returns when a set's index was written, in milliseconds, or undefined if there is none. */
export async function labelsChanged(set: LabelSet): Promise<number | undefined> {
  return (await stat(indexPath(set)).catch(() => undefined))?.mtimeMs
}

/** Makes labels the set's current ones and removes our files with other keys. @throws DiskFull, FolderNotWritable */
export async function saveLabelIndex(set: LabelSet, index: Omit<LabelIndex, 'format'>): Promise<void> {
  await writeJsonSafely(indexPath(set), { format: 2, ...index })
  await rm(donePath(set, index.key), { force: true })
  for (const name of await readdir(set.folder))
    if (KEY.test(name) && name !== index.key) await rm(join(set.folder, name), { recursive: true, force: true })
}

const KEY = /^[0-9a-f]{16}$/

/** Removes rasters of images that are no longer in the set. */
export async function removeOrphans(set: LabelSet, former: LabelIndex, images: ReadonlySet<string>): Promise<void> {
  for (const { path, rasters, heatmaps } of former.images) {
    if (images.has(path)) continue
    for (const raster of [...Object.values(rasters), ...Object.values(heatmaps?.rasters ?? {})])
      if (!raster.startsWith('..')) await rm(placeOf(set, raster), { force: true })
  }
}

/**
 * Returns the images that are already segmented with a key: those in the index, and those that an interrupted
 * segmentation recorded.
 */
export async function labelledSoFar(
  set: LabelSet,
  key: string,
  index: LabelIndex | undefined
): Promise<Map<string, LabelledImage>> {
  const known = new Map((index?.key === key ? index.images : []).map((image) => [image.path, image]))
  for await (const image of linesOf(donePath(set, key), labelledImage)) known.set(image.path, image)
  return known
}

/** Opens the list of finished images, which grows during segmentation. @throws DiskFull, FolderNotWritable */
export const openDoneList = (set: LabelSet, key: string): Promise<LineFile<LabelledImage>> =>
  openLineFile(donePath(set, key))
