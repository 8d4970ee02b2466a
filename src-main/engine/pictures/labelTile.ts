import type { ClassHistory } from '../../contract/classes.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { MadePicture, PictureQuery } from '../../contract/window/pictures.ts'
import { fileAt } from '../../imagery/location.ts'
import { openRaster } from '../../imagery/reading/openRaster.ts'
import type { Raster, Window } from '../../imagery/raster.ts'
import { correctSmaller } from '../../labels/corrections.ts'
import {
  type LabelIndex,
  type LabelSet,
  type LabelledImage,
  labelSetOf,
  labelsChanged,
  loadLabelIndex,
  storedHead
} from '../../project/labelSets.ts'
import { type Project, openProject } from '../../project/project.ts'
import { loadClassHistory, schemesPath } from '../../project/scheme.ts'
import { layersOf } from '../labelling/correcting.ts'
import { keepOpen, stateOf } from './keptOpen.ts'
import { halved, tileWindow } from './pictures.ts'

const rasters = keepOpen<Raster>()
let lastRead: { set: string; changed: number; index: LabelIndex } | undefined

/** Returns the set's label index, read again only when it has changed. */
async function labelIndexOf(project: Project, set: LabelSet): Promise<LabelIndex | undefined> {
  const changed = await labelsChanged(set)
  if (lastRead?.set === set.folder && lastRead.changed === changed) return lastRead.index
  const index = await loadLabelIndex(project, set)
  lastRead = index && changed !== undefined ? { set: set.folder, changed, index } : undefined
  return index
}

let lastHistory: { state: string; history: ClassHistory | undefined } | undefined

/**
 * Returns the history of a run's classes, read again only when it has changed, because tiles are requested by the
 * dozen.
 * @throws ProjectUnreadable, ProjectTooNew
 */
export async function classHistoryOf(project: Project): Promise<ClassHistory | undefined> {
  const state = await stateOf(schemesPath(project)).catch(() => undefined)
  if (state === undefined) return undefined
  if (lastHistory?.state !== state) lastHistory = { state, history: await loadClassHistory(project) }
  return lastHistory.history
}

/** Returns an image of a project's own set of labels. @throws NothingSegmented */
export async function labelledImage(
  folder: string,
  path: string,
  run?: string
): Promise<{ project: Project; set: LabelSet; index: LabelIndex; image: LabelledImage }> {
  const project = await openProject(folder, run)
  const set = labelSetOf(project)
  const index = await labelIndexOf(project, set)
  const image = index?.images.find((entry) => entry.path === path)
  if (!index || !image) throw new SmaltiError('NothingSegmented', { path: folder })
  return { project, set, index, image }
}

/**
 * Returns the labels of a tile as bytes.
 * @throws NothingSegmented, UnreadableImage, CorrectionsUnreadable, Cancelled
 */
export async function labelTile(
  { project: folder, run, head, path, level, column, row }: PictureQuery<'labels'>,
  signal: AbortSignal
): Promise<MadePicture> {
  const { project, set, index, image } = await labelledImage(folder, path, run)
  const { raster: file, table } = storedHead(set, index, image, head)
  const { window, values } = await rasters.use(
    await stateOf(file),
    { signal, make: (opening) => openRaster(fileAt(file), { signal: opening }) },
    (raster) => labelWindow(raster, { level, column, row }, signal)
  )
  const labels = table ? values.map((value) => table[value]) : Uint8Array.from(values)
  const layer = layersOf(project, await classHistoryOf(project))(head, path)
  if (layer) await correctSmaller(labels, window, 2 ** level, layer)
  return { type: 'application/octet-stream', bytes: labels, width: window.width, height: window.height }
}

/** Returns the labels of a tile from the stored level that fits, or the nearest finer one. */
async function labelWindow(
  raster: Raster,
  { level, ...place }: { level: number; column: number; row: number },
  signal: AbortSignal
): Promise<{ window: Window; values: Uint8Array }> {
  const stored = Math.min(level, raster.levels.length - 1)
  const window = tileWindow(halved(raster, level), place)
  const step = 2 ** (level - stored)
  const { width, height } = raster.levels[stored]
  const [left, top] = [window.left * step, window.top * step]
  const source = {
    left,
    top,
    width: Math.min(window.width * step, width - left),
    height: Math.min(window.height * step, height - top)
  }
  const {
    bands: [labels]
  } = await raster.read(source, { level: stored, bands: [0], signal })
  if (step === 1) return { window, values: labels as Uint8Array }
  const values = Uint8Array.from(
    { length: window.width * window.height },
    (_, i) =>
      labels[
        Math.min(Math.floor(i / window.width) * step, source.height - 1) * source.width +
          Math.min((i % window.width) * step, source.width - 1)
      ]
  )
  return { window, values }
}
