import type { Method, Recipe, RecipeChanges } from '../../src-main/contract/recipe.ts'
import { recipe as words } from '../words/recipe.ts'

/** A number or a checkbox for one setting of the recipe. */
export interface RecipeField {
  /** Path of the setting in the recipe. */
  path: readonly string[]
  label: string
  /** Its symbol in the paper, or its unit. */
  symbol?: string
  help: string
  /** The only method that has this setting. */
  method?: Method
  /** Limits of a number; absent for a checkbox. */
  range?: { min: number; max: number; step: number }
}

type FieldPath = keyof typeof words.fields

const number = (path: FieldPath, symbol: string, min: number, max: number, step: number): RecipeField => ({
  path: path.split('.'),
  ...words.fields[path],
  symbol: symbol || undefined,
  range: { min, max, step }
})
const choice = (path: FieldPath): RecipeField => ({ path: path.split('.'), ...words.fields[path] })

export const RECIPE_FIELDS: readonly RecipeField[] = [
  number('radius', 'T', 0, 128, 1),
  number('lambda.A', 'λ', 0.1, 10, 0.05),
  number('pairs', 'n', 1, 512, 1),
  number('crop', 'px', 8, 1024, 8),
  number('rate', 'α', 0.000001, 1, 0.0001),
  number('width', '', 0.125, 4, 0.125),
  number('subHeads', 'h', 1, 8, 1),
  number('patience', '', 0, 1, 0.05),
  number('restarts.trials', '', 1, 16, 1),
  ...[
    number('deepInfomax.alpha', 'α', 0, 10, 0.1),
    number('deepInfomax.beta', 'β', 0, 10, 0.1),
    number('deepInfomax.gamma', 'γ', 0, 10, 0.05)
  ].map((field): RecipeField => ({ ...field, method: 'deep-infomax' })),
  choice('views.flips.columns'),
  choice('views.flips.rows'),
  choice('views.quarterTurns'),
  number('views.jitter.brightness', '', 0, 1, 0.05),
  number('views.jitter.hue', '', 0, 0.5, 0.01),
  number('views.noise', 'σ', 0, 1, 0.01)
]

/** Returns the value at a path of a recipe, or of overrides. */
export function valueAt(of: Recipe | RecipeChanges | undefined, path: readonly string[]): unknown {
  return path.reduce<unknown>((found, name) => (found as Record<string, unknown> | undefined)?.[name], of)
}

/**
 * Returns the overrides with another value at a path; undefined resets it to the preset. Parts that an override
 * replaces as a whole start from the preset's values.
 */
export function withValue(
  changes: RecipeChanges = {},
  preset: Recipe,
  path: readonly string[],
  value: number | boolean | undefined
): RecipeChanges | undefined {
  const changed =
    path[0] === 'views'
      ? replaced(changes, 'views', emptyAsNone(withPart(changes.views ?? {}, preset.views, path.slice(1), value)))
      : withPart(changes, preset, path, value)
  return emptyAsNone(changed) as RecipeChanges | undefined
}

/** Returns an object with one part replaced, or left out if it equals the preset's. */
function withPart(of: object, preset: object, [name, ...rest]: readonly string[], value: unknown): object {
  const [own, usual] = [of, preset].map((object) => (object as Record<string, unknown>)[name])
  const part =
    rest.length === 0
      ? (value ?? usual)
      : {
          ...(usual as object),
          ...(own as object | undefined),
          [rest[0]]: value ?? (usual as Record<string, unknown>)[rest[0]]
        }
  return replaced(of, name, JSON.stringify(part) === JSON.stringify(usual) ? undefined : part)
}

function replaced(of: object, name: string, value: unknown): object {
  const others = Object.entries(of).filter(([other]) => other !== name)
  return Object.fromEntries(value === undefined ? others : [...others, [name, value]])
}

const emptyAsNone = (object: object): object | undefined => (Object.keys(object).length > 0 ? object : undefined)
