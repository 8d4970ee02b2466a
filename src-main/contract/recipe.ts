import { z } from 'zod'

/** Methods that learn the trunk. */
export const LEARNT_METHODS = [
  'information',
  'deep-infomax',
  'co-occurrence',
  'context',
  'exemplar',
  'adaptive',
  'embedded'
] as const
export type LearntMethod = (typeof LEARNT_METHODS)[number]
export const METHODS = [
  ...LEARNT_METHODS,
  'kmeans-bands',
  'kmeans-patches',
  'sift',
  'random-cnn',
  'random-cnn-kmeans',
  'features'
] as const
export type Method = (typeof METHODS)[number]
export const METHOD_KINDS = {
  learnt: 'Learnt',
  classical: 'Classical',
  untrained: 'Untrained',
  borrowed: 'Borrowed'
} as const
/** What each method is, in a line. */
export const METHOD_NOTES: Record<Method, { kind: keyof typeof METHOD_KINDS; note: string }> = {
  information: {
    kind: 'learnt',
    note: 'Invariant Information Distillation: neighbours and views tell each other’s cluster'
  },
  'deep-infomax': { kind: 'learnt', note: 'Deep InfoMax: the whole and its places tell of each other' },
  'co-occurrence': { kind: 'learnt', note: 'Isola 2015: which places lie near each other' },
  context: { kind: 'learnt', note: 'Doersch 2015: on which side of a place another lies' },
  exemplar: { kind: 'learnt', note: 'Dosovitskiy 2016: two views of a patch, among others' },
  adaptive: { kind: 'learnt', note: 'Deep Adaptive Clustering, Chang 2017: sure pairs are alike or not' },
  embedded: { kind: 'learnt', note: 'Deep Embedded Clustering, Xie 2016: clusters grow sharper' },
  'kmeans-bands': { kind: 'classical', note: 'k-means on the bands of each pixel' },
  'kmeans-patches': { kind: 'classical', note: 'k-means on statistics of patches' },
  sift: { kind: 'classical', note: 'k-means on dense SIFT descriptors' },
  'random-cnn': { kind: 'untrained', note: 'the network as it begins' },
  'random-cnn-kmeans': { kind: 'untrained', note: 'k-means on the features of the network as it begins' },
  features: { kind: 'borrowed', note: 'k-means on the features of a vision network (ONNX file)' }
}
/** How whole images are grouped: by learning, by k-means on their pixels, or on a network as it begins. */
export const GROUP_METHODS = [
  'information',
  'deep-infomax',
  'exemplar',
  'adaptive',
  'kmeans-pixels',
  'random-cnn'
] as const
export type GroupMethod = (typeof GROUP_METHODS)[number]
export const OBJECTIVES = ['pooled', 'perDisplacement'] as const

const share = z.number().min(0).max(1)
/** Sides in pixels. */
const boxes = z.array(z.int().positive().max(255))
const strength = z.number().min(0)
/** A weight λ, or its values at the start and at the end of training. */
const lambda = z.union([z.number().positive(), z.tuple([z.number().positive(), z.number().positive()])])

const shift = z.int().min(0).max(512)

/** How the second view of a pair differs from the first. Lengths in pixels, angles in degrees. */
export const viewRecipe = z.strictObject({
  /** Mirror top to bottom, left to right, each in half of the pairs. */
  flips: z.strictObject({ rows: z.boolean(), columns: z.boolean() }),
  quarterTurns: z.boolean(),
  /** Largest shift between the two crops along each axis; or the least and the largest length of a shift in any direction. */
  shift: z.union([shift, z.tuple([shift, shift])]),
  /** Largest turn in degrees, factor on the size 1 ± scale, and shear. */
  affine: z.strictObject({
    degrees: z.number().min(0).max(180),
    scale: z.number().min(0).max(0.9),
    shear: z.number().min(0).max(1)
  }),
  /** Root mean square length of a random displacement field, and the deviation of the Gaussian that smooths it. */
  deformation: z.strictObject({ strength, smoothness: z.number().min(1) }),
  /** Factors lie in 1 ± strength, hue in ± strength of a full turn; red, green and blue only. */
  jitter: z.strictObject({ brightness: share, contrast: share, saturation: share, hue: share.max(0.5) }),
  /** Largest change of hue, saturation and value, each added, 0…1; red, green and blue only. */
  hsv: share,
  /** Factor in 1 ± gain and summand in ± offset (0…1) for each band by itself; the only changes for bands that are no visible colour. */
  gain: share,
  offset: share,
  /** Largest deviation of a Gaussian blur. */
  blur: strength,
  /** Largest deviation of additive normal noise, 0…1. */
  noise: share,
  /** Hard views (Hinnerichs 2020). Steps of an adversarial deformation against a random classifier; 0 does without. */
  adef: z.strictObject({ steps: z.int().min(0).max(100) }),
  /**
   * Root mean square distance in pixels that brightness moves at most, ε, and how soon farther moves become rare, η: at random, or
   * of the adversarial deformation where there is one (Algorithm 1). 0 does without.
   */
  wasserstein: z.strictObject({ epsilon: strength.max(100), eta: z.number().positive() }),
  /** The same distance for brightness that is moved against a random classifier, and in how many steps. 0 does without. */
  sinkhorn: z.strictObject({ epsilon: strength.max(100), steps: z.int().min(1).max(400) })
})
export type ViewRecipe = z.infer<typeof viewRecipe>

export const guidedFilter = z.strictObject({
  /** Side in pixels of the boxes in which clusters follow the image. */
  box: z.int().positive().max(255),
  /** Variance of the z-scored image below which it counts as flat, ε of He, Sun, Tang 2010. */
  epsilon: z.number().positive()
})
export type GuidedFilter = z.infer<typeof guidedFilter>

/** Settings of Deep InfoMax, by the paper's symbols. */
export const deepInfomax = z
  .strictObject({
    /** Weights of what the whole tells of itself (global), of its places (local), and of the prior. */
    alpha: z.number().min(0).max(10),
    beta: z.number().min(0).max(10),
    gamma: z.number().min(0).max(10),
    /** Lower bound of information: Donsker and Varadhan, Jensen and Shannon, noise contrast. */
    estimator: z.enum(['dv', 'jsd', 'infonce']),
    /** How a pair of places and wholes is scored: each embedded and multiplied, or both through one layer. */
    scores: z.enum(['dot', 'concat']),
    /** Weight of telling the row and the column of a place from it and the whole (§4.3). */
    coordinates: z.number().min(0).max(10),
    /** Side of the square, as a share of the image's, that the whole does without (§4.3). */
    occlusion: z.number().min(0).max(0.9)
  })
  .refine(({ alpha, beta }) => alpha + beta > 0, 'needs alpha or beta above 0')
export type DeepInfomax = z.infer<typeof deepInfomax>

/** Everything that a training run follows besides the user's own settings. */
export const recipe = z.strictObject({
  method: z.enum(METHODS),
  /** Trunk in the papers' shorthand: `64s2,64,M,128,256d2`; channels, `s` stride, `d` dilation, `M` and `A` maximum and average pooling. */
  layers: z
    .string()
    .regex(/^(([MA]|\d+(d\d+)?(s\d+)?)(,([MA]|\d+(d\d+)?(s\d+)?))*)?$/, 'is no list of layers such as 64s2,64,M,128d2'),
  /** Factor on the trunk's channels. */
  width: z.number().positive().max(4),
  sobel: z.boolean(),
  /** Sides of the boxes whose statistics enter the heads; none when empty. */
  statistics: boxes,
  /** Statistics come from the box of least variance about each pixel (Kuwahara et al. 1976), with this weight λ of likeness; null takes the box centred on it. */
  kuwahara: z.number().min(0).max(10).nullable(),
  /** Heads begin as k-means on the statistics, with soft assignments of this temperature; 0 begins at random. */
  warmStart: z.number().min(0),
  /** Sizes of further over-clustering heads, which only help to train the trunk. */
  auxiliary: z.array(z.int().min(2).max(250)),
  /** Head B learns by itself, or is head A with its clusters merged so that they tell most about their neighbours. */
  headB: z.enum(['trained', 'merged']),
  /**
   * After training, head A becomes k-means on the trunk's features and, weighing `share` as much, the statistics of
   * these boxes; it starts from the clusters that were learnt. null leaves the head as it was trained.
   */
  refit: z.strictObject({ boxes, share: z.number().min(0).max(10) }).nullable(),
  /** Labels follow the image's edges between the network's pixels; null enlarges its heatmaps bilinearly. */
  guidedFilter: guidedFilter.nullable(),
  subHeads: z.int().min(1).max(8),
  /** Side of the square crops in pixels. */
  crop: z.int().min(8).max(1024),
  pairs: z.int().min(1).max(512),
  objective: z.enum(OBJECTIVES),
  /** Displacement half-width T in pixels. */
  radius: z.int().min(0).max(128),
  /** Displacements drawn at each step for `perDisplacement`; 0 takes all. */
  displacements: z.int().min(0).max(4096),
  lambda: z.strictObject({ A: lambda, B: lambda }),
  rate: z.number().positive().max(1),
  /** Longest gradient, as the norm over all weights; 0 leaves it. */
  clip: z.number().min(0),
  /** Share of the averaged weights that one step keeps; the average is what segments. 0 uses the last weights. */
  averaging: z.number().min(0).max(0.9999),
  /** Trials from different seeds of which the most informative goes on, each this share of the training long. */
  restarts: z.strictObject({ trials: z.int().min(1).max(16), share: z.number().min(0).max(0.5) }),
  /** Share of the training without any rise of information after which it ends; 0 never. */
  patience: share,
  /** The trunk first learns by another method, for this share of the training; null begins at random. */
  pretrain: z
    .strictObject({
      method: z.enum(LEARNT_METHODS).exclude(['information', 'adaptive', 'embedded']),
      share: z.number().positive().max(0.9)
    })
    .nullable(),
  /** Of the method deep-infomax. */
  deepInfomax,
  views: viewRecipe,
  /** How long training takes unless the user says how long. */
  minutes: z.number().positive(),
  /** Steps after which it ends even if minutes are left; 0 sets no end. */
  steps: z.int().min(0)
})
export type Recipe = z.infer<typeof recipe>

/** A preset's recipe changed in places, as a file or the window gives it. */
export const recipeChanges = recipe.omit({ views: true }).partial().extend({ views: viewRecipe.partial().optional() })
export type RecipeChanges = z.infer<typeof recipeChanges>
