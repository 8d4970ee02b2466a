import { fileSize, number, plural } from './common.ts'

/** The export dialog. */
export const exporting = {
  section: '4 · Export',
  open: 'Export…',
  title: 'Export labels',
  format: 'Format',
  formatLabel: 'Export format',
  content: 'Content',
  shownClasses: (count: number) => `${plural(count, 'class', 'classes')} as shown, with corrections`,
  originalClusters: (count: number) => plural(count, 'original cluster'),
  images: 'Images',
  allImages: (count: number) => `All segmented images (${number(count)})`,
  onlyImage: (path: string) => `Only ${path}`,
  smoothing: 'Smoothing radius',
  smoothingUnit: 'px (0 = off)',
  smoothingHint: 'Each pixel takes the most frequent class around it. Corrections by hand are kept.',
  smallestPatch: 'Smallest patch',
  smallestPatchUnit: 'px (0 = keep all)',
  smallestPatchHint: 'Smaller patches join the neighbour with the longest shared border. Corrections by hand are kept.',
  confidence: 'Also write confidence',
  confidenceHint: 'The probability of the class of each pixel',
  probabilities: 'Also write class probabilities',
  probabilitiesHint: 'The probability of every class, one band each',
  folder: 'Folder',
  folderLabel: 'Export folder',
  chooseFolder: 'Choose an export folder',
  /** The folder that is offered first. */
  suggestedFolder: (images: string) => `${images} labels`,
  overwrite: 'Overwrite existing files',
  checking: 'Checking output…',
  planned: (files: number, bytes: number | undefined) =>
    `${plural(files, 'file')}${bytes === undefined ? '' : `, about ${fileSize(bytes)}`}:`,
  plannedNames: (names: readonly string[], more: boolean) => `${names.join(', ')}${more ? ' …' : ''}`,
  export: 'Export',
  exported: (files: number, format: string, notes: readonly string[]) =>
    [`Exported ${plural(files, 'file')} (${format}).`, ...notes].join(' ')
}
