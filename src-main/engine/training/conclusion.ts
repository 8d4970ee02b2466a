import type { Recipe } from '../../contract/recipe.ts'
import type { PictureReader } from '../../imagery/pictures.ts'
import type { ClusterTree, MapPlace } from '../../contract/classes.ts'
import {
  ASSIGNMENT_TEMPERATURE,
  type Assignment,
  type HeadWeights,
  clusteringSpace,
  kMeansAssignment,
  kMeansHeads,
  mapOfClusters,
  mergedHead,
  refittedHead,
  treeOfClusters
} from '../../learning/clusterHeads.ts'
import type { SurveyShape } from '../../learning/inference.ts'
import { type Points, columnsOf } from '../../learning/kMeans.ts'
import { type Architecture, mergesRefitted, refitFeatures } from '../../learning/network/architecture.ts'
import { meanStatistics } from '../../learning/network/patchStatistics.ts'
import { type Uniform, uniformFrom } from '../../learning/random.ts'
import { appliedWeights } from '../../learning/trainingStep.ts'
import { type RunMeta, chosenSubHeads } from '../../project/project.ts'
import { inferenceBackend } from '../runtime/compute.ts'
import { frozenTrunkOf } from '../features/frozenTrunk.ts'
import { surveyPixels } from './survey.ts'

/** Sides in pixels of the boxes whose mean colours and gradients decide which clusters of a head are joined. */
const MERGING_BOXES = [9, 21]
const SURVEY_STREAM = 3
const REFIT_STREAM = 4

/** A run with a reader of its images. */
export interface SurveyedRun {
  meta: RunMeta
  /** Reads the images that the run learns from. */
  reader: PictureReader
}

/** Measures pixels all over a run's images with the given weights. @throws as `surveyPixels` does */
export async function surveyRun(
  { meta, reader }: SurveyedRun,
  weights: Record<string, Float32Array>,
  measured: SurveyShape['statistics'],
  signal: AbortSignal
): Promise<Record<string, Points>> {
  const { architecture, catalogue, crop, settings, statistics } = meta
  const model = { architecture, weights, subHeads: chosenSubHeads(meta), statistics, trunk: await frozenTrunkOf(meta) }
  const backend = await inferenceBackend(settings.backend)
  return surveyPixels(backend, model, reader, catalogue.images, {
    measured,
    window: crop,
    uniform: uniformFrom(settings.seed, SURVEY_STREAM),
    signal
  })
}

/**
 * Runs k-means on features that are not trained. Returns the weights, the tree of clusters, and the heads that are cuts
 * of it.
 * @throws as `surveyPixels` does
 */
export async function clusteredWeights(
  run: SurveyedRun,
  state: Record<string, Float32Array>,
  uniform: Uniform,
  signal: AbortSignal
): Promise<Conclusion> {
  const { architecture } = run.meta
  const { features, merging } = await surveyRun(run, state, { merging: MERGING_BOXES }, signal)
  const weights = kMeansHeads(architecture, features, ASSIGNMENT_TEMPERATURE, uniform)
  const own = architecture.heads.filter(({ mergedFrom }) => mergedFrom === undefined)
  return joined(
    architecture,
    weights,
    Object.fromEntries(own.map(({ name }) => [name, kMeansAssignment(architecture, name, features, weights)])),
    merging
  )
}

/** Adds the heads that join another head's clusters. */
function joined(
  architecture: Architecture,
  weights: HeadWeights,
  assignments: Readonly<Record<string, Assignment>>,
  merging: Points
): Conclusion {
  const looks = columnsOf(merging, meanStatistics(architecture.bands, MERGING_BOXES))
  let tree: ClusterTree | undefined
  for (const head of architecture.heads) {
    if (head.mergedFrom === undefined) continue
    tree = treeOfClusters(assignments[head.mergedFrom], looks, architecture.upright === true)
    Object.assign(weights, mergedHead(head, tree))
  }
  const first = assignments[architecture.heads[0].name]
  // Where no head is a cut, the first head's clusters still get a tree.
  return {
    weights,
    tree: tree ?? treeOfClusters(first, looks, architecture.upright === true),
    map: mapOfClusters(first, looks)
  }
}

export interface Conclusion {
  weights: HeadWeights
  /** The tree of the clusters of the head that others join. */
  tree?: ClusterTree
  /** The map of the first head's clusters. */
  map?: MapPlace[]
}

/**
 * Follows training, or replaces it where the features come from another network: refits heads, builds the tree of their
 * clusters, and adds the heads that are cuts of it.
 * @throws as `surveyPixels` does
 */
export async function concludingWeights(
  run: SurveyedRun,
  recipe: Recipe,
  state: Record<string, Float32Array>,
  signal: AbortSignal
): Promise<Conclusion> {
  const { architecture } = run.meta
  const { heads } = architecture
  if (!heads.some(({ refit, mergedFrom }) => refit ?? mergedFrom)) return { weights: {} }
  const boxes = heads.find(({ refit }) => refit)?.refit
  const weights = appliedWeights(state)
  const pixels = await surveyRun(run, weights, { merging: MERGING_BOXES, ...(boxes && { refit: boxes }) }, signal)
  const uniform = uniformFrom(run.meta.settings.seed, REFIT_STREAM)
  const found: HeadWeights = {}
  const assignments: Record<string, Assignment> = {}
  const anew =
    recipe.method === 'features' ? kMeansHeads(architecture, pixels.features, ASSIGNMENT_TEMPERATURE, uniform) : {}
  Object.assign(found, anew)
  for (const head of heads.filter(({ mergedFrom }) => mergedFrom === undefined)) {
    const heatmap =
      `head${head.name}/filter` in anew
        ? kMeansAssignment(architecture, head.name, pixels.features, anew).heatmap
        : pixels[`heatmap${head.name}`]
    assignments[head.name] = { space: clusteringSpace(architecture, pixels.features), heatmap }
    if (!head.refit) continue
    const features = columnsOf(pixels.features, [...Array(refitFeatures(architecture)).keys()])
    const refitted = refittedHead(
      head,
      {
        features,
        statistics: pixels.refit,
        rows: pixels.row,
        share: recipe.refit?.share ?? 0,
        placed: architecture.backbone !== undefined
      },
      heatmap,
      uniform
    )
    Object.assign(found, refitted.weights)
    if (mergesRefitted(architecture)) assignments[head.name] = refitted
  }
  return joined(architecture, found, assignments, pixels.merging)
}
