import type { NamedArrays } from '../../backends/program.ts'
import type { BandStatistics, CatalogueImage, SkippedFile } from '../../contract/imagery.ts'
import type { TrainingReport } from '../../contract/training.ts'
import { TesseraError } from '../../contract/errors.ts'
import { type GroupedImage, writeGroups } from '../../export/groups.ts'
import { readCatalogue } from '../../imagery/catalogue.ts'
import { PictureReader, planar } from '../../imagery/pictures.ts'
import { sampleStatistics, standardise } from '../../imagery/statistics.ts'
import { groupProgram } from '../../learning/inference.ts'
import { kMeans } from '../../learning/kMeans.ts'
import { type Architecture, initialWeights } from '../../learning/network/architecture.ts'
import { foldWeights } from '../../learning/network/forward.ts'
import { GROUP_RECIPE, GROUP_SIDE, groupArchitecture } from '../../learning/presets.ts'
import { normalFrom, uniformFrom } from '../../learning/random.ts'
import { type TrainingRun, train } from '../../learning/trainer.ts'
import { initialState, trainingStep } from '../../learning/trainingStep.ts'
import { chooseBackend } from '../compute.ts'
import { startCropSource } from '../cropSource.ts'
import type { Job, JobContext } from '../job.ts'

type Input = Parameters<Job<'group'>>[0]

const STREAMS = { weights: 1, clusters: 4 }
/** Images labelled at a time. */
const BATCH = 64

/** All that grouping needs to know of the images. */
interface Gallery {
  folder: string
  images: CatalogueImage[]
  /** Planar values 0…1 of each image, `GROUP_SIDE` square. */
  pixels: Float32Array[]
  bands: number
  statistics: BandStatistics
  skipped: SkippedFile[]
}

type Assignment = Pick<GroupedImage, 'group' | 'confidence'>

interface Grouping {
  assigned: Assignment[]
  backend: string
  steps: number
  report?: TrainingReport
}

export const groupJob: Job<'group'> = async (input, context) => {
  const started = performance.now()
  const gallery = await readGallery(input.folder, context)
  const { assigned, ...outcome } = await (input.method === 'kmeans-pixels' ? groupPixels : groupByInformation)(gallery, input, context)
  context.onProgress({ stage: 'Writing the groups' })
  const grouped = gallery.images.map((image, i) => ({ image, ...assigned[i] }))
  const files = await writeGroups(input.folder, grouped, input.groups, input)
  const sizes = Array.from({ length: input.groups }, (_, group) => grouped.filter((entry) => entry.group === group).length)
  return { out: input.out, ...files, ...outcome, images: grouped.length, sizes, skipped: gallery.skipped, seconds: (performance.now() - started) / 1e3 }
}

/** @throws NotEnoughPixels when there are fewer images than groups */
async function readGallery(folder: string, { signal, onProgress }: JobContext): Promise<Gallery> {
  onProgress({ stage: 'Reading the folder' })
  const catalogue = await readCatalogue(folder, signal)
  const bands = Math.max(...catalogue.images.map((image) => image.bands))
  const reader = new PictureReader(folder, { side: GROUP_SIDE }, bands)
  const gallery: Gallery = { folder, images: [], pixels: [], bands, statistics: [], skipped: [...catalogue.skipped] }
  for (const [done, image] of catalogue.images.entries()) {
    if (signal.aborted) throw new TesseraError('Cancelled')
    try {
      gallery.pixels.push(planar(await reader.whole(image)))
      gallery.images.push(image)
    } catch (fault) {
      if (!(fault instanceof TesseraError) || fault.name !== 'UnreadableImage') throw fault
      gallery.skipped.push({ path: image.path, reason: String(fault.details.reason) })
    }
    onProgress({ stage: 'Reading the images', share: (done + 1) / catalogue.images.length })
  }
  gallery.statistics = await sampleStatistics(reader, gallery.images, signal, () => undefined)
  return gallery
}

/** The baseline: k-means on the pixels of the small images. */
function groupPixels({ images, pixels, statistics }: Gallery, { groups, seed }: Input): Promise<Grouping> {
  const width = pixels[0].length
  const values = new Float32Array(images.length * width)
  pixels.forEach((picture, i) => {
    const standard = Float32Array.from(picture)
    standardise(standard, statistics)
    values.set(standard, i * width)
  })
  const { assigned } = kMeans({ values, count: images.length, width }, groups, uniformFrom(seed, STREAMS.clusters))
  return Promise.resolve({ assigned: Array.from(assigned, (group) => ({ group, confidence: 1 })), backend: 'k-means', steps: 0 })
}

async function groupByInformation(gallery: Gallery, input: Input, context: JobContext): Promise<Grouping> {
  const { folder, images, bands, statistics } = gallery
  const recipe = GROUP_RECIPE
  const { crop, radius, views } = recipe
  const pairs = Math.min(recipe.pairs, images.length)
  const architecture = groupArchitecture(bands, input.groups)
  const shape = { pairs, crop }
  context.onProgress({ stage: 'Choosing the backend' })
  const backend = await chooseBackend(input.backend, { architecture, shape })
  const program = trainingStep(architecture, shape)
  const execution = await backend.compile(program, initialState(program, initialWeights(architecture, normalFrom(uniformFrom(input.seed, STREAMS.weights)))))
  const source = startCropSource(
    { folder, scale: { side: GROUP_SIDE }, images, statistics, shape: { pairs, bands, crop, coarse: 1, radius, warped: false, wholeImage: true }, views, seed: input.seed },
    (file) => gallery.skipped.push(file)
  )
  const limit: TrainingRun['limit'] = input.steps === undefined ? { seconds: 60 * (input.minutes ?? recipe.minutes) } : { steps: input.steps }
  let weights: NamedArrays = {}
  try {
    const position = await train({
      architecture,
      recipe,
      execution,
      limit,
      position: { step: 0, seconds: 0, rateFactor: 1, history: [] },
      nextBatch: (step) => source.next(step),
      onReport: (report) => context.onProgress({ stage: 'Training', share: report.progress, remaining: (report.seconds * (1 - report.progress)) / report.progress, report }),
      onCheckpoint: (_, state) => Promise.resolve(void (weights = state)),
      whenResumed: () => context.whenResumed(),
      signal: context.signal
    })
    const report = position.history.at(-1)
    const subHead = report?.heads.find(({ name }) => name === 'B')?.subHead ?? 0
    const assigned = await assign(gallery, architecture, weights, subHead, backend)
    return { assigned, backend: backend.name, steps: position.step, report }
  } finally {
    await source.stop()
    await execution.dispose()
  }
}

async function assign({ images, pixels, bands, statistics }: Gallery, architecture: Architecture, weights: NamedArrays, subHead: number, backend: Awaited<ReturnType<typeof chooseBackend>>): Promise<Assignment[]> {
  const program = groupProgram(architecture, subHead, { images: BATCH, side: GROUP_SIDE })
  const execution = await backend.compile(program, foldWeights(architecture, weights))
  const assigned: Assignment[] = []
  try {
    for (let from = 0; from < images.length; from += BATCH) {
      const batch = new Float32Array(BATCH * bands * GROUP_SIDE ** 2)
      for (let i = 0; i < Math.min(BATCH, images.length - from); i++) {
        const picture = Float32Array.from(pixels[from + i])
        standardise(picture, statistics)
        batch.set(picture, i * picture.length)
      }
      const { heatmap } = await execution.run({ images: batch })
      const groups = heatmap.length / BATCH
      for (let i = 0; i < Math.min(BATCH, images.length - from); i++) {
        const row = heatmap.subarray(i * groups, (i + 1) * groups)
        const confidence = Math.max(...row)
        assigned.push({ group: row.indexOf(confidence), confidence })
      }
    }
    return assigned
  } finally {
    await execution.dispose()
  }
}
