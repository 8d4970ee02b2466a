import { plural } from '../../src-main/contract/words/plural.ts'

export { plural }

const LOCALE = 'en-GB'
/** A no-break space: it keeps a number and its unit on one line. */
const NBSP = '\u00a0'

export const number = (value: number): string => value.toLocaleString(LOCALE)
export const quantity = (value: number | string, unit: string): string => `${value}${NBSP}${unit}`
/** Writes a share, 0…1, as a percentage. */
export const percent = (share: number, digits = 0): string => quantity((100 * share).toFixed(digits), '%')

export const area = (squareMetres: number): string =>
  squareMetres >= 1e6
    ? quantity((squareMetres / 1e6).toFixed(2), 'km²')
    : squareMetres >= 1e4
      ? quantity((squareMetres / 1e4).toFixed(1), 'ha')
      : quantity(squareMetres.toFixed(0), 'm²')

export const fileSize = (bytes: number): string =>
  bytes >= 1e9
    ? quantity((bytes / 1e9).toFixed(1), 'GB')
    : bytes >= 1e6
      ? quantity((bytes / 1e6).toFixed(1), 'MB')
      : quantity(Math.max(1, Math.round(bytes / 1e3)), 'kB')

/** Shows a stage of a job as a status, such as `Training…`. */
export const status = (stage: string): string => `${stage}…`

/** Words that several subjects share. */
export const common = {
  undo: 'Undo',
  undoStep: (step: string) => `Undo: ${step} (Ctrl+Z)`,
  nothingToUndo: 'Nothing to undo',
  redo: 'Redo',
  redoStep: (step: string) => `Redo: ${step} (Ctrl+Shift+Z)`,
  nothingToRedo: 'Nothing to redo',
  merge: 'Merge',
  cancel: 'Cancel',
  close: 'Close',
  choose: 'Choose…',
  copyCommand: 'Copy as command',
  copied: (command: string) => `Copied: ${command}`,
  images: (count: number) => plural(count, 'image'),
  /** A command with its key, in a tooltip. */
  withKeys: (label: string, keys: string) => `${label} (${keys})`
}
