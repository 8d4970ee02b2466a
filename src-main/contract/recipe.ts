import { z } from 'zod'

/** Methods that train the trunk. */
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
  learnt: 'Trained',
  classical: 'Classical',
  untrained: 'Untrained',
  borrowed: 'Pretrained'
} as const
/** A short description of each method. */
export const METHOD_NOTES: Record<Method, { kind: keyof typeof METHOD_KINDS; note: string }> = {
  information: {
    kind: 'learnt',
    note: 'Invariant Information Distillation: neighbours and views predict each other’s cluster'
  },
  'deep-infomax': { kind: 'learnt', note: 'Deep InfoMax: maximises the information between an image and its parts' },
  'co-occurrence': { kind: 'learnt', note: 'Isola 2015: predicts which patches occur near each other' },
  context: { kind: 'learnt', note: 'Doersch 2015: predicts the relative position of two patches' },
  exemplar: { kind: 'learnt', note: 'Dosovitskiy 2016: recognises two views of the same patch' },
  adaptive: {
    kind: 'learnt',
    note: 'Deep Adaptive Clustering, Chang 2017: learns from pairs that are clearly alike or different'
  },
  embedded: { kind: 'learnt', note: 'Deep Embedded Clustering, Xie 2016: sharpens clusters step by step' },
  'kmeans-bands': { kind: 'classical', note: 'k-means on the bands of each pixel' },
  'kmeans-patches': { kind: 'classical', note: 'k-means on statistics of patches' },
  sift: { kind: 'classical', note: 'k-means on dense SIFT descriptors' },
  'random-cnn': { kind: 'untrained', note: 'an untrained network' },
  'random-cnn-kmeans': { kind: 'untrained', note: 'k-means on the features of an untrained network' },
  features: { kind: 'borrowed', note: 'k-means on the features of a pretrained vision network (ONNX file)' }
}
/** Methods to group whole images: by training, by k-means on their pixels, or with an untrained network. */
export const GROUP_METHODS = [
  'information',
  'deep-infomax',
  'exemplar',
  'adaptive',
  'kmeans-pixels',
  'random-cnn'
] as const
export type GroupMethod = (typeof GROUP_METHODS)[number]
const OBJECTIVES = ['pooled', 'perDisplacement'] as const

const share = z.number().min(0).max(1)
/** Sides in pixels. */
const boxes = z.array(z.int().positive().max(255))
const strength = z.number().min(0)
/** A weight λ, or its values at the start and at the end of training. */
const lambda = z.union([z.number().positive(), z.tuple([z.number().positive(), z.number().positive()])])

const shift = z.int().min(0).max(512)

/** How the second view of a pair differs from the first. Lengths in pixels, angles in degrees. */
export const viewRecipe = z.strictObject({
  /** Mirrors top to bottom, and left to right, each in half of the pairs. */
  flips: z.strictObject({ rows: z.boolean(), columns: z.boolean() }),
  quarterTurns: z.boolean(),
  /**
   * Largest shift between the two crops along each axis, or the smallest and the largest length of a shift in any
   * direction.
   */
  shift: z.union([shift, z.tuple([shift, shift])]),
  /** Largest rotation in degrees, size factor 1 ± scale, and shear. */
  affine: z.strictObject({
    degrees: z.number().min(0).max(180),
    scale: z.number().min(0).max(0.9),
    shear: z.number().min(0).max(1)
  }),
  /**
   * Root mean square length of a random displacement field, and the standard deviation of the Gaussian that smooths it.
   */
  deformation: z.strictObject({ strength, smoothness: z.number().min(1) }),
  /** Factors in 1 ± strength, hue in ± strength of a full turn; red, green and blue only. */
  jitter: z.strictObject({ brightness: share, contrast: share, saturation: share, hue: share.max(0.5) }),
  /** Largest change of hue, saturation and value, each added, 0…1; red, green and blue only. */
  hsv: share,
  /**
   * For each band by itself: a factor in 1 ± gain and an offset in ± offset (0…1). The only changes for bands that are
   * not visible colours.
   */
  gain: share,
  offset: share,
  /** Largest standard deviation of a Gaussian blur. */
  blur: strength,
  /** Largest standard deviation of additive normal noise, 0…1. */
  noise: share,
  /** Hard views (Hinnerichs 2020): steps of an adversarial deformation against a random classifier; 0 turns it off. */
  adef: z.strictObject({ steps: z.int().min(0).max(100) }),
  /**
   * Largest root mean square distance in pixels by which brightness moves, ε, and how quickly longer moves become rare,
   * η. The moves are random, or follow the adversarial deformation where there is one (Algorithm 1); 0 turns them off.
   */
  wasserstein: z.strictObject({ epsilon: strength.max(100), eta: z.number().positive() }),
  /** The same distance for brightness moved against a random classifier, and the number of steps; 0 turns it off. */
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
    /** Weights of the global term, of the local term, and of the prior. */
    alpha: z.number().min(0).max(10),
    beta: z.number().min(0).max(10),
    gamma: z.number().min(0).max(10),
    /** Lower bound of information: Donsker and Varadhan, Jensen and Shannon, or noise contrast. */
    estimator: z.enum(['dv', 'jsd', 'infonce']),
    /**
     * How a pair of local and global vectors is scored: both embedded and multiplied, or passed through one layer
     * together.
     */
    scores: z.enum(['dot', 'concat']),
    /** Weight of predicting a place's row and column from its local and the global vector (§4.3). */
    coordinates: z.number().min(0).max(10),
    /** Side of the square hidden from the global vector, as a share of the image's side (§4.3). */
    occlusion: z.number().min(0).max(0.9)
  })
  .refine(({ alpha, beta }) => alpha + beta > 0, 'alpha or beta must be above 0')
export type DeepInfomax = z.infer<typeof deepInfomax>

/** Everything that training follows besides the user's own settings. */
export const recipe = z.strictObject({
  method: z.enum(METHODS),
  /**
   * The trunk in the papers' shorthand, `64s2,64,M,128,256d2`: channels, `s` stride, `d` dilation, `M` and `A` max and
   * average pooling.
   */
  layers: z
    .string()
    .regex(
      /^(([MA]|\d+(d\d+)?(s\d+)?)(,([MA]|\d+(d\d+)?(s\d+)?))*)?$/,
      'must be a list of layers such as 64s2,64,M,128d2'
    ),
  /** Factor on the trunk's channels. */
  width: z.number().positive().max(4),
  sobel: z.boolean(),
  /** Sides of the boxes whose statistics feed the heads; none when empty. */
  statistics: boxes,
  /**
   * Statistics come from the box of least variance around each pixel (Kuwahara et al. 1976), with this weight λ of
   * similarity; null uses the box centred on the pixel.
   */
  kuwahara: z.number().min(0).max(10).nullable(),
  /** Heads start from k-means on the statistics, with soft assignments at this temperature; 0 starts at random. */
  warmStart: z.number().min(0),
  /** Sizes of further over-clustering heads that only help to train the trunk. */
  auxiliary: z.array(z.int().min(2).max(250)),
  /**
   * Whether head B trains by itself, or is head A with its clusters merged so that they tell most about their
   * neighbours.
   */
  headB: z.enum(['trained', 'merged']),
  /**
   * After training, head A becomes k-means on the trunk's features together with the statistics of these boxes,
   * weighted by `share`. It starts from the trained clusters. null leaves the head as it was trained.
   */
  refit: z.strictObject({ boxes, share: z.number().min(0).max(10) }).nullable(),
  /** Labels follow the image's edges between the network's pixels; null enlarges the heatmaps bilinearly. */
  guidedFilter: guidedFilter.nullable(),
  subHeads: z.int().min(1).max(8),
  /** Side of the square crops in pixels. */
  crop: z.int().min(8).max(1024),
  pairs: z.int().min(1).max(512),
  objective: z.enum(OBJECTIVES),
  /** Displacement half-width T in pixels. */
  radius: z.int().min(0).max(128),
  /** Displacements drawn at each step for `perDisplacement`; 0 uses all. */
  displacements: z.int().min(0).max(4096),
  lambda: z.strictObject({ A: lambda, B: lambda }),
  rate: z.number().positive().max(1),
  /** Largest norm of the gradient over all weights; 0 turns clipping off. */
  clip: z.number().min(0),
  /** Share of the averaged weights that one step keeps; the average is used to segment. 0 uses the last weights. */
  averaging: z.number().min(0).max(0.9999),
  /**
   * Trials from different seeds, of which the most informative one continues, and the share of training that each
   * takes.
   */
  restarts: z.strictObject({ trials: z.int().min(1).max(16), share: z.number().min(0).max(0.5) }),
  /** Share of training without a rise in information after which it ends; 0 never ends it. */
  patience: share,
  /** Another method that trains the trunk first, for a share of the time; null starts at random. */
  pretrain: z
    .strictObject({
      method: z.enum(LEARNT_METHODS).exclude(['information', 'adaptive', 'embedded']),
      share: z.number().positive().max(0.9)
    })
    .nullable(),
  /** Settings of the method `deep-infomax`. */
  deepInfomax,
  views: viewRecipe,
  /** Default training time in minutes. */
  minutes: z.number().positive(),
  /** Steps after which training ends even if time is left; 0 for no limit. */
  steps: z.int().min(0)
})
export type Recipe = z.infer<typeof recipe>

/** Changes to a preset's recipe, from a file or the window. */
export const recipeChanges = recipe.omit({ views: true }).partial().extend({ views: viewRecipe.partial().optional() })
export type RecipeChanges = z.infer<typeof recipeChanges>
