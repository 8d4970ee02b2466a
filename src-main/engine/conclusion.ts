import type { Recipe } from '../contract/recipe.ts'
import type { PictureReader } from '../imagery/pictures.ts'
import { type HeadWeights, mergedHead, refittedHead } from '../learning/clusterHeads.ts'
import type { SurveyShape } from '../learning/inference.ts'
import { type Points, columnsOf } from '../learning/kMeans.ts'
import { meanStatistics } from '../learning/network/patchStatistics.ts'
import { uniformFrom } from '../learning/random.ts'
import { appliedWeights } from '../learning/trainingStep.ts'
import { type RunMeta, chosenSubHeads } from '../project/project.ts'
import { inferenceBackend } from './compute.ts'
import { surveyPixels } from './survey.ts'

/** Boxes of the mean colours and gradients by which a head's clusters are joined, in pixels. */
const MERGING_BOXES = [9, 21]
const SURVEY_STREAM = 3

export interface SurveyedRun {
  meta: RunMeta
  /** Of the images that the run learns from. */
  reader: PictureReader
}

/** Looks at pixels all over a run's images with the given weights. @throws as `surveyPixels` does */
export async function surveyRun({ meta, reader }: SurveyedRun, weights: Record<string, Float32Array>, measured: SurveyShape['statistics'], signal: AbortSignal): Promise<Record<string, Points>> {
  const { architecture, catalogue, crop, settings, statistics } = meta
  const model = { architecture, weights, subHeads: chosenSubHeads(meta), statistics }
  const backend = await inferenceBackend(settings.backend)
  return surveyPixels(backend, model, reader, catalogue.images, { measured, window: crop, uniform: uniformFrom(settings.seed, SURVEY_STREAM), signal })
}

/** What follows training: heads that are refitted, and heads that join another's clusters. @throws as `surveyPixels` does */
export async function concludingWeights(run: SurveyedRun, recipe: Recipe, state: Record<string, Float32Array>, signal: AbortSignal): Promise<HeadWeights> {
  const { heads } = run.meta.architecture
  if (!heads.some(({ refit, mergedFrom }) => refit ?? mergedFrom)) return {}
  const boxes = heads.find(({ refit }) => refit)?.refit
  const pixels = await surveyRun(run, appliedWeights(state), { merging: MERGING_BOXES, ...(boxes && { refit: boxes }) }, signal)
  const alike = columnsOf(pixels.merging, meanStatistics(run.meta.architecture.bands, MERGING_BOXES))
  const weights: HeadWeights = {}
  for (const head of heads) {
    const { mergedFrom, name, refit } = head
    if (refit) Object.assign(weights, refittedHead(head, pixels.features, pixels.refit, recipe.refit?.share ?? 0, pixels[`heatmap${name}`]))
    if (mergedFrom !== undefined) Object.assign(weights, mergedHead(head, alike, pixels[`heatmap${mergedFrom}`]))
  }
  return weights
}
