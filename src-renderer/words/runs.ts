import { number, percent, plural } from './common.ts'

/** The runs of a project. */
export const runs = {
  section: 'Runs',
  list: 'Runs',
  note: (count: number, shown: string | undefined) =>
    `${plural(count, 'run')}${shown === undefined ? '' : ` · showing ${shown}`}`,
  nameField: 'Run name',
  clusters: (classes: number, over: number) => `${classes} classes from ${over} clusters`,
  seed: (seed: number) => `seed ${seed}`,
  steps: (steps: number) => plural(steps, 'step'),
  unfinished: 'unfinished',
  segmented: (images: number) => (images > 0 ? `${number(images)} segmented` : 'not segmented'),
  separation: (share: number) => `Separation ${percent(share)}`,
  shown: 'This run is shown. Press F2 or double-click to rename it.',
  show: 'Show the labels and classes of this run',
  evaluate: 'Evaluate quality',
  evaluateHint:
    'Evaluate the features without labels: their information (MINE) and dependence (NDM). Takes about a minute.',
  compare: 'Compare',
  compareHint: 'Compare with the run that is shown',
  notSegmented: 'This run is not segmented.',
  copyClasses: 'Copy classes from this run',
  copyClassesHint: 'Assign clusters to the classes that cover the same places in this run. You can undo this.',
  bin: 'Move to bin',
  binHint: 'Move the run, with its labels and classes, to the system bin',
  divider: 'Comparison divider',
  stopComparing: 'Stop comparing'
}
