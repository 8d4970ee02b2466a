import { number, plural, quantity } from './common.ts'

/** The images that are open, their project and the gallery. */
export const images = {
  windowTitle: (project: string | undefined) => (project === undefined ? 'Smalti' : `${project} – Smalti`),
  opening: (files: number, title: string) => `${plural(files, 'file')} in ${title}`,
  sidebarWidth: 'Sidebar width',
  project: 'Project',
  projectFolder: 'Project:',
  open: 'Open images…',
  changeFolder: 'Change…',
  skippedCount: (count: number) => `, ${number(count)} skipped`,
  skipped: 'Skipped files',
  chooseProjectFolder: 'Choose a project folder',
  noProjectFolder: 'the project has no folder',
  find: 'Find images by name',
  findHint: 'Find by name',
  filter: 'Show images',
  filters: { all: 'All', labelled: 'Segmented', unlabelled: 'Not segmented' },
  found: (shown: number, all: number) => `${number(shown)} of ${number(all)}`,
  noMatches: 'No matches',
  groups: 'Groups',
  groupsHint: 'Show images by group',
  thumbnailSize: 'Size',
  segmented: 'Segmented',
  /** An image's tooltip: its path, its size, and the size of its pixels on the ground. */
  facts: (path: string, width?: number, height?: number, gsd?: number) =>
    [
      path,
      ...(width ? [`${width} × ${height}`] : []),
      ...(gsd ? [`${quantity(gsd.toPrecision(3), 'm')} per pixel`] : [])
    ].join(' · ')
}
