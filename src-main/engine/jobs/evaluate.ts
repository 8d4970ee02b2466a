import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { SmaltiError } from '../../contract/errors.ts'
import type { Area } from '../../contract/imagery.ts'
import { NO_LABEL } from '../../contract/labels.ts'
import { decisionCurve } from '../../evaluation/curve.ts'
import { nearBoundary } from '../../evaluation/boundary.ts'
import { type Confusion, emptyConfusion, score } from '../../evaluation/scores.ts'
import { fillRings, inPixels, readArea } from '../../imagery/area.ts'
import { georeferenceOfFile, openRaster } from '../../imagery/openRaster.ts'
import type { Size } from '../../imagery/raster.ts'
import { corrected } from '../../labels/corrections.ts'
import { type LabelSource, openLabels, stripes, translated } from '../../labels/source.ts'
import { type LabelledImage, labelSetOf, loadLabelIndex, storedHead } from '../../project/labelSets.ts'
import { type Project, loadTrainedRun, openProject } from '../../project/project.ts'
import { following, loadScheme, tableOf } from '../../project/scheme.ts'
import { loadLayers } from '../correcting.ts'
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
  const made = await loadScheme(project, input.head)
  const scheme = input.what === 'clusters' ? undefined : made
  const pairs = index.images.flatMap((image) => {
    const truth = truthOf(image)
    return truth === undefined ? [] : [{ image, truth }]
  })
  if (pairs.length === 0) throw new SmaltiError('TruthMissing', { path: input.truth })
  const layers = await loadLayers(project, set)
  const counts = emptyConfusion(scheme ? scheme.classes.length : index.classes[input.head].length + (made?.added ?? 0), MASK_VALUES)
  const near = emptyConfusion(counts.length, MASK_VALUES)
  for (const [done, { image, truth }] of pairs.entries()) {
    const { raster, table } = storedHead(set, index, image, input.head)
    const classOf = scheme && tableOf(scheme)
    const labels = corrected(translated(await openLabels(raster), following(table, classOf)), layers(input.head, image.path), classOf)
    const expected = await openTruth(truth, image, input.truthMap)
    try {
      await countPixels({ all: counts, near }, labels, expected, { path: truth, reach: input.boundary ?? 0 }, signal, (share) => onProgress({ stage: 'Comparing with the truth', share: (done + share) / pairs.length }))
    } finally {
      await labels.close()
      await expected.close()
    }
  }
  const classes = counts[0].flatMap((_, k) => (counts.some((row) => row[k] > 0) ? [k] : []))
  if (classes.length === 0) throw new SmaltiError('TruthMissing', { path: input.truth })
  const confusion: Confusion = counts.map((row) => classes.map((k) => row[k]))
  const scores = score(confusion, input.mapping)
  const curve = input.curve ? await decisions(project, input.head, scheme !== undefined, confusion) : undefined
  const boundary = input.boundary === undefined ? undefined : errorsOf(near.map((row) => classes.map((k) => row[k])), scores.mapping)
  return { curve, boundary, ...scores, mapping: scores.mapping.map((k) => (k < 0 ? -1 : classes[k])), head: input.head, how: input.mapping, images: pairs.length, classes, confusion }
}

/** Decisions on the curve. */
const MOST_DECISIONS = 40

/** Accuracies that 1, 2 … decisions reach on the tree of the run's clusters. @throws InvalidSetting where the labels are none of its clusters */
async function decisions(project: Project, head: string, merged: boolean, confusion: Confusion): Promise<number[]> {
  const refused = (reason: string): SmaltiError => new SmaltiError('InvalidSetting', { setting: 'curve', reason })
  const { meta } = await loadTrainedRun(project)
  if (!meta.tree) throw refused('the run has no tree of clusters; train again')
  if (head !== 'A' || merged) throw refused('it is of the clusters of head A, before they are merged')
  return decisionCurve(meta.tree, confusion, MOST_DECISIONS)
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

/** Classes by windows, 255 where there is none to score. */
type Truth = Pick<LabelSource, 'read' | 'close'> & Size

/** Classes of an image from its truth file. @throws TruthInColour, InvalidSetting, AreaUnreachable, UnreadableImage */
async function openTruth(path: string, image: LabelledImage, truthMap: Input['truthMap']): Promise<Truth> {
  const [colours, values] = [coloursOf(truthMap), classOfValue(truthMap)]
  if (POLYGONS.test(path)) return translatedTruth(await polygonTruth(await readArea(path, '--truth'), image), values)
  const mask = await openRaster(path)
  if (mask.bands.length < 3) return translatedTruth(await openLabels(path), values, mask)
  return {
    width: mask.width,
    height: mask.height,
    async read(window, signal) {
      const [red, green, blue] = (await mask.read(window, { bands: [0, 1, 2], signal })).bands
      return Uint8Array.from(red, (value, i) => {
        const colour = value * 65536 + green[i] * 256 + blue[i]
        if (colours) return colours.get(colour) ?? UNSCORED
        // Grey stored as a colour is a value like any other.
        if (value !== green[i] || value !== blue[i]) throw new SmaltiError('TruthInColour', { path, colour: `#${colour.toString(16).padStart(6, '0')}` })
        return values[value]
      })
    },
    close: () => mask.close()
  }
}

/** Class of each value of a mask. */
function classOfValue(truthMap: Input['truthMap']): Uint8Array {
  return Uint8Array.from({ length: MASK_VALUES }, (_, value) => (value === UNSCORED ? UNSCORED : truthMap ? (truthMap[value] ?? UNSCORED) : value))
}

/** Class of each colour, where the map names any. */
function coloursOf(truthMap: Input['truthMap'] = {}): Map<number, number> | undefined {
  const named = Object.entries(truthMap).filter(([key]) => key.startsWith('#'))
  return named.length > 0 ? new Map(named.map(([key, k]) => [parseInt(key.slice(1), 16), k])) : undefined
}

function translatedTruth(truth: Truth, table: Uint8Array, also?: { close(): Promise<void> }): Truth {
  return {
    width: truth.width,
    height: truth.height,
    read: async (window, signal) => (await truth.read(window, signal)).map((value) => table[value]),
    async close() {
      await truth.close()
      await also?.close()
    }
  }
}

/** Polygons drawn on an image's grid; where they lie over each other, the last counts. */
async function polygonTruth(area: Area, { file, page, path, width, height }: LabelledImage): Promise<Truth> {
  const georeference = await georeferenceOfFile({ file, page, placed: true })
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

/** Counts the pixels of an image, all of them and those no farther than `reach` from a boundary of the truth. */
async function countPixels(counts: { all: Confusion; near: Confusion }, labels: LabelSource, truth: Truth, { path, reach }: { path: string; reach: number }, signal: AbortSignal, onProgress: (share: number) => void): Promise<void> {
  const { width, height } = labels
  if (width !== truth.width || height !== truth.height) throw new SmaltiError('TruthMismatch', { path, found: `${truth.width}×${truth.height}`, expected: `${width}×${height}` })
  for (const window of stripes(labels)) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const [top, bottom] = [Math.max(0, window.top - reach - 1), Math.min(height, window.top + window.height + reach + 1)]
    const [found, around] = await Promise.all([labels.read(window, signal), truth.read({ left: 0, top, width, height: bottom - top }, signal)])
    const above = (window.top - top) * width
    const close = reach > 0 ? nearBoundary(around, width, reach, UNSCORED) : undefined
    for (let i = 0; i < found.length; i++) {
      const k = around[above + i]
      if (k === UNSCORED || found[i] === NO_LABEL) continue
      counts.all[found[i]][k]++
      if (close?.[above + i]) counts.near[found[i]][k]++
    }
    onProgress((window.top + window.height) / height)
  }
}

/** Pixels of a confusion and the share of them whose cluster is given to another class. */
function errorsOf(confusion: Confusion, mapping: readonly number[]): { pixels: number; errorRate: number } {
  const pixels = confusion.flat().reduce((a, b) => a + b, 0)
  const hits = confusion.reduce((sum, row, cluster) => sum + (row[mapping[cluster]] ?? 0), 0)
  return { pixels, errorRate: pixels > 0 ? 1 - hits / pixels : 0 }
}
