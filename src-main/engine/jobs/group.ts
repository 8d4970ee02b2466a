import { SmaltiError } from '../../contract/errors.ts'
import type { GroupMethod } from '../../contract/recipe.ts'
import type { GroupedImage } from '../../contract/groups.ts'
import { groupsNow } from '../../classes/groups.ts'
import { checkGroupsFolder, writeGroups } from '../../export/groups.ts'
import { type Points, columnMoments, kMeans, squaredDistance, standardised } from '../../learning/kMeans.ts'
import { mapOfPoints } from '../../learning/pointMap.ts'
import { uniformFrom } from '../../learning/random.ts'
import { GROUPS_LOCK, saveFoundGroups } from '../../project/groups.ts'
import { withLock } from '../../project/lock.ts'
import { openOrCreateProject } from '../../project/project.ts'
import { imageFeatures, readGallery } from '../features/imageFeatures.ts'
import type { Job } from '../job.ts'

const CLUSTERS_STREAM = 4
const MAP_STREAM = 5

type Assignment = Pick<GroupedImage, 'group' | 'confidence' | 'place'>
/** Positions are rounded to this many decimals, because the file of all images is read after each change. */
const PLACE_DECIMALS = 4

/** Groups whole images by similarity, and writes the groups to a project or a folder. */
export const groupJob: Job<'group'> = async (input, context) => {
  const started = performance.now()
  const { project: folder, out, copies, overwrite, sources } = input
  if (folder === undefined && out === undefined)
    throw new SmaltiError('InvalidSetting', {
      setting: 'group',
      reason: 'choose a project to save the groups in, or a folder for their table'
    })
  const gallery = await readGallery(sources, input.groups, context)
  const territory = { sources, images: gallery.images.map(({ file }) => file), project: folder }
  // Fail early, before the time is spent.
  if (out !== undefined) await checkGroupsFolder(out, gallery.images, input.groups, { copies, overwrite, territory })
  const { points, backend, steps, report } = await imageFeatures(gallery, input, context)
  context.onProgress({ stage: 'Grouping' })
  const assigned = groupsOf(points, input)
  context.onProgress({ stage: 'Writing groups' })
  const images = gallery.images.map(({ path, file }, i) => ({ path, file, ...assigned[i] }))
  if (folder !== undefined) {
    const project = await openOrCreateProject(folder, sources)
    await withLock(folder, () => saveFoundGroups(project, { groups: input.groups, images }), GROUPS_LOCK)
  }
  const groups = groupsNow({ groups: input.groups, images, edits: [], done: 0 })
  if (out !== undefined)
    gallery.skipped.push(...(await writeGroups(groups, out, { copies, overwrite, territory })).skipped)
  const sizes = groups.groups.map(({ id }) => images.filter(({ group }) => group === id).length)
  return {
    project: folder,
    out,
    backend,
    steps,
    report,
    images: images.length,
    sizes,
    skipped: gallery.skipped,
    seconds: (performance.now() - started) / 1e3
  }
}

/**
 * Groups images by k-means on their pixels or features, and places them on a map. Features are compared by direction:
 * in a group they point the same way.
 */
export function groupsOf(
  points: Points,
  { method, groups, seed }: { method: GroupMethod; groups: number; seed: number }
): Assignment[] {
  const compared = method === 'kmeans-pixels' ? points : ofLengthOne(standardised(points, columnMoments(points)))
  const places = mapOfPoints(compared, uniformFrom(seed, MAP_STREAM))
  const rounded = (value: number): number => Number(value.toFixed(PLACE_DECIMALS))
  return cluster(compared, groups, seed).map((found, i) => ({
    ...found,
    place: { x: rounded(places[i].x), y: rounded(places[i].y) }
  }))
}

/** Runs k-means. The confidence is 0 where two groups are equally near, and 1 at a centre. */
function cluster(points: Points, groups: number, seed: number): Assignment[] {
  const { centres, assigned } = kMeans(points, groups, uniformFrom(seed, CLUSTERS_STREAM))
  return Array.from(assigned, (group, i) => {
    const { values, width } = points
    const distances = Array.from({ length: groups }, (_, g) =>
      Math.sqrt(squaredDistance(values, i * width, centres, g * width, width))
    )
    const second = Math.min(...distances.filter((_, g) => g !== group))
    return { group, confidence: second > 0 ? Math.max(0, 1 - distances[group] / second) : 0 }
  })
}

function ofLengthOne({ values, count, width }: Points): Points {
  const scaled = Float32Array.from(values)
  for (let i = 0; i < count; i++) {
    const row = scaled.subarray(i * width, (i + 1) * width)
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0)) || 1
    row.forEach((value, d) => (row[d] = value / length))
  }
  return { values: scaled, count, width }
}
