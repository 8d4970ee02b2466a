import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import sharp from 'sharp'
import { TesseraError } from '../../contract/errors.ts'
import { type Confusion, emptyConfusion, score } from '../../evaluation/scores.ts'
import { type LabelIndex, type Project, labelFolder, loadLabelIndex, openProject } from '../../project/project.ts'
import type { Job } from '../job.ts'

/** Mask values of truth files that are never scored. */
const UNSCORED = 255
const MASK_VALUES = 256

export const evaluateJob: Job<'evaluate'> = async (input, { signal, onProgress }) => {
  const project = await openProject(input.project)
  const index = await loadLabelIndex(project)
  if (!index) throw new TesseraError('NothingSegmented', { path: input.project })
  const truths = await truthFiles(input.truth)
  const pairs = index.images.flatMap((image) => {
    const truth = truths.get(stem(image.path))
    return truth === undefined ? [] : [{ image, truth }]
  })
  if (pairs.length === 0) throw new TesseraError('TruthMissing', { path: input.truth })
  const counts = emptyConfusion(index.classes[input.head]!.length, MASK_VALUES)
  for (const [done, { image, truth }] of pairs.entries()) {
    if (signal.aborted) throw new TesseraError('Cancelled')
    await countPixels(counts, project, image, truth, input)
    onProgress({ stage: 'Comparing with the truth', share: (done + 1) / pairs.length })
  }
  const classes = counts[0].flatMap((_, k) => (counts.some((row) => row[k] > 0) ? [k] : []))
  if (classes.length === 0) throw new TesseraError('TruthMissing', { path: input.truth })
  const confusion: Confusion = counts.map((row) => classes.map((k) => row[k]))
  const scores = score(confusion, input.mapping)
  return { ...scores, mapping: scores.mapping.map((k) => (k < 0 ? -1 : classes[k])), head: input.head, how: input.mapping, images: pairs.length, classes, confusion }
}

const stem = (path: string): string => path.slice(0, path.length - extname(path).length)

/** Masks below a folder by path without extension. */
async function truthFiles(folder: string): Promise<Map<string, string>> {
  if (!(await stat(folder).catch(() => undefined))?.isDirectory()) throw new TesseraError('FolderNotFound', { path: folder })
  const names = await readdir(folder, { recursive: true })
  return new Map(names.filter((name) => /\.(png|tiff?)$/i.test(name)).map((name) => [stem(name.replaceAll('\\', '/')), join(folder, name)]))
}

async function countPixels(
  counts: Confusion,
  project: Project,
  image: LabelIndex['images'][number],
  truth: string,
  { head, truthMap }: { head: 'A' | 'B'; truthMap?: Record<string, number> }
): Promise<void> {
  const [labels, expected] = await Promise.all([readMask(join(labelFolder(project), image.masks[head]!)), readMask(truth)])
  if (labels.width !== expected.width || labels.height !== expected.height) {
    const found = `${expected.width}×${expected.height}`
    throw new TesseraError('TruthMismatch', { path: truth, found, expected: `${labels.width}×${labels.height}` })
  }
  const classOf = Array.from({ length: MASK_VALUES }, (_, value) => (truthMap ? (truthMap[value] ?? UNSCORED) : value))
  expected.values.forEach((value, i) => {
    const k = value === UNSCORED ? UNSCORED : classOf[value]
    if (k !== UNSCORED) counts[labels.values[i]][k]++
  })
}

async function readMask(path: string): Promise<{ width: number; height: number; values: Uint8Array }> {
  try {
    const { data, info } = await sharp(path, { limitInputPixels: false }).extractChannel(0).raw().toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, values: data }
  } catch (fault) {
    throw new TesseraError('UnreadableImage', { path, reason: (fault as Error).message })
  }
}
