import { type SkippedFile, inVisibleColours } from '../../contract/imagery.ts'
import type { Recipe } from '../../contract/recipe.ts'
import type { PictureReader } from '../../imagery/pictures.ts'
import { warmHeads } from '../../learning/clusterHeads.ts'
import { startingHeads } from '../../learning/methods/embedded.ts'
import { objectiveOf } from '../../learning/methods/table.ts'
import { initialWeights, outputStride } from '../../learning/network/architecture.ts'
import { isLearnt } from '../../learning/presets.ts'
import { normalFrom, uniformFrom } from '../../learning/random.ts'
import type { TrainingMemory } from '../../learning/trainer.ts'
import { type StepShape, initialState, trainingStep } from '../../learning/trainingStep.ts'
import { displacementCount, drawnOf, isWarped } from '../../learning/views/pairs.ts'
import type { Project, RunMeta } from '../../project/project.ts'
import { sightOf } from '../labelling/prepareLabelling.ts'
import { type SurveyedRun, surveyRun } from './conclusion.ts'
import type { CropSourceConfig } from './cropSource.ts'

/** A run that is ready to train. */
export interface Prepared {
  project: Project
  meta: RunMeta
  state: Record<string, Float32Array>
  skipped: SkippedFile[]
  /** The memory of a run that is resumed. */
  memory?: TrainingMemory
}

/** A run with a reader of its images, open while it trains. */
export type OpenedRun = Prepared & { reader: PictureReader }

/** Streams of random numbers that depend on the seed. */
export const STREAMS = { weights: 1, clusters: 4 }

/** The trunk's share of a warm start. */
const WARM_TRUNK_SHARE = 0.1

const isMasked = ({ catalogue }: Pick<RunMeta, 'catalogue'>): boolean => catalogue.images.some(({ gaps }) => gaps)

export function stepShape(meta: Pick<RunMeta, 'crop' | 'catalogue'>, recipe: Recipe): StepShape {
  const { pairs, radius, clip, averaging, views, deepInfomax } = recipe
  const method = isLearnt(recipe.method) && recipe.method !== 'information' ? recipe.method : undefined
  return {
    ...(method && { method, deepInfomax }),
    pairs,
    crop: meta.crop,
    displacements: displacementCount({ radius, drawn: drawnOf(recipe) }),
    warped: isWarped(views),
    masked: isMasked(meta) || undefined,
    clip,
    averaging
  }
}

/** Draws the weights and moments before the first step; each trial has its own random numbers. */
export async function startingState(
  { meta, reader }: SurveyedRun,
  recipe: Recipe,
  trial: number,
  signal: AbortSignal
): Promise<Record<string, Float32Array>> {
  const {
    architecture,
    settings: { seed }
  } = meta
  const shape = stepShape(meta, recipe)
  const weights = initialWeights(
    architecture,
    normalFrom(uniformFrom(seed, STREAMS.weights, trial)),
    objectiveOf(architecture, shape).parameters
  )
  const program = trainingStep(architecture, shape)
  if (recipe.method === 'embedded') {
    const { features } = await surveyRun({ meta, reader }, weights, {}, signal)
    return initialState(program, {
      ...weights,
      ...startingHeads(architecture, features, uniformFrom(seed, STREAMS.clusters, trial))
    })
  }
  if (recipe.method !== 'information' || recipe.warmStart === 0 || recipe.statistics.length === 0)
    return initialState(program, weights)
  const pixels = await surveyRun({ meta, reader }, weights, { statistics: recipe.statistics }, signal)
  const heads = warmHeads(
    architecture,
    weights,
    pixels.statistics,
    recipe.warmStart,
    WARM_TRUNK_SHARE,
    uniformFrom(seed, STREAMS.clusters, trial)
  )
  return initialState(program, { ...weights, ...heads })
}

/** Returns the images and shape of the crops, and how the views of a pair differ. */
export function cropsOf(project: Project, meta: RunMeta, recipe: Recipe): CropSourceConfig {
  const { architecture, bands, crop, catalogue, statistics, settings } = meta
  const { pairs, radius, views } = recipe
  const shape = {
    pairs,
    bands: architecture.bands,
    coloured: inVisibleColours(bands),
    masked: isMasked(meta),
    crop,
    coarse: crop / outputStride(architecture),
    radius,
    drawn: drawnOf(recipe),
    warped: isWarped(views)
  }
  return { sight: sightOf(project, meta), images: catalogue.images, statistics, shape, views, seed: settings.seed }
}
