import { duration } from '../../src-main/contract/words/duration.ts'
import { megabytes } from '../../src-main/contract/runtimes.ts'
import { common, percent, plural } from './common.ts'

/** Labels of the settings, which errors name too. */
const fields = {
  classes: 'Classes',
  over: 'Clusters to start from',
  minutes: 'Time limit (min)',
  steps: 'Steps',
  seed: 'Seed',
  scale: 'Image scale',
  bands: 'Bands',
  gsd: 'Pixel size (m)'
}

const heads: Partial<Record<string, string>> = { A: 'All clusters', B: 'Suggested classes' }

/** Settings of training, its progress and its result. */
export const training = {
  section: '1 · Train',
  unfinished: (preset: string) => `${preset} · unfinished`,
  train: 'Train',
  trainAgain: 'Train again',
  continue: 'Continue training',
  fixSetting: 'Fix the highlighted setting.',
  fixOverrides: 'Fix the recipe overrides under More settings.',
  trainFirst: 'Train first. The preview preset takes seconds.',
  lastTime: (seconds: number) => `Last run took ${duration(seconds)} on this computer.`,
  trained: (steps: number, images: number, backend: string) =>
    `Training finished: ${plural(steps, 'step')} on ${common.images(images)} with ${backend}.`,
  clustered: (images: number, method: string, backend: string) =>
    `Clustering finished: ${common.images(images)} with ${method} on ${backend}.`,

  fields,
  preset: 'Preset',
  backend: 'Backend',
  automatic: 'Automatic',
  moreSettings: 'More settings',
  allBands: 'All',
  bandsHint:
    'Band numbers, starting at 1, in the order to use them. ' +
    'Leave empty to use all bands that the images have in common.',
  native: 'Native',
  pixelSizeHint: 'Resample georeferenced images to this pixel size. Leave empty to keep the pixel size of each image.',
  atLeast: (name: string, least: number) => `${name} must be at least ${least}.`,
  atMost: (name: string, most: number) => `${name} must be at most ${most}.`,
  notANumber: (name: string) => `${name}: enter a number.`,
  tooManyClasses: (over: number) => `Choose at most ${over} classes, the number of clusters to start from.`,

  area: 'Area',
  areaHint: 'Limit training and labels to an area',
  wholeImage: 'whole image',
  clearArea: 'Clear',
  drawArea: 'Draw',
  drawingDone: 'Done',
  drawAreaHint: 'Click corners on the image and double-click to finish, or drag to draw an outline. Esc cancels.',
  locationsUnknown: 'The location of these images is unknown.',
  loadArea: 'Load GeoJSON…',
  chooseArea: 'Choose a GeoJSON file with the area',

  method: 'Method',
  presetDefault: 'Preset default',
  methodWithNote: (method: string, note: string) => `${method} · ${note}`,
  compareMethods: 'Compare methods',
  chooseMethods: 'Choose at least two methods.',
  compareHint: 'Each method becomes a run that you can compare under Runs.',
  trainMethods: (count: number) => (count > 1 ? `Train and segment with ${count} methods` : 'Train and segment'),

  curve: 'Separation during training',
  separation: (head: string, share: number) => `${heads[head] ?? head}: separation ${percent(share)}`,
  previewOf: (path: string) => `Preview of the clusters on ${path}`,
  previewSoFar: (path: string) => `${path}, preview so far`,
  distinct: (distinct: number, clusters: number) =>
    `Effectively ${distinct.toFixed(1)} distinct clusters of ${clusters}.`,
  clusterShare: (cluster: number, share: number) => `Cluster ${cluster}: ${percent(share, 1)}`,
  shares: 'Cluster shares',
  confusion: 'Cluster confusion',
  confusionHint:
    'How often two clusters cover the same place in two views. ' +
    'All on the diagonal if clusters are never confused (P in the paper).'
}

/** Optional compute runtimes. */
export const runtimes = {
  names: { tensorflow: 'TensorFlow' },
  downloading: (name: string, share: number) => `Downloading ${name}… ${percent(share)}`,
  installed: (name: string, version: string, bytes: number) => `${name} ${version} is installed (${megabytes(bytes)}).`,
  remove: 'Remove',
  missing: (name: string, version: string) => `${name} ${version} is not installed.`,
  optional: 'Optional. The automatic backend uses it if it trains faster on this computer.',
  download: (bytes: number) => `Download ${megabytes(bytes)}`,
  onDisk: (bytes: number) => `${megabytes(bytes)} on disk`
}
