import { correctedTiles } from '../../classes/corrections.ts'
import {
  CORRECTION_TILE,
  type ClassHistory,
  type CorrectedTile,
  type Correction,
  type CorrectionShape,
  type Scheme
} from '../../contract/classes.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { NO_LABEL } from '../../contract/labels.ts'
import { type GroundAreas, groundAreas } from '../../imagery/crs/groundArea.ts'
import type { Window } from '../../imagery/raster.ts'
import { type Layer, UNTOUCHED, corrected, encodedTile, layerOf, overlap, tileArea } from '../../labels/corrections.ts'
import { labelPlace } from './labelPlace.ts'
import { boundsOf, connected, drawn } from '../../labels/shapes.ts'
import { type LabelSource, openLabels, translated } from '../../labels/source.ts'
import { addTiles, correctionsPath } from '../../project/corrections.ts'
import { type LabelIndex, type LabelSet, type LabelledImage, labelSetOf, storedHead } from '../../project/labelSets.ts'
import { withLock } from '../../project/lock.ts'
import type { Project } from '../../project/project.ts'
import { CLASSES_LOCK, loadClassHistory, saveClassHistory, tableOf } from '../../project/scheme.ts'

const SIDE = CORRECTION_TILE

/**
 * Returns the corrections by hand in a set of labels. Only a run's own images can have any.
 * @throws ProjectUnreadable, ProjectTooNew
 */
export async function loadLayers(
  project: Project,
  set: LabelSet
): Promise<(head: string, path: string) => Layer | undefined> {
  const history = set.name === labelSetOf(project).name ? await loadClassHistory(project) : undefined
  return layersOf(project, history)
}

/** Returns the corrections of a history, by head and image. */
export function layersOf(
  project: Project,
  history: ClassHistory | undefined
): (head: string, path: string) => Layer | undefined {
  return (head, path) => history && layerOf(correctionsPath(project), correctedTiles(history, head, path))
}

/** An image whose labels are corrected. */
interface Corrected {
  project: Project
  set: LabelSet
  index: LabelIndex
  image: LabelledImage
  head: string
  scheme: Scheme
  /** The image's present corrections. */
  tiles: readonly CorrectedTile[]
}

/** Opens an image's labels as the network made them. */
async function openFound(
  set: LabelSet,
  index: LabelIndex,
  image: LabelledImage,
  head: string
): Promise<LabelSource & { raster: string }> {
  const { raster, table } = storedHead(set, index, image, head)
  return { ...translated(await openLabels(raster), table), raster }
}

/**
 * Labels the pixels inside a shape, except unlabelled ones, and stores the changed tiles. Returns undefined if nothing
 * changed.
 * @param label  a cluster, 255 for none, `UNTOUCHED` for the network's own label
 * @throws InvalidSetting when a fill is too large, UnreadableImage, CorrectionsUnreadable, DiskFull, FolderNotWritable,
 * Cancelled
 */
export async function correctImage(
  { project, set, index, image, head, scheme, tiles }: Corrected,
  shape: CorrectionShape,
  label: number,
  signal: AbortSignal
): Promise<Correction | undefined> {
  const found = await openFound(set, index, image, head)
  try {
    const layer = layerOf(correctionsPath(project), tiles)
    const former = new Map(tiles.map((tile) => [`${tile.column} ${tile.row}`, tile]))
    const ground = groundAreas(await labelPlace({ ...image, placed: true }, found.raster, signal), found)
    const changed: { column: number; row: number; content: Uint8Array; moved: CorrectedTile['moved'] }[] = []
    for await (const { column, row, mask } of masks(shape, corrected(found, layer), scheme, signal)) {
      const before = former.get(`${column} ${row}`)
      const content = before ? Uint8Array.from(await layer!.read(before)) : new Uint8Array(SIDE * SIDE).fill(UNTOUCHED)
      const window = overlap(tileArea({ column, row }), { left: 0, top: 0, width: found.width, height: found.height })!
      const labels = await found.read(window, signal)
      let any = false
      for (let y = 0; y < window.height; y++) {
        for (let x = 0; x < window.width; x++) {
          // Nodata pixels stay unlabelled.
          if (!mask[y * SIDE + x] || labels[y * window.width + x] === NO_LABEL || content[y * SIDE + x] === label)
            continue
          content[y * SIDE + x] = label
          any = true
        }
      }
      if (any) changed.push({ column, row, content, moved: movedIn(content, labels, window, ground) })
    }
    if (changed.length === 0) return undefined
    const stored = changed.map(({ content }) => encodedTile(content))
    const offsets = await addTiles(project, stored)
    return {
      head,
      path: image.path,
      key: index.key,
      tiles: changed.map(({ column, row, moved }, i) => ({
        column,
        row,
        offset: offsets[i],
        bytes: stored[i].length,
        moved
      }))
    }
  } finally {
    await found.close()
  }
}

/** Yields the tiles that a shape touches, each with a mask of the shape. */
async function* masks(
  shape: CorrectionShape,
  labels: LabelSource,
  scheme: Scheme,
  signal: AbortSignal
): AsyncGenerator<{ column: number; row: number; mask: Uint8Array }> {
  if (shape.kind === 'fill') {
    for (const [key, mask] of await connected(labels, shape.at, tableOf(scheme), SIDE, signal)) {
      const [column, row] = key.split(' ').map(Number)
      yield { column, row, mask }
    }
    return
  }
  const bounds = boundsOf(shape, labels)
  if (!bounds) return
  for (let row = Math.floor(bounds.top / SIDE); row * SIDE < bounds.top + bounds.height; row++) {
    for (let column = Math.floor(bounds.left / SIDE); column * SIDE < bounds.left + bounds.width; column++) {
      if (signal.aborted) throw new SmaltiError('Cancelled')
      const mask = drawn(shape, tileArea({ column, row }))
      if (mask.includes(1)) yield { column, row, mask }
    }
  }
}

/** Returns how much each cluster grows or shrinks in a tile compared with the original labels. */
function movedIn(
  content: Uint8Array,
  labels: Uint8Array,
  { left, top, width, height }: Window,
  ground: GroundAreas | undefined
): CorrectedTile['moved'] {
  const moved = new Map<number, { pixels: number; area: number }>()
  const add = (cluster: number, sign: number, area: number): void => {
    if (cluster === NO_LABEL) return
    const before = moved.get(cluster) ?? { pixels: 0, area: 0 }
    moved.set(cluster, { pixels: before.pixels + sign, area: before.area + sign * area })
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [value, label] = [content[y * SIDE + x], labels[y * width + x]]
      if (value === UNTOUCHED || value === label || label === NO_LABEL) continue
      const area = ground ? ground.at(left + x, top + y) : 0
      add(value, 1, area)
      add(label, -1, area)
    }
  }
  return [...moved]
    .filter(([, { pixels, area }]) => pixels !== 0 || area !== 0)
    .map(([cluster, { pixels, area }]) => (ground ? [cluster, pixels, area] : [cluster, pixels]))
}

/**
 * Counts corrections again after their image was relabelled. The corrections stay in place, and the sizes of classes
 * include them.
 * @throws UnreadableImage, CorrectionsUnreadable, DiskFull, FolderNotWritable
 */
export async function recountCorrections(
  project: Project,
  set: LabelSet,
  index: LabelIndex,
  signal: AbortSignal
): Promise<void> {
  if (set.name !== labelSetOf(project).name) return
  await withLock(
    project.folder,
    async () => {
      const history = await loadClassHistory(project)
      const outdated = ({ corrected }: ClassHistory['history'][number]): boolean =>
        corrected !== undefined &&
        (corrected.key !== index.key ||
          corrected.tiles.some(({ moved }) => moved.some(([, , squareMetres]) => squareMetres === undefined)))
      if (!history?.history.some(outdated)) return
      const steps: ClassHistory['history'] = []
      for (const step of history.history)
        steps.push(
          outdated(step) ? { ...step, corrected: await recounted(project, set, index, step.corrected!, signal) } : step
        )
      await saveClassHistory(project, { ...history, history: steps })
    },
    CLASSES_LOCK
  )
}

async function recounted(
  project: Project,
  set: LabelSet,
  index: LabelIndex,
  correction: Correction,
  signal: AbortSignal
): Promise<Correction> {
  const { head, path, tiles } = correction
  const image = index.images.find((entry) => entry.path === path)
  if (!image || !(head in index.classes))
    return { ...correction, key: index.key, tiles: tiles.map((tile) => ({ ...tile, moved: [] })) }
  const found = await openFound(set, index, image, head)
  try {
    const ground = groundAreas(await labelPlace({ ...image, placed: true }, found.raster, signal), found)
    const layer = layerOf(correctionsPath(project), tiles)!
    const counted: CorrectedTile[] = []
    for (const tile of tiles) {
      const window = overlap(tileArea(tile), { left: 0, top: 0, width: found.width, height: found.height })
      counted.push({
        ...tile,
        moved: window ? movedIn(await layer.read(tile), await found.read(window, signal), window, ground) : []
      })
    }
    return { ...correction, key: index.key, tiles: counted }
  } finally {
    await found.close()
  }
}
