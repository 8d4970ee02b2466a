import { EMPTY_HISTORY, schemeNow } from '../../classes/history.ts'
import { classesByOverlap, countPairs } from '../../classes/overlap.ts'
import { initialScheme, placesOf } from '../../classes/scheme.ts'
import type { Scheme } from '../../contract/classes.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { fileAt } from '../../imagery/location.ts'
import { openRaster } from '../../imagery/reading/openRaster.ts'
import { labelSetOf, loadLabelIndex, storedHead } from '../../project/labelSets.ts'
import { type Project, openProject } from '../../project/project.ts'
import { loadClassHistory } from '../../project/scheme.ts'

/** Labels are compared at a level no larger than this, in pixels. */
const SIDE = 1024

/**
 * Transfers the classes of another run to the clusters of this one: each cluster joins the class with which it shares
 * most pixels in images that both runs have labelled. A cluster that shares none stays a class of its own.
 * @throws InvalidSetting when there is no such run, NothingSegmented when they have no labelled image in common
 */
export async function schemeOfRun(
  project: Project,
  from: string,
  head: string,
  clusters: number,
  signal: AbortSignal
): Promise<Scheme> {
  const other = await openProject(project.folder, from)
  const [set, otherSet] = [labelSetOf(project), labelSetOf(other)]
  const [index, otherIndex] = [await loadLabelIndex(project, set), await loadLabelIndex(other, otherSet)]
  const classes = otherIndex?.classes[head]
  if (!index || !otherIndex || !classes) throw new SmaltiError('NothingSegmented', { path: project.folder })
  const theirs = schemeNow((await loadClassHistory(other)) ?? EMPTY_HISTORY, head, classes.length)
  const counts = new Float64Array(256 * 256)
  let common = 0
  for (const image of index.images) {
    const twin = otherIndex.images.find(
      ({ path, width, height }) => path === image.path && width === image.width && height === image.height
    )
    if (!twin) continue
    if (signal.aborted) throw new SmaltiError('Cancelled')
    common++
    countPairs(
      await smallLabels(storedHead(set, index, image, head)),
      await smallLabels(storedHead(otherSet, otherIndex, twin, head)),
      counts
    )
  }
  if (common === 0) throw new SmaltiError('NothingSegmented', { path: `${project.folder} (${from})` })
  const owners = classesByOverlap(counts, clusters, placesOf(theirs))
  const own = initialScheme(clusters)
  const taken = [...new Set(owners)].filter((place) => place !== undefined)
  const idOf = new Map(taken.map((place) => [place, owners.indexOf(place)]))
  return {
    classes: [
      ...taken.map((place) => ({ ...theirs.classes[place], id: idOf.get(place)! })),
      ...own.classes.filter((_, cluster) => owners[cluster] === undefined)
    ],
    of: owners.map((place, cluster) => (place === undefined ? cluster : idOf.get(place)!))
  }
}

/** Reads a head's labels at the finest level that is small enough. */
async function smallLabels({ raster: path, table }: { raster: string; table?: Uint8Array }): Promise<Uint8Array> {
  const raster = await openRaster(fileAt(path))
  try {
    const found = raster.levels.findIndex(({ width, height }) => Math.max(width, height) <= SIDE)
    const level = found < 0 ? raster.levels.length - 1 : found
    const {
      bands: [labels]
    } = await raster.read({ left: 0, top: 0, ...raster.levels[level] }, { level, bands: [0] })
    return Uint8Array.from(labels, (label) => (table ? table[label] : label))
  } finally {
    await raster.close()
  }
}
