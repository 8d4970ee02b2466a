/** A setting of the recipe: its label, and a sentence that explains it. */
interface FieldWords {
  label: string
  help: string
}

const FROM_ABOVE = 'For images from above, which have no up or down.'

/** The recipe of a preset, and the user's overrides. */
export const recipe = {
  title: 'Recipe',
  overrides: 'Recipe overrides (JSON)',
  overridesExample: '{"radius": 5, "views": {"quarterTurns": true}}',
  reset: 'Reset to preset',
  invalidJson: (reason: string) => `This is not valid JSON: ${reason}`,
  presetDefault: (help: string, value: string) => `${help} Preset default: ${value}.`,
  on: 'on',
  off: 'off',
  range: (values: readonly unknown[]) => values.join(' to '),

  /** Keyed by the path of the setting in the recipe. */
  fields: {
    radius: {
      label: 'Neighbourhood',
      help: 'Each pixel should predict the clusters of neighbours up to this many pixels away.'
    },
    'lambda.A': {
      label: 'Balance',
      help: 'Above 1 favours clusters of similar size. Too high a value splits classes.'
    },
    pairs: { label: 'Pairs per step', help: 'More pairs make steps steadier, but slower.' },
    crop: { label: 'Crop size', help: 'Side of the square training crops.' },
    rate: { label: 'Learning rate', help: 'Size of each optimisation step.' },
    width: {
      label: 'Width',
      help: 'Multiplies the channels of the network. At 2, it learns more but takes four times as long.'
    },
    subHeads: { label: 'Sub-heads', help: 'Trains this many copies of each head and keeps the most informative one.' },
    patience: {
      label: 'Patience',
      help: 'Ends training early if nothing improves for this share of it. 0 turns this off.'
    },
    'restarts.trials': {
      label: 'Random starts',
      help: 'Starts this many times and continues with the most informative one.'
    },
    'deepInfomax.alpha': { label: 'Global weight', help: 'Weight of the information about the whole image.' },
    'deepInfomax.beta': { label: 'Local weight', help: 'Weight of the information about each location.' },
    'deepInfomax.gamma': { label: 'Prior weight', help: 'Weight of the prior, which spreads the features evenly.' },
    'views.flips.columns': { label: 'Mirror horizontally', help: 'Treats mirrored objects as the same.' },
    'views.flips.rows': { label: 'Mirror vertically', help: FROM_ABOVE },
    'views.quarterTurns': { label: 'Rotate by 90°', help: FROM_ABOVE },
    'views.jitter.brightness': { label: 'Brightness', help: 'Largest change in brightness between views, 0 to 1.' },
    'views.jitter.hue': {
      label: 'Hue',
      help: 'Largest change in hue between views, as a share of the colour wheel.'
    },
    'views.noise': { label: 'Noise', help: 'Largest standard deviation of the noise added to views, 0 to 1.' }
  } satisfies Record<string, FieldWords>
}
