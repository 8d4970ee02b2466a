/**
 * Measures how well maps of clusters keep similar clusters together: `npm run bench -- map PROJECT…`, for trained
 * projects.
 */
import { scaledToPlane, treeDistances } from '../../src-main/classes/map.ts'
import { onnxruntimeBackend } from '../../src-main/backends/onnxruntime.ts'
import { surveyRun } from '../../src-main/engine/training/conclusion.ts'
import { sightOf } from '../../src-main/engine/labelling/prepareLabelling.ts'
import { PictureReader } from '../../src-main/imagery/pictures.ts'
import { type Points, columnMoments, standardised } from '../../src-main/learning/kMeans.ts'
import type { MapPlace } from '../../src-main/contract/classes.ts'
import { embedChannels } from '../../src-main/learning/manifold.ts'
import { uniformFrom } from '../../src-main/learning/random.ts'
import { appliedWeights } from '../../src-main/learning/trainingStep.ts'
import { loadTrainedRun, openProject } from '../../src-main/project/project.ts'

const NEAREST = 4
const { signal } = new AbortController()

/** Distances between clusters by the average appearance of their pixels. */
function looksApart(looks: Points, heatmap: Points): Float64Array {
  const { values, width, count } = standardised(looks, columnMoments(looks))
  const clusters = heatmap.width
  const [sums, masses] = [new Float64Array(clusters * width), new Float64Array(clusters)]
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < clusters; c++) {
      const share = heatmap.values[i * clusters + c]
      masses[c] += share
      for (let d = 0; d < width; d++) sums[c * width + d] += share * values[i * width + d]
    }
  }
  const mean = (c: number, d: number): number => sums[c * width + d] / masses[c]
  return Float64Array.from({ length: clusters ** 2 }, (_, k) =>
    Math.hypot(...Array.from({ length: width }, (_d, d) => mean(Math.floor(k / clusters), d) - mean(k % clusters, d)))
  )
}

const distancesOf = (places: readonly MapPlace[]): number[] =>
  places.flatMap((a) => places.map((b) => Math.hypot(a.x - b.x, a.y - b.y)))

/** Kruskal's stress 1, at the best scale. */
function stress(wanted: ArrayLike<number>, found: readonly number[]): number {
  const pairs = Array.from(found, (value, k) => [wanted[k], value] as const)
  const scale = pairs.reduce((sum, [w, f]) => sum + w * f, 0) / pairs.reduce((sum, [, f]) => sum + f * f, 0)
  return Math.sqrt(
    pairs.reduce((sum, [w, f]) => sum + (w - scale * f) ** 2, 0) / pairs.reduce((sum, [w]) => sum + w * w, 0)
  )
}

function neighboursKept(wanted: ArrayLike<number>, found: ArrayLike<number>, count: number): number {
  const nearest = (of: ArrayLike<number>, i: number): number[] =>
    Array.from({ length: count }, (_, j) => j)
      .filter((j) => j !== i)
      .sort((a, b) => of[i * count + a] - of[i * count + b])
      .slice(0, NEAREST)
  let kept = 0
  for (let i = 0; i < count; i++) kept += nearest(wanted, i).filter((j) => nearest(found, i).includes(j)).length
  return kept / (count * NEAREST)
}

for (const folder of process.argv.slice(2)) {
  const project = await openProject(folder)
  const { meta, arrays } = await loadTrainedRun(project)
  const pixels = await surveyRun(
    { meta, reader: new PictureReader(sightOf(project, meta)) },
    appliedWeights(arrays),
    { looks: [9, 21] },
    signal
  )
  const count = meta.tree!.count
  const apart = looksApart(pixels.looks, pixels.heatmapA)
  const byTree = scaledToPlane(treeDistances(meta.tree!), count)
  const scaled = scaledToPlane(apart, count)
  const began = performance.now()
  const embedded = await embedChannels(onnxruntimeBackend(), pixels.heatmapA, byTree, uniformFrom(1, 8), signal)
  console.log(`${folder}: ${count} clusters, embedded in ${((performance.now() - began) / 1e3).toFixed(1)} s`)
  for (const [name, places] of [
    ['tree, scaled', byTree],
    ['looks, scaled (MDS)', scaled],
    ['manifold layer', embedded]
  ] as const) {
    const found = distancesOf(places)
    console.log(
      `  ${name.padEnd(22)} stress ${stress(apart, found).toFixed(3)}, neighbours kept ${neighboursKept(apart, found, count).toFixed(3)}`
    )
  }
}
process.exit(0)
