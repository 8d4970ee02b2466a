import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { SmaltiError } from '../../contract/errors.ts'
import type { Area } from '../../contract/imagery.ts'
import { NO_LABEL } from '../../contract/labels.ts'
import { type Confusion, emptyConfusion, score } from '../../evaluation/scores.ts'
import { fillRings, inPixels, readArea } from '../../imagery/area.ts'
import { georeferenceOfFile } from '../../imagery/openRaster.ts'
import type { Size } from '../../imagery/raster.ts'
import { type LabelSource, openLabels, stripes, translated } from '../../labels/source.ts'
import { type LabelledImage, labelSetOf, loadLabelIndex, placeOf } from '../../project/labelSets.ts'
import { openProject } from '../../project/project.ts'
import { loadScheme, tableOf } from '../../project/scheme.ts'
import type { Job } from '../job.ts'

type Input = Parameters<Job<'evaluate'>>[0]

/** Mask values of truth files that are never scored. */
const UNSCORED = 255
const MASK_VALUES = 256
const MASK = /\.(png|tiff?)$/i
const POLYGONS = /\.(geo)?json$/i

export const evaluateJob: Job<'evaluate'> = async (input, { signal, onProgress }) => {
  const project = await openProject(input.project)
  const set = labelSetOf(project, input.images)
  const index = await loadLabelIndex(project, set)
  if (!index) throw new SmaltiError('NothingSegmented', { path: input.project })
  const truthOf = await truths(input.truth)
  const scheme = await loadScheme(project, input.head)
  const pairs = index.images.flatMap((image) => {
    const truth = truthOf(image)
    return truth === undefined ? [] : [{ image, truth }]
  })
  if (pairs.length === 0) throw new SmaltiError('TruthMissing', { path: input.truth })
  const counts = emptyConfusion(scheme ? scheme.classes.length : index.classes[input.head].length, MASK_VALUES)
  for (const [done, { image, truth }] of pairs.entries()) {
    const labels = await openLabels(placeOf(set, image.rasters[input.head]))
    const expected = await openTruth(truth, image)
    try {
      await countPixels(counts, scheme ? translated(labels, tableOf(scheme)) : labels, expected, input, truth, signal, (share) => onProgress({ stage: 'Comparing with the truth', share: (done + share) / pairs.length }))
    } finally {
      await labels.close()
      await expected.close()
    }
  }
  const classes = counts[0].flatMap((_, k) => (counts.some((row) => row[k] > 0) ? [k] : []))
  if (classes.length === 0) throw new SmaltiError('TruthMissing', { path: input.truth })
  const confusion: Confusion = counts.map((row) => classes.map((k) => row[k]))
  const scores = score(confusion, input.mapping)
  return { ...scores, mapping: scores.mapping.map((k) => (k < 0 ? -1 : classes[k])), head: input.head, how: input.mapping, images: pairs.length, classes, confusion }
}

const stem = (path: string): string => path.slice(0, path.length - extname(path).length)

/** Of each image the file that holds its truth: one of a folder with the same path but for the ending, or one for all. */
async function truths(path: string): Promise<(image: LabelledImage) => string | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile()) return () => path
  if (!found?.isDirectory()) throw new SmaltiError('FolderNotFound', { path })
  const names = (await readdir(path, { recursive: true })).filter((name) => MASK.test(name) || POLYGONS.test(name))
  const byStem = new Map(names.map((name) => [stem(name.replaceAll('\\', '/')), join(path, name)]))
  return ({ path: image }) => byStem.get(stem(image))
}

type Truth = Pick<LabelSource, 'read' | 'close'> & Size

async function openTruth(path: string, image: LabelledImage): Promise<Truth> {
  if (POLYGONS.test(path)) return polygonTruth(await readArea(path, '--truth'), image)
  return openLabels(path)
}

/** Polygons drawn on an image's grid; where they lie over each other, the last counts. */
async function polygonTruth(area: Area, { file, path, width, height }: LabelledImage): Promise<Truth> {
  const georeference = await georeferenceOfFile({ file, placed: true })
  const rings = inPixels(area, georeference, path)
  const values = classesOf(area)
  const boxes = rings.map((ring) => ring.flat().reduce(([top, bottom], [, row]) => [Math.min(top, row), Math.max(bottom, row)], [Infinity, -Infinity]))
  return {
    width,
    height,
    read(window) {
      const drawn = new Uint8Array(window.width * window.height).fill(UNSCORED)
      rings.forEach((ring, i) => {
        if (boxes[i][1] < window.top || boxes[i][0] > window.top + window.height) return
        fillRings(ring, window, { x: 1, y: 1 }, drawn, values[i])
      })
      return Promise.resolve(drawn)
    },
    close: () => Promise.resolve()
  }
}

/** Class of each feature, by its property `class` or `value`; names are numbered in their order. */
function classesOf({ features }: Area): number[] {
  const given = features.map(({ properties }) => properties.class ?? properties.value ?? properties.name)
  if (given.some((value) => value === undefined || value === null)) throw new SmaltiError('InvalidSetting', { setting: '--truth', reason: 'a polygon has no property class, value or name' })
  const numbers = given.every((value) => Number.isInteger(Number(value)) && Number(value) >= 0 && Number(value) < UNSCORED)
  if (numbers) return given.map(Number)
  const names = [...new Set(given.map(String))].sort()
  return given.map((value) => names.indexOf(String(value)))
}

async function countPixels(
  counts: Confusion,
  labels: LabelSource,
  truth: Truth,
  { truthMap }: Pick<Input, 'truthMap'>,
  path: string,
  signal: AbortSignal,
  onProgress: (share: number) => void
): Promise<void> {
  if (labels.width !== truth.width || labels.height !== truth.height) {
    throw new SmaltiError('TruthMismatch', { path, found: `${truth.width}×${truth.height}`, expected: `${labels.width}×${labels.height}` })
  }
  const classOf = Array.from({ length: MASK_VALUES }, (_, value) => (value === UNSCORED ? UNSCORED : truthMap ? (truthMap[value] ?? UNSCORED) : value))
  for (const window of stripes(labels)) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const [found, expected] = await Promise.all([labels.read(window, signal), truth.read(window, signal)])
    for (let i = 0; i < found.length; i++) {
      const k = classOf[expected[i]]
      if (k !== UNSCORED && found[i] !== NO_LABEL) counts[found[i]][k]++
    }
    onProgress((window.top + window.height) / labels.height)
  }
}
