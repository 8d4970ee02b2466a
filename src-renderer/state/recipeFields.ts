import type { Method, Recipe, RecipeChanges } from '../../src-main/contract/recipe.ts'

/** A number or a choice of the recipe that has a control of its own. */
export interface RecipeField {
  /** Where it stands in the recipe. */
  path: readonly string[]
  label: string
  /** In the paper. */
  symbol?: string
  help: string
  /** The one method that it belongs to. */
  method?: Method
  /** Absent for what is only on or off. */
  range?: { min: number; max: number; step: number }
}

const number = (
  path: string,
  label: string,
  symbol: string,
  help: string,
  min: number,
  max: number,
  step: number
): RecipeField => ({ path: path.split('.'), label, symbol: symbol || undefined, help, range: { min, max, step } })
const choice = (path: string, label: string, help: string): RecipeField => ({ path: path.split('.'), label, help })

export const RECIPE_FIELDS: readonly RecipeField[] = [
  number('radius', 'Neighbourhood', 'T', 'A pixel is to tell of those so many pixels away, at most.', 0, 128, 1),
  number(
    'lambda.A',
    'Equal shares',
    'λ',
    'Above 1, clusters of like size weigh more; too much tears classes apart.',
    0.1,
    10,
    0.05
  ),
  number('pairs', 'Pairs a step', 'n', 'More make steps steadier, and slower.', 1, 512, 1),
  number('crop', 'Crops', 'px', 'Side of the squares that are learnt from.', 8, 1024, 8),
  number('rate', 'Learning rate', 'α', 'How far a step goes.', 0.000001, 1, 0.0001),
  number(
    'width',
    'Width',
    '',
    'Factor on the network’s channels: 2 learns more, four times as slowly.',
    0.125,
    4,
    0.125
  ),
  number(
    'subHeads',
    'Sub-heads',
    'h',
    'Each head is learnt so many times, and the one that tells most is kept.',
    1,
    8,
    1
  ),
  number(
    'patience',
    'Patience',
    '',
    'Share of the training without a rise of information that ends it; 0 never.',
    0,
    1,
    0.05
  ),
  number('restarts.trials', 'Starts', '', 'Of so many beginnings the one that tells most goes on.', 1, 16, 1),
  ...[
    number('deepInfomax.alpha', 'Of the whole', 'α', 'How much the whole is to tell of all of the image.', 0, 10, 0.1),
    number('deepInfomax.beta', 'Of places', 'β', 'How much the whole is to tell of each place.', 0, 10, 0.1),
    number('deepInfomax.gamma', 'Prior', 'γ', 'How much the whole’s numbers are to be spread evenly.', 0, 10, 0.05)
  ].map((field): RecipeField => ({ ...field, method: 'deep-infomax' })),
  choice('views.flips.columns', 'Mirror sideways', 'What faces one way is the same as what faces the other.'),
  choice('views.flips.rows', 'Mirror upside down', 'For pictures from above, where nothing is up.'),
  choice('views.quarterTurns', 'Turn by quarters', 'For pictures from above, where nothing is up.'),
  number('views.jitter.brightness', 'Brightness', '', 'Views differ in brightness by this share.', 0, 1, 0.05),
  number('views.jitter.hue', 'Hue', '', 'Views differ in hue by this share of a full turn.', 0, 0.5, 0.01),
  number('views.noise', 'Noise', 'σ', 'Views get this much noise, of 1.', 0, 1, 0.01)
]

/** What stands at a place of a recipe, or of changes to one. */
export function valueAt(of: Recipe | RecipeChanges | undefined, path: readonly string[]): unknown {
  return path.reduce<unknown>((found, name) => (found as Record<string, unknown> | undefined)?.[name], of)
}

/** Changes with another value at a place, or as the preset has it; parts that are given whole begin as the preset has them. */
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

/** An object with one of its parts set whole; a part that is as the preset has it is left out. */
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
