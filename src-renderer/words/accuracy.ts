import { common, number, percent, plural } from './common.ts'

/** Checking the classes against reference masks. */
export const accuracy = {
  section: 'Check accuracy',
  note: (share: number) => `${percent(share, 1)} accuracy`,
  hint: 'Compare with reference masks or GeoJSON named like the images. The scores follow every change to the classes.',
  check: 'Check accuracy…',
  chooseFolder: 'Choose the folder of reference masks',
  scores: 'Accuracy scores',
  accuracy: 'Accuracy',
  miou: 'mIoU',
  miouHint: 'Mean intersection over union of the true classes',
  nmi: 'NMI',
  nmiHint: 'Normalised mutual information',
  baseline: 'Baseline',
  baselineHint: 'Majority baseline: the accuracy if every pixel had the largest class',
  share: (value: number) => percent(value, 1),
  images: (compared: number, without: number) =>
    `${without > 0 ? `${number(compared)} of ` : ''}${common.images(compared + without)}; ` +
    'each class matched to its most frequent true class.',
  coverage: (scored: number, reasons: readonly string[]) =>
    `${plural(scored, 'pixel')} scored${reasons.length > 0 ? `; left out: ${reasons.join(', ')}` : ''}.`,
  inIgnoredClasses: (pixels: number) => `${plural(pixels, 'pixel')} in ignored classes`,
  matrix: 'Confusion matrix',
  class: 'Class',
  trueClass: (value: number) => `True class ${value}`,
  cell: (name: string, value: number, pixels: number, share: number) =>
    `${name}, true class ${value}: ${plural(pixels, 'pixel')}, ${percent(share, 1)} of the class`,
  curve: (accuracies: readonly number[]) =>
    `Best accuracy by number of classes: ${accuracies.map((value, i) => `${i + 1}: ${percent(value, 1)}`).join(', ')}`,
  best: (count: number, best: number, own?: number) =>
    `Best accuracy with ${count} classes of the tree: ${percent(best, 1)}.` +
    (own === undefined ? '' : ` Your classes: ${percent(own, 1)}.`),
  match: 'Match to reference classes',
  matchedClass: (value: number) => `Class ${value}`
}
