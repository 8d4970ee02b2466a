import type { Preset, TrainingSettings } from '../contract/settings.ts'
import {
  type GroupMethod,
  LEARNT_METHODS,
  type LearntMethod,
  type Recipe,
  type ViewRecipe
} from '../contract/recipe.ts'
import { type Architecture, trunk } from './network/architecture.ts'

const STILL: ViewRecipe = {
  flips: { rows: false, columns: false },
  quarterTurns: false,
  shift: 0,
  affine: { degrees: 0, scale: 0, shear: 0 },
  deformation: { strength: 0, smoothness: 10 },
  jitter: { brightness: 0, contrast: 0, saturation: 0, hue: 0 },
  hsv: 0,
  gain: 0,
  offset: 0,
  blur: 0,
  noise: 0,
  adef: { steps: 0 },
  wasserstein: { epsilon: 0, eta: 4 },
  sinkhorn: { epsilon: 0, steps: 5 }
}
/** Box sides of the patch statistics; those used in training fit into a crop. */
const BOXES = [9, 21, 45]
const WIDER_BOXES = [...BOXES, 93]
const JITTER = { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.125 }

/**
 * Smalti's own settings. A strided first layer keeps full-resolution channels few, so that a minute covers more pairs
 * and larger crops; large crops matter most, because they include whole neighbourhoods. λ above 1 keeps all
 * over-clusters in use. Clusters start as soft k-means on patch statistics, which makes them depend less on the seed.
 * Steps are few: after a few hundred, information keeps rising, but clusters match what people name no better, or even
 * worse (docs/quality.md). So a fast machine stops early.
 */
const OWN: Omit<Recipe, 'layers' | 'width' | 'pairs' | 'minutes'> = {
  method: 'information',
  sobel: false,
  statistics: BOXES,
  kuwahara: 0.3,
  warmStart: 6,
  auxiliary: [],
  headB: 'merged',
  refit: { boxes: WIDER_BOXES, share: 2 },
  guidedFilter: { box: 21, epsilon: 0.05 },
  subHeads: 1,
  crop: 160,
  objective: 'pooled',
  radius: 10,
  displacements: 0,
  lambda: { A: 1.5, B: 1 },
  rate: 1e-3,
  clip: 0,
  averaging: 0,
  restarts: { trials: 1, share: 0 },
  patience: 0,
  pretrain: null,
  deepInfomax: { alpha: 0, beta: 1, gamma: 0.1, estimator: 'infonce', scores: 'dot', coordinates: 0, occlusion: 0 },
  steps: 0,
  views: { ...STILL, flips: { rows: false, columns: true }, jitter: JITTER, gain: 0.2, offset: 0.1 }
}

/** A random start, with nothing but bands to learn from. */
const COLD = { statistics: [], kuwahara: null, warmStart: 0, guidedFilter: null }

/** Settings of the code published with IIC (Ji, Henriques, Vedaldi 2019), as its authors ran it on each data set. */
const PUBLISHED: Omit<Recipe, 'lambda' | 'rate' | 'pairs' | 'crop' | 'sobel' | 'views' | 'radius'> = {
  ...OWN,
  ...COLD,
  layers: '64,128,M,256,256,512d2,512d2',
  width: 1,
  headB: 'trained',
  refit: null,
  objective: 'perDisplacement',
  minutes: 30
}
const COCO_VIEWS: ViewRecipe = { ...STILL, flips: { rows: false, columns: true }, jitter: JITTER }
const POTSDAM_VIEWS: ViewRecipe = {
  ...STILL,
  flips: { rows: false, columns: true },
  jitter: { brightness: 0.1, contrast: 0.1, saturation: 0.1, hue: 0.1 }
}
const COCO = { ...PUBLISHED, sobel: true, crop: 128, radius: 10, rate: 1e-4, views: COCO_VIEWS }
const POTSDAM = { ...PUBLISHED, sobel: false, crop: 200, views: POTSDAM_VIEWS }

const SMALL = { layers: '64s2,64,M,128,128,256', width: 0.5 }

const RECIPES: Record<Preset, Recipe> = {
  preview: { ...OWN, statistics: WIDER_BOXES, method: 'kmeans-patches', layers: 'A,A', width: 1, pairs: 1, minutes: 1 },
  quick: { ...OWN, ...SMALL, pairs: 5, minutes: 5, steps: 600 },
  balanced: { ...OWN, ...SMALL, pairs: 20, minutes: 30, steps: 800 },
  thorough: { ...OWN, layers: '64s2,64,M,128,128,256,256', width: 1, pairs: 32, minutes: 180, steps: 3000 },
  // The 2018 paper: VGG11 without its last pools, batch 40, rate 1e-5, shifts of 40 to 100 px, additive HSV up to 15 %.
  'paper-2018': {
    ...OWN,
    ...COLD,
    layers: '64,M,128,M,256,256,512,512,512,512',
    width: 1,
    headB: 'trained',
    refit: null,
    lambda: { A: 1, B: 1 },
    rate: 1e-5,
    pairs: 40,
    crop: 200,
    views: { ...STILL, flips: { rows: true, columns: true }, shift: [40, 100], hsv: 0.15 },
    minutes: 600
  },
  'iic-2019': { ...COCO, lambda: { A: 1, B: 1.5 }, pairs: 120 },
  'iic-2019-coco-stuff-15': { ...COCO, lambda: { A: 1, B: 1 }, pairs: 60 },
  'iic-2019-potsdam-3': { ...POTSDAM, lambda: { A: 1, B: 1.5 }, rate: 1e-5, pairs: 75, radius: 10 },
  'iic-2019-potsdam-6': { ...POTSDAM, lambda: { A: 1, B: 1 }, rate: 1e-6, pairs: 60, radius: 5 }
}

/** Weight of the statistics relative to the features of a pretrained network. */
const FEATURES_SHARE = 1

/** Returns the preset's recipe with the user's changes. */
export function recipeOf({
  preset,
  method: asked,
  features,
  recipe = {}
}: Pick<TrainingSettings, 'preset' | 'method' | 'features' | 'recipe'>): Recipe {
  const method = features ? 'features' : asked
  const base = method === undefined ? RECIPES[preset] : withMethod(RECIPES[preset], method)
  return { ...base, ...recipe, views: { ...base.views, ...recipe.views } }
}

/** Clusters only the learnt features. */
const PLAIN = { statistics: [], kuwahara: null, warmStart: 0, guidedFilter: null, refit: null }

/** Adapts a preset's recipe to a method. */
function withMethod(base: Recipe, method: Recipe['method']): Recipe {
  switch (method) {
    case 'kmeans-bands':
      return { ...base, method, layers: 'A', statistics: [], kuwahara: null, guidedFilter: null }
    case 'kmeans-patches':
      return { ...base, method, layers: RECIPES.preview.layers, statistics: RECIPES.preview.statistics }
    case 'random-cnn':
    case 'random-cnn-kmeans':
      return {
        ...base,
        ...(base.method !== 'information' && SMALL),
        method,
        statistics: [],
        kuwahara: null,
        guidedFilter: null
      }
    case 'sift':
      return { ...base, ...PLAIN, method, layers: RECIPES.preview.layers }
    case 'deep-infomax':
    case 'co-occurrence':
    case 'context':
    case 'exemplar':
    case 'adaptive':
    case 'embedded':
      // Many small crops, because these methods compare images with each other.
      return {
        ...RECIPES.quick,
        ...PLAIN,
        method,
        headB: 'trained',
        crop: 64,
        pairs: 16,
        views: { ...RECIPES.quick.views }
      }
    case 'features':
      return {
        ...RECIPES.quick,
        method,
        layers: RECIPES.preview.layers,
        statistics: [],
        refit: { boxes: WIDER_BOXES, share: FEATURES_SHARE }
      }
    case 'information':
      return base.method === method ? base : { ...RECIPES.quick }
  }
}

export const isLearnt = (method: Recipe['method']): method is LearntMethod =>
  (LEARNT_METHODS as readonly string[]).includes(method)

/** Returns the recipe that pretrains the trunk: the other method's own, with this trunk. */
export function pretrainingRecipe({ pretrain, layers, width, sobel }: Recipe): Recipe | undefined {
  return pretrain ? { ...recipeOf({ preset: 'quick', method: pretrain.method }), layers, width, sobel } : undefined
}

/**
 * Builds the network of a recipe.
 * @param upright  whether a pixel's row counts where its statistics are clustered
 */
export function architectureOf(
  recipe: Recipe,
  bands: number,
  settings: Pick<TrainingSettings, 'classes' | 'over'>,
  upright = false,
  backbone?: Architecture['backbone']
): Architecture {
  const { subHeads } = recipe
  const refitted = isLearnt(recipe.method) || recipe.method === 'features'
  const byStatistics = refitted ? recipe.refit !== null : recipe.method === 'kmeans-patches'
  const merged = byStatistics && recipe.headB === 'merged'
  return {
    bands,
    sobel: recipe.sobel,
    layers: trunk(recipe.layers, recipe.width),
    backbone,
    descriptor: recipe.method === 'sift' ? 'sift' : undefined,
    statistics: recipe.statistics.length > 0 ? recipe.statistics : undefined,
    kuwahara: recipe.kuwahara ?? undefined,
    guidedFilter: recipe.guidedFilter ?? undefined,
    upright: (upright && byStatistics) || undefined,
    heads: [
      { name: 'A', clusters: settings.over, subHeads, refit: (refitted && recipe.refit?.boxes) || undefined },
      { name: 'B', clusters: settings.classes, subHeads: merged ? 1 : subHeads, mergedFrom: merged ? 'A' : undefined },
      ...recipe.auxiliary.map((clusters, i) => ({ name: `C${i + 1}`, clusters, subHeads }))
    ]
  }
}

/** Sides in pixels to which whole images are scaled before they are grouped; small images stay as small as CIFAR's. */
export const GROUP_SIDES = { small: 32, large: 64 }
/** Smallest share of an image's side that a view shows, and the share of that side that the network sees. */
export const GROUP_CROPS = { smallestPart: 0.5, size: 0.75 }

/** §3.2 of the 2018 paper: four convolutions and three pools; crops, flips, scaling, colour. */
const GROUP_RECIPE: Omit<Recipe, 'crop'> = {
  ...OWN,
  ...COLD,
  layers: '64,M,128,M,256,M,512',
  width: 0.5,
  headB: 'trained',
  refit: null,
  subHeads: 5,
  pairs: 400,
  radius: 0,
  lambda: { A: 1.5, B: 1.2 },
  rate: 2e-3,
  views: { ...OWN.views, jitter: { ...JITTER, hue: 0.1 } },
  minutes: 15
}
/**
 * Deep InfoMax on whole images, with the channels of the paper's encoder. Views are mirrored and cropped but keep their
 * colours, because the method should learn them.
 */
const GROUP_INFOMAX: Omit<Recipe, 'crop'> = {
  ...GROUP_RECIPE,
  method: 'deep-infomax',
  layers: '64s2,128s2,256',
  width: 1,
  pairs: 32,
  rate: 1e-3,
  views: { ...STILL, flips: { rows: false, columns: true } }
}

/** Returns the recipe for grouping whole images with a method. */
export function groupRecipe(method: GroupMethod): Omit<Recipe, 'crop'> {
  return method === 'deep-infomax'
    ? GROUP_INFOMAX
    : method === 'adaptive' || method === 'exemplar'
      ? { ...GROUP_RECIPE, method }
      : GROUP_RECIPE
}

/** Clusters to start from, for each group. */
const OVER_GROUPS = 6

export function groupArchitecture(
  { layers, width, subHeads }: Omit<Recipe, 'crop'>,
  bands: number,
  groups: number
): Architecture {
  return {
    bands,
    wholeImage: true,
    layers: trunk(layers, width),
    heads: [
      { name: 'A', clusters: groups * OVER_GROUPS, subHeads },
      { name: 'B', clusters: groups, subHeads }
    ]
  }
}
