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

const labelledImage = z.object({
  path: pathBelow,
  file: pathText,
  /** Of a TIFF of several, where one was chosen. */
  page: z.int().optional(),
  width: z.int(),
  height: z.int(),
  /** Of the image's file when it was labelled. */
  size: z.number().optional(),
  modified: z.number().optional(),
  /** Label rasters below the set's folder, by head. */
  rasters: z.record(z.string(), pathBelow),
  /** Heatmaps likewise, if they were kept, and how many pixels of the image one of theirs covers. */
  heatmaps: z
    .object({ cell: z.object({ width: z.number(), height: z.number() }), rasters: z.record(z.string(), pathBelow) })
    .optional()
})
export type LabelledImage = z.infer<typeof labelledImage>

const cut = z.object({
  of: z.string(),
  /** Of each of its clusters the one that it belongs to here. */
  groups: z.array(z.int())
})
/** A head whose clusters are groups of another's, and whose labels are a table of its labels. */
export type Cut = z.infer<typeof cut>

const labelIndex = z.object({
  format: z.literal(2),
  /** Step of the checkpoint that made the labels. */
  step: z.int(),
  /** What the labels depend on besides the images. */
  key: z.string(),
  sources: z.array(z.string()),
  images: z.array(labelledImage),
  /** Heads without rasters of their own. */
  cuts: z.record(z.string(), cut).optional(),
  skipped: z.array(skippedFile),
  /** It was stopped before the last image. */
  partial: z.boolean(),
  cleanUp: cleanUp.optional(),
  classes: z.record(z.string(), z.array(clusterClass))
})
export type LabelIndex = z.infer<typeof labelIndex>

/** Labels as they were kept by format 1: an 8-bit PNG of each image and head. */
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

/** Labels of one collection of images by one run. */
export interface LabelSet {
  /** Folder of the project. */
  project: string
  folder: string
  name: string
}

const TRAINING_SET = 'training'

/** The set of the run's own images, or that of others, which lies beside it. */
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

/** Bytes that the name of a raster may take before its ending, and before those of its pieces and of files that are begun. */
const LONGEST_RASTER = LONGEST_NAME - '.rows-99999999-99999999.raw.tif.sums'.length - TEMPORARY_BYTES

/**
 * Names of label rasters by the path of the image, without their ending: the path itself, unless it is too long or
 * some file system would take it for another's.
 * @param images  paths of all images that are labelled together
 */
export function rasterNames(images: readonly string[]): Map<string, string> {
  const nameAt = (path: string, level: number): string => {
    const hash = hashOf(path, digitsAt(level))
    const parts = (level === 0 ? path : `${path}-${hash}`).split('/').map(portable)
    return [...parts.slice(0, -1), shortened(parts.at(-1)!, LONGEST_RASTER, hash)].join('/')
  }
  // A folder of images may be called as another's raster: a.jpg.tif/b.jpg beside a.jpg.
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

/** Where an image's label rasters, and its heatmaps, lie below a folder, by head. @param name  of `rasterNames` */
export const rasterPaths = (folder: string, heads: readonly string[], name: string): Record<string, string> =>
  Object.fromEntries(heads.map((head) => [head, `${folder}/${head}/${name}.tif`]))
export const heatmapPaths = (folder: string, heads: readonly string[], name: string): Record<string, string> =>
  rasterPaths(`${folder}/heatmaps`, heads, name)

export const placeOf = ({ folder }: LabelSet, path: string): string => join(folder, path)

/** Where the labels of a head lie, its heatmap likewise, and what stands for which of its labels where it is a cut of another. */
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

/** Label of each label of the head that is cut. */
export function tableOfCut({ groups }: Cut): Uint8Array {
  const table = new Uint8Array(256).fill(NO_LABEL)
  table.set(groups)
  return table
}

/** @throws ProjectUnreadable, ProjectTooNew */
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

/** When a set's index was written, in milliseconds; undefined where there is none. */
export async function labelsChanged(set: LabelSet): Promise<number | undefined> {
  return (await stat(indexPath(set)).catch(() => undefined))?.mtimeMs
}

/** Makes labels the set's own; those of other keys go, as far as they are ours. @throws DiskFull, FolderNotWritable */
export async function saveLabelIndex(set: LabelSet, index: Omit<LabelIndex, 'format'>): Promise<void> {
  await writeJsonSafely(indexPath(set), { format: 2, ...index })
  await rm(donePath(set, index.key), { force: true })
  for (const name of await readdir(set.folder))
    if (KEY.test(name) && name !== index.key) await rm(join(set.folder, name), { recursive: true, force: true })
}

const KEY = /^[0-9a-f]{16}$/

/** Removes rasters of images that the set no longer holds. */
export async function removeOrphans(set: LabelSet, former: LabelIndex, images: ReadonlySet<string>): Promise<void> {
  for (const { path, rasters, heatmaps } of former.images) {
    if (images.has(path)) continue
    for (const raster of [...Object.values(rasters), ...Object.values(heatmaps?.rasters ?? {})])
      if (!raster.startsWith('..')) await rm(placeOf(set, raster), { force: true })
  }
}

/**
 * Images that are labelled already under a key: those of the index and those that a segmentation told before it was
 * cut off.
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

/** A list to which finished images are added as they come. @throws DiskFull, FolderNotWritable */
export const openDoneList = (set: LabelSet, key: string): Promise<LineFile<LabelledImage>> =>
  openLineFile(donePath(set, key))
