import { percent, plural } from './common.ts'

/** The classes and the overlay. */
export const classes = {
  section: '3 · Classes',
  note: (count: number, clusters: number) => `${plural(count, 'class', 'classes')} from ${plural(clusters, 'cluster')}`,
  heads: 'Clusters shown',
  allClusters: 'All clusters',
  suggested: (count: number | undefined) => (count === undefined ? 'Suggested' : `Suggested ${count}`),
  history: 'History',
  historyHint: 'History: show all steps',
  count: 'Number of classes',
  suggestedMerges: 'Suggested merges',
  clusterMap: 'Cluster map',
  neighbours: 'Neighbours and colours',

  overlay: 'Overlay',
  overlays: { classes: 'Classes', probability: 'Heatmap', confidence: 'Confidence' },
  overlayHints: {
    classes: 'Show each pixel in the colour of its class',
    probability: 'Show the probability of the selected class (J)',
    confidence: 'Show the probability of the class of each pixel (C). Dark means uncertain.'
  },
  opacity: 'Opacity',
  outlines: 'Outlines',
  outlinesHint: 'Show outlines only (O)',

  tools: 'Selected classes',
  merge: 'Merge',
  split: 'Split',
  hide: 'Hide',
  show: 'Show',
  ignore: 'Ignore',
  include: 'Include',
  list: 'Classes',
  partial: 'Segmentation was cancelled. Shares cover only the images segmented so far.',

  newClass: (number: number) => `New class ${number}`,
  cluster: (number: number) => `Cluster ${number}`,
  inCluster: (number: number) => `cluster ${number}`,
  clusters: (count: number) => plural(count, 'cluster'),
  share: (share: number) => (share < 0.0005 && share > 0 ? `< ${percent(0.001, 1)}` : percent(share, 1)),
  confidence: (share: number) => `${percent(share)} confidence`,
  ignored: 'ignored',
  hidden: 'hidden',
  changeColour: 'Change colour',
  colourOf: (name: string) => `Colour of ${name}`,
  nameField: 'Class name',
  rowHint: 'Click to select, Ctrl+click to add, F2 or double-click to rename',
  example: (number: number, name: string) => `Example ${number} of ${name}`,
  place: (path: string, x: number, y: number) => `${path}, ${x}, ${y}`,
  bordering: (name: string, share: number) => `${name} (${percent(share)})`,
  borders: (neighbours: string) => `borders ${neighbours}`,

  recolour: 'Recolour for contrast',
  recolourHint:
    'Give every class a colour that stands out from its neighbours, for colour-blind viewers too. You can undo this.'
}

/** Suggested merges, the tree of clusters, their map and their borders. */
export const clusters = {
  merge: (names: readonly string[]) => `Merge ${names.join(names.length === 2 ? ' and ' : ', ')}`,
  split: (name: string) => `Split ${name}`,
  cost: 'Merge cost',
  withCost: (action: string, cost: string) => `${action}, cost ${cost}`,
  dismiss: 'Dismiss',
  dismissMerge: (one: string, other: string) => `Dismiss: merge ${one} and ${other}`,
  more: (count: number) => `${plural(count, 'more suggestion')}; most similar first`,
  noMore: 'No more suggestions.',
  showDismissed: 'Show dismissed',
  tree: 'Cluster tree',
  map: (count: number) => `Map of ${plural(count, 'cluster')}, similar ones close together`,
  mapHint: 'Lasso clusters to select their classes. Ctrl adds, M merges.',
  dot: (cluster: number, name: string | undefined, share: number) =>
    [`Cluster ${cluster}`, ...(name === undefined ? [] : [name]), percent(share, 1)].join(' · '),
  bordersHint: 'Shared borders, % of row. Click a value to select both classes, M to merge them.',
  borders: 'Shared borders',
  bordersCorner: 'border',
  sharedBorder: (name: string, other: string, share: number) =>
    `${name} shares ${percent(share)} of its border with ${other}`,
  selectPair: (name: string, other: string, share: number) =>
    `Select ${name} and ${other}: ${percent(share)} of the border`
}
