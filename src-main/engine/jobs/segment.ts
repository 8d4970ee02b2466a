import { join } from 'node:path'
import sharp from 'sharp'
import { clusterColours } from '../../classes/palette.ts'
import { TesseraError } from '../../contract/errors.ts'
import type { SkippedFile } from '../../contract/imagery.ts'
import { HEADS, type HeadName } from '../../contract/settings.ts'
import { readCatalogue } from '../../imagery/catalogue.ts'
import { PictureReader } from '../../imagery/pictures.ts'
import { recipeOf } from '../../learning/presets.ts'
import { appliedWeights } from '../../learning/trainingStep.ts'
import { writeFileSafely } from '../../project/files.ts'
import { withLock } from '../../project/lock.ts'
import { type LabelIndex, chosenSubHeads, isTrained, labelFolder, loadRun, maskPath, openProject, saveLabelIndex } from '../../project/project.ts'
import { type ImageLabels, createSegmenter } from '../../segmentation/segment.ts'
import { inferenceBackend } from '../compute.ts'
import { concludingWeights } from '../conclusion.ts'
import type { Job } from '../job.ts'

export const segmentJob: Job<'segment'> = async (input, context) => {
  const project = await openProject(input.project)
  const loaded = await loadRun(project)
  if (!loaded || !isTrained(loaded.meta)) throw new TesseraError('NothingTrained', { path: input.project })
  const { meta, arrays } = loaded
  const folder = input.images ?? meta.catalogue.folder
  const catalogue = await readCatalogue(folder, context.signal)
  return withLock(input.project, async () => {
    const started = performance.now()
    const backend = await inferenceBackend(input.backend ?? meta.settings.backend)
    // Auxiliary heads have done their part in training.
    const architecture = { ...meta.architecture, heads: meta.architecture.heads.filter(({ name }) => (HEADS as readonly string[]).includes(name)) }
    const training = new PictureReader(meta.catalogue.folder, meta.settings.scale, meta.bands)
    // A run that was stopped has not settled its clusters yet.
    const concluding = meta.finished ? {} : await concludingWeights({ meta, reader: training }, recipeOf(meta.settings), arrays, context.signal)
    const model = {
      architecture,
      weights: { ...appliedWeights(arrays), ...concluding },
      subHeads: chosenSubHeads(meta),
      statistics: meta.statistics
    }
    const reader = new PictureReader(folder, meta.settings.scale, meta.bands)
    const segmenter = await createSegmenter(backend, model, reader, catalogue.images)
    const labelled: LabelIndex['images'] = []
    const skipped: SkippedFile[] = [...catalogue.skipped]
    const total = catalogue.images.length
    try {
      for (const image of catalogue.images) {
        const done = labelled.length + skipped.length - catalogue.skipped.length
        const onProgress = (share: number): void => {
          const overall = (done + share) / total
          const elapsed = (performance.now() - started) / 1e3
          context.onProgress({ stage: `Segmenting ${image.path}`, share: overall, remaining: overall > 0 ? (elapsed * (1 - overall)) / overall : undefined })
        }
        await context.whenResumed()
        try {
          const labels = await segmenter.label(image, context.signal, onProgress)
          const masks = await writeMasks(labelFolder(project), image, labels)
          labelled.push({ path: image.path, width: image.width, height: image.height, masks })
        } catch (fault) {
          if (!(fault instanceof TesseraError) || fault.name !== 'UnreadableImage') throw fault
          const file = { path: image.path, reason: String(fault.details.reason) }
          skipped.push(file)
          context.onProgress({ stage: 'Segmenting', skipped: file })
        }
      }
    } finally {
      await segmenter.dispose()
    }
    if (labelled.length === 0) throw new TesseraError('NoReadableImages', { path: folder, files: total })
    const classes = Object.fromEntries(
      architecture.heads.map(({ name, clusters }) => [name, clusterColours(clusters).map((colour, c) => ({ name: `Cluster ${c + 1}`, colour }))])
    ) as LabelIndex['classes']
    await saveLabelIndex(project, { step: meta.position.step, folder, images: labelled, skipped, classes })
    const seconds = (performance.now() - started) / 1e3
    return { project: project.folder, labels: labelFolder(project), images: labelled.length, skipped, backend: backend.name, seconds }
  })
}

async function writeMasks(
  folder: string,
  image: { path: string; width: number; height: number },
  labels: ImageLabels
): Promise<Record<HeadName, string>> {
  const entries = await Promise.all(
    Object.entries(labels).map(async ([head, planes]) => {
      const path = maskPath(head as HeadName, image.path)
      await writeFileSafely(join(folder, path), await encodeMask(planes.labels, image))
      return [head, path] as const
    })
  )
  return Object.fromEntries(entries) as Record<HeadName, string>
}

/** A one-channel 8-bit PNG whose values are cluster indices. */
function encodeMask(labels: Uint8Array, { width, height }: { width: number; height: number }): Promise<Buffer> {
  return sharp(labels, { raw: { width, height, channels: 1 }, limitInputPixels: false })
    .toColourspace('b-w')
    .png({ compressionLevel: 6, palette: false })
    .toBuffer()
}
