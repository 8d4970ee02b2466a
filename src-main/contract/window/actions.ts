export const MENUS = ['File', 'Model', 'Classes', 'View', 'Help'] as const

/** Everything that the window can do, from the menu, by a key or from the command palette. */
export const ACTIONS = {
  open: { menu: 'File', label: 'Open images…', keys: 'Ctrl+O' },
  project: { menu: 'File', label: 'Change project folder…' },
  export: { menu: 'File', label: 'Export…', keys: 'Ctrl+E' },
  train: { menu: 'Model', label: 'Train', keys: 'Ctrl+T' },
  segment: { menu: 'Model', label: 'Segment', keys: 'Ctrl+G' },
  pause: { menu: 'Model', label: 'Pause or resume', keys: 'Ctrl+P' },
  stop: { menu: 'Model', label: 'Stop', keys: 'Ctrl+.' },
  undo: { menu: 'Classes', label: 'Undo', keys: 'Ctrl+Z' },
  redo: { menu: 'Classes', label: 'Redo', keys: 'Ctrl+Shift+Z' },
  merge: { menu: 'Classes', label: 'Merge selected classes', keys: 'M' },
  split: { menu: 'Classes', label: 'Split selected class', keys: 'S' },
  rename: { menu: 'Classes', label: 'Rename selected class', keys: 'F2' },
  hide: { menu: 'Classes', label: 'Hide or show selected classes', keys: 'H' },
  ignore: { menu: 'Classes', label: 'Ignore or include selected classes', keys: 'I' },
  selectAll: { menu: 'Classes', label: 'Select all classes', keys: 'Ctrl+A' },
  compare: { menu: 'Classes', label: 'Check accuracy…' },
  addClass: { menu: 'Classes', label: 'New class', keys: 'N' },
  hand: { menu: 'Classes', label: 'Pan and select', keys: 'V' },
  lasso: { menu: 'Classes', label: 'Lasso classes', keys: 'L' },
  brush: { menu: 'Classes', label: 'Paint with brush', keys: 'D' },
  polygon: { menu: 'Classes', label: 'Draw polygon', keys: 'P' },
  fill: { menu: 'Classes', label: 'Fill area', keys: 'G' },
  smaller: { menu: 'Classes', label: 'Smaller brush', keys: '[' },
  larger: { menu: 'Classes', label: 'Larger brush', keys: ']' },
  gallery: { menu: 'View', label: 'All images', keys: 'Esc' },
  previous: { menu: 'View', label: 'Previous image', keys: '←' },
  next: { menu: 'View', label: 'Next image', keys: '→' },
  fit: { menu: 'View', label: 'Zoom to fit', keys: 'F' },
  actualSize: { menu: 'View', label: 'Actual size', keys: '1' },
  zoomIn: { menu: 'View', label: 'Zoom in', keys: '+' },
  zoomOut: { menu: 'View', label: 'Zoom out', keys: '−' },
  outlines: { menu: 'View', label: 'Toggle outlines', keys: 'O' },
  heatmap: { menu: 'View', label: 'Toggle heatmap', keys: 'J' },
  confidence: { menu: 'View', label: 'Toggle confidence', keys: 'C' },
  peek: { menu: 'View', label: 'Hold to hide labels', keys: 'Space' },
  blink: { menu: 'View', label: 'Blink labels', keys: 'X' },
  graticule: { menu: 'View', label: 'Toggle grid', keys: 'K' },
  heads: { menu: 'View', label: 'Switch between all and suggested clusters', keys: 'B' },
  commands: { menu: 'Help', label: 'Command palette…', keys: 'Ctrl+K' },
  shortcuts: { menu: 'Help', label: 'Keyboard shortcuts', keys: '?' }
} as const satisfies Record<string, { menu: (typeof MENUS)[number]; label: string; keys?: string }>

export type ActionName = keyof typeof ACTIONS
export const ACTION_NAMES = Object.keys(ACTIONS) as [ActionName, ...ActionName[]]
export const keysOf = (name: ActionName): string | undefined => (ACTIONS[name] as { keys?: string }).keys
