import { join } from 'node:path'
import { z } from 'zod'
import { type ClusterDescriptions, clusterDescriptions } from '../../contract/classes.ts'
import type { BandStatistics, CatalogueImage } from '../../contract/imagery.ts'
import { groundAreas } from '../../imagery/crs/groundArea.ts'
import { georeferenceOfFile } from '../../imagery/reading/openRaster.ts'
import { named } from '../../imagery/pictures.ts'
import { countNeighbours } from '../../labels/neighbours.ts'
import { openLabels } from '../../labels/source.ts'
import { writeJsonSafely } from '../../project/files.ts'
import { type Cut, type LabelIndex, type LabelSet, type LabelledImage, placeOf } from '../../project/labelSets.ts'
import { linesOf, openLineFile } from '../../project/lineFile.ts'
import { type Project, readJson } from '../../project/project.ts'
import { type HeadSums, clusterSums, joinedSums } from '../../segmentation/clusterSums.ts'
import { type Labeller, clusterCounts } from './labelling.ts'

const imageDescription = z.object({
  path: z.string(),
  heads: z.record(
    z.string(),
    z.object({
      sums: clusterSums,
      pixels: z.array(z.number()),
      /** Area on the ground, if the image's place is known. */
      squareMetres: z.array(z.number()).optional(),
      /** Label, label, pairs. */
      pairs: z.array(z.tuple([z.int(), z.int(), z.number()]))
    })
  )
})
type ImageDescription = z.infer<typeof imageDescription>
type HeadDescription = ImageDescription['heads'][string]
type HeadTotal = ClusterDescriptions[string]

const imagesPath = (set: LabelSet, key: string): string => join(set.folder, key, 'clusters.jsonl')
const totalPath = (set: LabelSet, key: string): string => join(set.folder, key, 'clusters.json')

/** Collects statistics of clusters while images are labelled. */
export interface Describer {
  /** Describes an image whose rasters are complete. @throws DiskFull, FolderNotWritable, Cancelled */
  add(image: CatalogueImage, entry: LabelledImage, sums: HeadSums, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** Opens a describer for the clusters of a set's images. @throws DiskFull, FolderNotWritable */
export async function openDescriber({ model, key }: Labeller, set: LabelSet): Promise<Describer> {
  const lines = await openLineFile<ImageDescription>(imagesPath(set, key))
  return {
    async add(image, { rasters }, sums, signal) {
      const heads: ImageDescription['heads'] = {}
      const ground = groundAreas(
        await georeferenceOfFile(image, signal).catch((fault: unknown) =>
          Promise.reject(named(fault, image.path) as Error)
        ),
        image
      )
      for (const { name, clusters } of model.architecture.heads) {
        const labels = await openLabels(placeOf(set, rasters[name]))
        try {
          const { pixels, pairs, squareMetres } = await countNeighbours(labels, clusters, ground, signal)
          heads[name] = {
            sums: sums[name] ?? [],
            pixels: [...pixels],
            squareMetres: squareMetres && [...squareMetres],
            pairs: [...pairs].flatMap((n, i): [number, number, number][] =>
              n > 0 ? [[Math.floor(i / clusters), i % clusters, n]] : []
            )
          }
        } finally {
          await labels.close()
        }
      }
      await lines.add({ path: image.path, heads })
    },
    close: () => lines.close()
  }
}

/** Example places shown per cluster. */
const SHOWN = 9

/**
 * Counts areas again that older versions counted in square map units: the images keep their labels, but their areas are
 * unknown.
 * @throws DiskFull, FolderNotWritable, UnreadableImage, Cancelled
 */
export async function measureAgain(
  describer: Describer,
  { key }: Labeller,
  set: LabelSet,
  finished: readonly { image: CatalogueImage; entry: LabelledImage }[],
  signal: AbortSignal
): Promise<void> {
  const latest = new Map<string, ImageDescription>()
  for await (const described of linesOf(imagesPath(set, key), imageDescription)) latest.set(described.path, described)
  for (const { image, entry } of finished) {
    const heads = latest.get(image.path)?.heads
    if (!image.placed || !heads || Object.values(heads).every(({ squareMetres }) => squareMetres)) continue
    await describer.add(
      image,
      entry,
      Object.fromEntries(Object.entries(heads).map(([head, { sums }]) => [head, sums])),
      signal
    )
  }
}

/** Adds up the descriptions of a set's images, and stores them with its labels. @throws DiskFull, FolderNotWritable */
export async function describeSet(labeller: Labeller, set: LabelSet, images: ReadonlySet<string>): Promise<void> {
  const { key, statistics, cuts } = labeller
  const latest = new Map<string, number>()
  let line = 0
  for await (const { path } of linesOf(imagesPath(set, key), imageDescription)) latest.set(path, line++)
  const heads = Object.fromEntries(
    Object.entries(clusterCounts(labeller)).map(([name, clusters]) => [name, new Total(clusters)])
  )
  line = 0
  for await (const described of linesOf(imagesPath(set, key), imageDescription)) {
    // An image that was labelled again has a later line.
    if (latest.get(described.path) === line++ && images.has(described.path))
      for (const [name, total] of Object.entries(heads))
        total.add(described, described.heads[cuts[name]?.of ?? name], cuts[name])
  }
  await writeJsonSafely(
    totalPath(set, key),
    Object.fromEntries(Object.entries(heads).map(([name, total]) => [name, total.description(statistics)]))
  )
}

/** Reads the descriptions of a set's clusters. @throws ProjectUnreadable */
export async function loadDescriptions(
  project: Project,
  set: LabelSet,
  index: LabelIndex
): Promise<ClusterDescriptions | undefined> {
  const found = await readJson(project.folder, totalPath(set, index.key), clusterDescriptions)
  return (
    found &&
    Object.fromEntries(
      Object.entries(found).map(([head, description]) => [
        head,
        description.areas ? description : withoutAreas(description)
      ])
    )
  )
}

/** Square map units are not areas. The areas are unknown until the images are segmented again. */
const withoutAreas = (description: HeadTotal): HeadTotal => ({
  ...description,
  clusters: description.clusters.map((cluster) => ({ ...cluster, squareMetres: undefined }))
})

/** The sum of a head's clusters over images. */
class Total {
  readonly #clusters: number
  readonly #pixels: number[]
  readonly #squareMetres: number[]
  readonly #neighbours: number[]
  readonly #sums = new Map<
    number,
    {
      cells: number
      confidence: number
      bands: number[]
      patches: { path: string; x: number; y: number; score: number }[]
    }
  >()
  #placed = true

  constructor(clusters: number) {
    this.#clusters = clusters
    this.#pixels = Array<number>(clusters).fill(0)
    this.#squareMetres = Array<number>(clusters).fill(0)
    this.#neighbours = Array<number>(clusters ** 2).fill(0)
  }

  /** Adds an image's clusters, or their groups. */
  add({ path }: ImageDescription, { sums, pixels, squareMetres, pairs }: HeadDescription, cut?: Cut): void {
    const into = (cluster: number): number => cut?.groups[cluster] ?? cluster
    if (squareMetres === undefined) this.#placed = false
    pixels.forEach((n, k) => {
      this.#pixels[into(k)] += n
      this.#squareMetres[into(k)] += squareMetres?.[k] ?? 0
    })
    for (const [a, b, n] of pairs) this.#neighbours[into(a) * this.#clusters + into(b)] += n
    for (const { cluster, cells, confidence, bands, patches } of joinedSums([
      sums.map((of) => ({ ...of, cluster: into(of.cluster) }))
    ])) {
      const total = this.#sums.get(cluster) ?? { cells: 0, confidence: 0, bands: bands.map(() => 0), patches: [] }
      this.#sums.set(cluster, total)
      total.cells += cells
      total.confidence += confidence
      bands.forEach((sum, b) => (total.bands[b] += sum))
      // The best place of every image comes before the second-best of any.
      patches.forEach(({ x, y, score }, rank) => total.patches.push({ path, x, y, score: score - 1000 * rank }))
      total.patches.sort((a, b) => b.score - a.score)
      total.patches.length = Math.min(total.patches.length, SHOWN)
    }
  }

  description(statistics: BandStatistics): ClusterDescriptions[string] {
    return {
      areas: 'ellipsoid',
      clusters: this.#pixels.map((pixels, k) => {
        const sums = this.#sums.get(k)
        return {
          pixels,
          squareMetres: this.#placed ? this.#squareMetres[k] : undefined,
          confidence: sums && sums.confidence / sums.cells,
          bands:
            sums?.bands.map(
              (sum, b) =>
                statistics[b].low +
                (statistics[b].mean + (sum / sums.cells) * statistics[b].deviation) *
                  (statistics[b].high - statistics[b].low)
            ) ?? [],
          patches: sums?.patches.map(({ path, x, y }) => ({ path, x, y })) ?? []
        }
      }),
      neighbours: this.#neighbours
    }
  }
}
