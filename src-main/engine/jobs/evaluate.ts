import { SmaltiError } from '../../contract/errors.ts'
import { type LeftOut, coverageWarning, leftOutText } from '../../contract/evaluation.ts'
import { NO_LABEL } from '../../contract/labels.ts'
import { decisionCurve } from '../../evaluation/curve.ts'
import { nearBoundary } from '../../evaluation/boundary.ts'
import { type Confusion, emptyConfusion, score } from '../../evaluation/scores.ts'
import { corrected } from '../../labels/corrections.ts'
import { type LabelSource, openLabels, stripes, translated } from '../../labels/source.ts'
import { labelSetOf, loadLabelIndex, storedHead } from '../../project/labelSets.ts'
import { type Project, loadTrainedRun, openProject } from '../../project/project.ts'
import { following, loadScheme, tableOf } from '../../project/scheme.ts'
import { loadLayers } from '../labelling/correcting.ts'
import type { Job } from '../job.ts'
import { truthOpener } from '../truth/openTruth.ts'
import { pairsOf } from '../truth/pairing.ts'
import { MOST_CLASSES, UNSCORED, createTrueClasses } from '../truth/trueClasses.ts'
import type { Truth } from '../truth/truth.ts'

/** Scores labels against reference masks or polygons. */
export const evaluateJob: Job<'evaluate'> = async (input, { signal, onProgress }) => {
  const project = await openProject(input.project)
  const set = labelSetOf(project, input.images)
  const index = await loadLabelIndex(project, set)
  if (!index) throw new SmaltiError('NothingSegmented', { path: input.project })
  const made = await loadScheme(project, input.head)
  const scheme = input.what === 'clusters' ? undefined : made
  const pairs = await pairsOf(input.truth, index.images)
  const layers = await loadLayers(project, set)
  const trueClasses = createTrueClasses(input.truthMap)
  const openTruth = truthOpener(trueClasses)
  const counts = emptyCounts(scheme ? scheme.classes.length : index.classes[input.head].length + (made?.added ?? 0))
  for (const [done, { image, truth: path }] of pairs.entries()) {
    const { raster, table } = storedHead(set, index, image, input.head)
    const classOf = scheme && tableOf(scheme)
    const stored = await openLabels(raster)
    try {
      const labels = corrected(translated(stored, following(table, classOf)), layers(input.head, image.path), classOf)
      const truth = await openTruth(path, image)
      try {
        await countPixels(counts, labels, truth, { path, reach: input.boundary ?? 0 }, signal, (share) =>
          onProgress({ stage: 'Checking accuracy', share: (done + share) / pairs.length })
        )
      } finally {
        await truth.close()
      }
    } finally {
      await stored.close()
    }
  }
  const numbers = trueClasses.numbers()
  const columns = numbers
    .flatMap((_, k) => (counts.all.some((row) => row[k] > 0) ? [k] : []))
    .sort((a, b) => numbers[a] - numbers[b])
  if (columns.length === 0) throw new SmaltiError('NothingScored', { reason: leftOutText(counts.leftOut).join(', ') })
  const chosen = (confusion: Confusion): Confusion => confusion.map((row) => columns.map((k) => row[k]))
  const confusion = chosen(counts.all)
  const classes = columns.map((k) => numbers[k])
  const scores = score(confusion, input.mapping)
  const curve = input.curve ? await decisions(project, input.head, scheme !== undefined, confusion) : undefined
  const boundary = input.boundary === undefined ? undefined : errorsOf(chosen(counts.near), scores.mapping)
  return {
    curve,
    boundary,
    ...scores,
    mapping: scores.mapping.map((k) => (k < 0 ? -1 : classes[k])),
    head: input.head,
    how: input.mapping,
    images: pairs.length,
    imagesWithoutTruth: index.images.length - pairs.length,
    leftOut: counts.leftOut,
    warning: coverageWarning(scores.pixels, counts.leftOut),
    classes,
    confusion
  }
}

/** Pixel counts of all images, by label and index of the true class. */
interface Counts {
  all: Confusion
  /** Pixels near a boundary between true classes. */
  near: Confusion
  leftOut: LeftOut
}

const emptyCounts = (labels: number): Counts => ({
  all: emptyConfusion(labels, MOST_CLASSES),
  near: emptyConfusion(labels, MOST_CLASSES),
  leftOut: { noLabel: 0, noClass: 0, outside: 0 }
})

/** The most decisions that the curve covers. */
const MOST_DECISIONS = 40

/**
 * Returns the accuracies that 1, 2 … decisions on the tree of the run's clusters can reach.
 * @throws InvalidSetting when the labels are not clusters of that tree
 */
async function decisions(project: Project, head: string, merged: boolean, confusion: Confusion): Promise<number[]> {
  const refused = (reason: string): SmaltiError => new SmaltiError('InvalidSetting', { setting: 'curve', reason })
  const { meta } = await loadTrainedRun(project)
  if (!meta.tree) throw refused('the run has no cluster tree. Train again')
  if (head !== 'A' || merged) throw refused('it needs the original clusters of head A, not merged classes')
  return decisionCurve(meta.tree, confusion, MOST_DECISIONS)
}

/**
 * Counts an image's pixels: all of them, and those within `reach` pixels of a boundary between true classes.
 * @throws TruthMismatch, Cancelled and whatever `Truth` throws
 */
async function countPixels(
  { all, near, leftOut }: Counts,
  labels: LabelSource,
  truth: Truth,
  { path, reach }: { path: string; reach: number },
  signal: AbortSignal,
  onProgress: (share: number) => void
): Promise<void> {
  const { width, height } = labels
  if (width !== truth.width || height !== truth.height)
    throw new SmaltiError('TruthMismatch', {
      path,
      found: `${truth.width}×${truth.height}`,
      expected: `${width}×${height}`
    })
  for (const window of stripes(labels)) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const margin = reach > 0 ? reach + 1 : 0
    const [top, bottom] = [Math.max(0, window.top - margin), Math.min(height, window.top + window.height + margin)]
    const [found, { classes, covered }] = await Promise.all([
      labels.read(window, signal),
      truth.read({ left: 0, top, width, height: bottom - top }, signal)
    ])
    const close = reach > 0 ? nearBoundary(classes, width, reach, UNSCORED) : undefined
    for (let i = 0, there = (window.top - top) * width; i < found.length; i++, there++) {
      const k = classes[there]
      if (found[i] === NO_LABEL) leftOut.noLabel++
      else if (k !== UNSCORED) {
        all[found[i]][k]++
        if (close?.[there]) near[found[i]][k]++
      } else if (covered?.[there] === 0) leftOut.outside++
      else leftOut.noClass++
    }
    onProgress((window.top + window.height) / height)
  }
}

/** Counts the pixels of a confusion, and the share of them whose cluster is assigned to another class. */
function errorsOf(confusion: Confusion, mapping: readonly number[]): { pixels: number; errorRate: number } {
  const pixels = confusion.flat().reduce((a, b) => a + b, 0)
  const hits = confusion.reduce((sum, row, cluster) => sum + (row[mapping[cluster]] ?? 0), 0)
  return { pixels, errorRate: pixels > 0 ? 1 - hits / pixels : 0 }
}
