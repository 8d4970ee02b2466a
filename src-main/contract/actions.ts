/** What a person can ask of the window: by menu, key, or the list of all commands. */
export const ACTIONS = {
  open: { menu: 'File', label: 'Open images…', keys: 'Ctrl+O' },
  project: { menu: 'File', label: 'Keep the project elsewhere…' },
  export: { menu: 'File', label: 'Export…', keys: 'Ctrl+E' },
  train: { menu: 'Work', label: 'Train', keys: 'Ctrl+T' },
  segment: { menu: 'Work', label: 'Segment', keys: 'Ctrl+G' },
  pause: { menu: 'Work', label: 'Pause or resume', keys: 'Ctrl+P' },
  stop: { menu: 'Work', label: 'Stop', keys: 'Ctrl+.' },
  undo: { menu: 'Classes', label: 'Undo', keys: 'Ctrl+Z' },
  redo: { menu: 'Classes', label: 'Redo', keys: 'Ctrl+Shift+Z' },
  merge: { menu: 'Classes', label: 'Merge the selected classes', keys: 'M' },
  split: { menu: 'Classes', label: 'Split the selected class', keys: 'S' },
  rename: { menu: 'Classes', label: 'Rename the selected class', keys: 'F2' },
  hide: { menu: 'Classes', label: 'Hide or show the selected classes', keys: 'H' },
  ignore: { menu: 'Classes', label: 'Ignore or count the selected classes', keys: 'I' },
  selectAll: { menu: 'Classes', label: 'Select all classes', keys: 'Ctrl+A' },
  addClass: { menu: 'Classes', label: 'Add a class to paint', keys: 'N' },
  hand: { menu: 'Classes', label: 'Move the picture, click to select', keys: 'V' },
  lasso: { menu: 'Classes', label: 'Select by drawing round an area', keys: 'L' },
  brush: { menu: 'Classes', label: 'Paint labels with a brush', keys: 'D' },
  polygon: { menu: 'Classes', label: 'Draw labels with an outline', keys: 'P' },
  fill: { menu: 'Classes', label: 'Fill an area with a label', keys: 'G' },
  smaller: { menu: 'Classes', label: 'Smaller brush', keys: '[' },
  larger: { menu: 'Classes', label: 'Larger brush', keys: ']' },
  gallery: { menu: 'View', label: 'All images', keys: 'Esc' },
  previous: { menu: 'View', label: 'Previous image', keys: '←' },
  next: { menu: 'View', label: 'Next image', keys: '→' },
  fit: { menu: 'View', label: 'Whole picture', keys: 'F' },
  actualSize: { menu: 'View', label: 'Actual size', keys: '1' },
  zoomIn: { menu: 'View', label: 'Zoom in', keys: '+' },
  zoomOut: { menu: 'View', label: 'Zoom out', keys: '−' },
  outlines: { menu: 'View', label: 'Outlines only, or filled', keys: 'O' },
  heatmap: { menu: 'View', label: 'Heatmap of the selected class, or classes', keys: 'J' },
  confidence: { menu: 'View', label: 'Confidence of the labels, or classes', keys: 'C' },
  peek: { menu: 'View', label: 'See the picture without labels while it is held', keys: 'Space' },
  heads: { menu: 'View', label: 'All clusters, or as many as asked', keys: 'B' },
  commands: { menu: 'Help', label: 'All commands…', keys: 'Ctrl+K' },
  shortcuts: { menu: 'Help', label: 'Keyboard shortcuts', keys: '?' }
} as const satisfies Record<string, { menu: string; label: string; keys?: string }>

export type ActionName = keyof typeof ACTIONS
export const ACTION_NAMES = Object.keys(ACTIONS) as [ActionName, ...ActionName[]]
export const keysOf = (name: ActionName): string | undefined => (ACTIONS[name] as { keys?: string }).keys
