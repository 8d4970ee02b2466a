import { createHash } from 'node:crypto'
import type { Backend } from '../../backends/program.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { CatalogueImage, SkippedFile } from '../../contract/imagery.ts'
import type { CleanUp } from '../../contract/labels.ts'
import { HEADS, type TrainingSettings } from '../../contract/settings.ts'
import { readArea } from '../../imagery/area/areaFile.ts'
import { readCatalogue } from '../../imagery/catalogue.ts'
import { PictureReader, type Scale, type Sight } from '../../imagery/pictures.ts'
import { scoped } from '../../imagery/scoped.ts'
import { mergedGroups } from '../../learning/clusterHeads.ts'
import { mergesRefitted } from '../../learning/network/architecture.ts'
import { recipeOf } from '../../learning/presets.ts'
import { appliedWeights } from '../../learning/trainingStep.ts'
import type { Checkpoint } from '../../project/checkpoint.ts'
import { type Project, type RunMeta, chosenSubHeads, copiesFolder } from '../../project/project.ts'
import { inferenceBackend } from '../runtime/compute.ts'
import { concludingWeights } from '../training/conclusion.ts'
import { frozenTrunkOf } from '../features/frozenTrunk.ts'
import type { JobContext } from '../job.ts'
import type { Labeller } from './labelling.ts'

/** A run that is ready to label images. */
export interface PreparedLabelling {
  labeller: Labeller
  meta: RunMeta
}

/** Returns the scale at which a run's settings read images. */
export function scaleOf({ scale, gsd }: Pick<TrainingSettings, 'scale' | 'gsd'>): Scale {
  return gsd === undefined ? scale : { gsd, scale }
}

/** Returns how a run reads its images: scale, bands with their ranges, and area of interest. */
export function sightOf(
  project: Project,
  {
    settings,
    bands,
    statistics,
    area
  }: Pick<RunMeta, 'settings' | 'bands' | 'area'> & Partial<Pick<RunMeta, 'statistics'>>
): Sight {
  return { scale: scaleOf(settings), bands, ranges: statistics, area, copies: copiesFolder(project) }
}

/**
 * Prepares a run's network for labelling, with a key of everything that its labels depend on.
 * @throws BackendUnavailable, InvalidSetting and whatever concluding a run throws
 */
export async function prepareLabelling(
  project: Project,
  { meta, arrays }: { meta: RunMeta; arrays: Checkpoint['arrays'] },
  {
    backend: wanted,
    area: areaPath,
    cleanUp
  }: { backend?: TrainingSettings['backend']; area?: string; cleanUp?: CleanUp },
  context: JobContext
): Promise<PreparedLabelling> {
  const backend: Backend = await inferenceBackend(wanted ?? meta.settings.backend)
  // Auxiliary heads only serve training.
  const heads = meta.architecture.heads.filter(({ name }) => (HEADS as readonly string[]).includes(name))
  const isCut = ({ mergedFrom }: (typeof heads)[number]): boolean =>
    mergedFrom !== undefined && mergesRefitted(meta.architecture)
  const architecture = { ...meta.architecture, heads: heads.filter((head) => !isCut(head)) }
  // A run that was stopped has not settled its clusters yet.
  const concluding = meta.finished ? {} : await settledNow(project, meta, arrays, context.signal)
  const model = {
    architecture,
    weights: { ...appliedWeights(arrays), ...concluding },
    subHeads: chosenSubHeads(meta),
    trunk: await frozenTrunkOf(meta)
  }
  const cuts = Object.fromEntries(
    heads
      .filter(isCut)
      .map(({ name, mergedFrom }) => [
        name,
        { of: mergedFrom!, groups: mergedGroups(meta.architecture, name, model.weights) }
      ])
  )
  const area = areaPath === undefined ? meta.area : await readArea(areaPath, '--area')
  const sight = { ...sightOf(project, meta), area }
  const digest = createHash('sha256').update(
    JSON.stringify([architecture, model.subHeads, meta.statistics, { ...sight, copies: undefined }, cleanUp ?? null])
  )
  for (const name of Object.keys(model.weights).sort()) {
    // The optimiser's moments and the memory of training are not part of the network.
    if (!/^memory\/|\/(moment[12]|average)$/.test(name))
      digest.update(name).update(new Uint8Array(Float32Array.from(model.weights[name]).buffer))
  }
  return {
    meta,
    labeller: {
      project: project.folder,
      backend,
      model,
      cuts,
      statistics: meta.statistics,
      sight,
      key: digest.digest('hex').slice(0, 16)
    }
  }
}

/** Settles the heads of a run that was stopped before, and returns their weights. */
async function settledNow(
  project: Project,
  meta: RunMeta,
  arrays: Checkpoint['arrays'],
  signal: AbortSignal
): Promise<Record<string, Float32Array>> {
  await using reader = scoped(new PictureReader(sightOf(project, meta)))
  return (await concludingWeights({ meta, reader }, recipeOf(meta.settings), arrays, signal)).weights
}

/**
 * Returns the images that a run can label, and why it skips the others.
 * @param page  page of multi-page TIFFs; the page used in training when absent
 * @throws whatever reading a catalogue throws
 */
export async function visibleImages(
  { meta, labeller }: PreparedLabelling,
  sources: readonly string[],
  { signal, onProgress }: JobContext,
  page = meta.settings.page
): Promise<{ images: CatalogueImage[]; skipped: SkippedFile[] }> {
  const stage = 'Reading images'
  onProgress({ stage })
  const catalogue = await readCatalogue(
    sources,
    signal,
    (done, total) => onProgress({ stage, share: done / total }),
    page
  )
  const trained = meta.catalogue.images[0]?.type ?? 'uint8'
  const skipped = [...catalogue.skipped]
  const images = catalogue.images.filter((image) => {
    const reason =
      (image.type === 'uint8') !== (trained === 'uint8')
        ? `its values are ${image.type}, but training used ${trained}`
        : meta.settings.gsd !== undefined && image.gsd === undefined
          ? 'its pixel size on the ground is unknown'
          : undefined
    if (reason) skipped.push({ path: image.path, reason })
    return !reason
  })
  if (labeller.sight.area && !images.some(({ placed }) => placed) && images.length > 0)
    throw new SmaltiError('AreaUnreachable', { path: images[0].path, reason: 'its location is unknown' })
  // Pixels outside the area of interest count as missing.
  return { images: images.map((image) => (labeller.sight.area ? { ...image, gaps: true } : image)), skipped }
}
