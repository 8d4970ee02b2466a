import { common, number, percent, plural } from './common.ts'

/** Grouping whole images. */
export const groups = {
  section: 'Group images',
  count: 'Groups',
  method: 'Method',
  minutes: 'Time limit (min)',
  group: 'Group',
  groupAgain: 'Group again',
  replaces: (changes: number) =>
    `Grouping again replaces the current groups${changes > 0 ? ` and discards ${plural(changes, 'change')}` : ''}.`,
  show: 'Show groups',
  grouped: (images: number, groups: number) =>
    `Grouped ${common.images(images)} into ${plural(groups, 'group')}. Drag an image to move it to another group.`,

  newGroup: 'New group',
  newGroupName: (number: number) => `New group ${number}`,
  move: 'Move selected images to a group',
  moveTo: (count: number) => (count === 0 ? 'Move to…' : `Move ${number(count)} to…`),
  map: 'Map',
  mapHint: 'Show all images on a map, similar ones close together',
  leastCertainFirst: 'Least certain first',
  exportTable: 'Export table…',
  exportTableHint: 'Export a table of all images and a contact sheet',
  exportCopies: 'Export sorted copies…',
  exportCopiesHint: 'Also copy each image to the folder of its group',
  certainty: (confidence: number) => percent(confidence),
  imageHint: (path: string) => `${path} · Drag to another group, double-click to open`,
  nameField: 'Group name',
  rename: 'Rename',
  merge: (name: string) => `Merge ${name} into another group`,
  mergeInto: 'Merge into…',
  mapOf: (images: number) => `Map of ${common.images(images)}, similar ones close together`,
  colours: 'Group colours',
  mapKeys: 'Lasso images to select them, Ctrl adds. Scroll to zoom, right-drag to pan, double-click to open.',

  chooseTableFolder: 'Choose a folder for the table',
  chooseCopiesFolder: 'Choose a folder for the copies',
  exported: (files: number, copies: boolean, unreadable: number) =>
    `Exported ${plural(files, 'file')}: a table, a contact sheet${copies ? ' and the copies' : ''}.` +
    (unreadable > 0 ? ` ${common.images(unreadable)} could not be read.` : '')
}
