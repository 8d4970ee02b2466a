import type { TrainingSettings } from '../contract/settings.ts'
import { type Architecture, trunk } from './network/architecture.ts'
import type { ColourJitter } from './views/colour.ts'

/** Everything that a training run follows besides the user's own settings. */
export interface Recipe {
  /** Trunk in the shorthand of `trunk`. */
  layers: string
  width: number
  /** Side of the square crops in pixels. */
  crop: number
  pairs: number
  /** Displacement half-width T in pixels. */
  radius: number
  rate: number
  lambda: Record<'A' | 'B', number>
  subHeads: number
  /** Mirror top to bottom, left to right, each in half of the pairs. */
  flips: { rows: boolean; columns: boolean }
  quarterTurns: boolean
  /** Largest shift between the two crops in pixels. */
  shift: number
  jitter: ColourJitter
  minutes: number
}

/**
 * A strided first layer keeps full-resolution channels few, so that more pairs and larger crops are seen in a minute;
 * large crops matter most: they hold whole neighbourhoods. λ above 1 keeps all over-clusters in use.
 */
const COMMON = {
  crop: 160,
  radius: 10,
  rate: 1e-3,
  lambda: { A: 1.5, B: 1 },
  subHeads: 1,
  flips: { rows: false, columns: true },
  quarterTurns: false,
  shift: 0,
  jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.125 }
} satisfies Partial<Recipe>

const RECIPES: Record<TrainingSettings['preset'], Recipe> = {
  quick: { ...COMMON, layers: '64s2,64,M,128,128,256', width: 0.5, pairs: 5, minutes: 5 },
  balanced: { ...COMMON, layers: '64s2,64,M,128,128,256,256', width: 0.75, pairs: 6, minutes: 30 }
}

export function recipeOf(settings: TrainingSettings): Recipe {
  return RECIPES[settings.preset]
}

export function architectureOf(recipe: Recipe, bands: number, settings: Pick<TrainingSettings, 'classes' | 'over'>): Architecture {
  return {
    bands,
    layers: trunk(recipe.layers, recipe.width),
    heads: [
      { name: 'A', clusters: settings.over, subHeads: recipe.subHeads },
      { name: 'B', clusters: settings.classes, subHeads: recipe.subHeads }
    ]
  }
}
