import type { CleanUp, Measures } from '../labels.ts'
import { DEFAULT_SETTINGS, type HeadName, type TrainingSettings } from '../settings.ts'

/** Quotes a word for a shell. */
function quoted(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

const line = (...words: readonly string[]): string => ['smalti', ...words.map(quoted)].join(' ')

/**
 * Returns the command that trains with the same settings, without options that have their default value. Recipe
 * overrides go into a file, whose content follows the command as a comment.
 */
export function trainCommand(sources: readonly string[], project: string, settings: TrainingSettings): string {
  const { recipe, features } = settings
  const options = (
    [
      'classes',
      'over',
      'preset',
      'method',
      'minutes',
      'steps',
      'seed',
      'scale',
      'gsd',
      'bands',
      'page',
      'area',
      'upright',
      'backend'
    ] as const
  ).flatMap((name) => {
    const value = settings[name]
    return value === undefined || value === DEFAULT_SETTINGS[name] || (name === 'method' && features)
      ? []
      : [`--${name}`, String(value)]
  })
  const network = features
    ? [
        '--features',
        features.file,
        ...(features.mean ? ['--features-mean', features.mean.join()] : []),
        ...(features.std ? ['--features-std', features.std.join()] : [])
      ]
    : []
  const command = line(
    'train',
    ...sources,
    '--project',
    project,
    ...options,
    ...network,
    ...(recipe ? ['--recipe', 'recipe.json'] : [])
  )
  return recipe ? `${command}   # recipe.json: ${JSON.stringify(recipe)}` : command
}

export const segmentCommand = (project: string, heatmaps = false): string =>
  line('segment', project, ...(heatmaps ? ['--heatmaps'] : []))

/** The options of an export, besides its project. */
export interface ExportChoice {
  format: string
  head: HeadName
  out: string
  what?: 'classes' | 'clusters'
  only?: readonly string[]
  measures?: Measures
  cleanUp?: CleanUp
  overwrite?: boolean
}

export function exportCommand(
  project: string,
  { format, head, out, what = 'classes', only, measures = {}, cleanUp = {}, overwrite }: ExportChoice
): string {
  const { majority, sieve } = cleanUp
  return line(
    'export',
    project,
    '--format',
    format,
    ...(head === 'A' ? [] : ['--head', head]),
    ...(what === 'classes' ? [] : ['--what', what]),
    ...(measures.confidence ? ['--confidence'] : []),
    ...(measures.probabilities ? ['--probabilities'] : []),
    ...(majority === undefined ? [] : ['--majority', String(majority)]),
    ...(sieve === undefined ? [] : ['--sieve', `${sieve.value}${sieve.unit}`]),
    ...(overwrite ? ['--overwrite'] : []),
    '--out',
    out,
    ...(only ? ['--only', ...only] : [])
  )
}
