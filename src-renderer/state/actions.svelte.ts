import { ACTION_NAMES, type ActionName, keysOf } from '../../src-main/contract/window/actions.ts'
import type { CatalogueImage } from '../../src-main/contract/imagery.ts'
import { belongsToFocus } from '../keys.ts'
import { classes } from './classes.svelte.ts'
import { exporting } from './exporting.svelte.ts'
import { grouping } from './grouping.svelte.ts'
import { jobs } from './jobs.svelte.ts'
import { labels } from './labels.svelte.ts'
import { painting } from './painting.svelte.ts'
import { project } from './project.svelte.ts'
import { training } from './training.svelte.ts'
import { truth } from './truth.svelte.ts'
import { view } from './view.svelte.ts'

interface Action {
  /** Why it cannot be done now; undefined where it can. */
  lacks(): string | undefined
  run(): void
}

const opened = (): string | undefined => (project.images === undefined ? 'Open images first.' : undefined)
const idle = (): string | undefined => (jobs.busy ? 'A job is running.' : undefined)
const labelled = (): string | undefined => opened() ?? (labels.images.length === 0 ? 'Segment first.' : undefined)
const selectedAny = (): string | undefined =>
  labelled() ?? (classes.selected.length === 0 ? 'Select a class first.' : undefined)
const picture = (): string | undefined => (view.stage ? undefined : 'Open a picture first.')
/** Labels of the picture that is shown. */
const onLabels = (): string | undefined =>
  picture() ?? (view.shown !== undefined && labels.paths.has(view.shown) ? undefined : 'This image has no labels yet.')
const withHeatmap = (): string | undefined =>
  onLabels() ?? (labels.withHeatmaps.has(view.shown!) ? undefined : 'Segment again with probabilities kept.')
const groupsShown = (): boolean => view.grouped && view.shown === undefined
const brush = (): string | undefined => (painting.tool === 'brush' ? undefined : 'Take the brush first.')
const imageShown = (): CatalogueImage | undefined => project.catalogue?.images.find(({ path }) => path === view.shown)
const paths = (): string[] => project.catalogue?.images.map(({ path }) => path) ?? []
const neighbour = (by: number): string | undefined =>
  view.shown === undefined ? undefined : paths()[paths().indexOf(view.shown) + by]

const ALL: Record<ActionName, Action> = {
  open: { lacks: idle, run: () => void project.chooseImages() },
  project: { lacks: () => opened() ?? idle(), run: () => void project.chooseFolder() },
  export: { lacks: () => labelled() ?? idle(), run: () => exporting.open() },
  train: {
    lacks: () => opened() ?? idle() ?? (training.ready ? undefined : 'A setting is not possible; it says why.'),
    run: () => void training.train()
  },
  segment: {
    lacks: () => opened() ?? idle() ?? (project.trained ? undefined : 'Train first; even a minute gives a picture.'),
    run: () => void labels.segment()
  },
  pause: {
    lacks: () => (jobs.running && jobs.pausable ? undefined : 'Nothing runs that can be paused.'),
    run: () => void jobs.setPaused(!jobs.running?.paused)
  },
  stop: { lacks: () => (jobs.running ? undefined : 'Nothing runs.'), run: () => jobs.stop() },
  // Of what is looked at.
  undo: {
    lacks: () => ((groupsShown() ? grouping.undoName !== undefined : classes.canUndo) ? undefined : 'Nothing to undo.'),
    run: () => (groupsShown() ? grouping.undo(1) : classes.undo())
  },
  redo: {
    lacks: () => ((groupsShown() ? grouping.redoName !== undefined : classes.canRedo) ? undefined : 'Nothing to redo.'),
    run: () => (groupsShown() ? grouping.undo(-1) : classes.redo())
  },
  merge: {
    lacks: () =>
      labelled() ??
      (classes.selected.length > 1
        ? undefined
        : 'Select two classes or more: Ctrl-click in the list or on the picture.'),
    run: () => classes.mergeSelected()
  },
  split: {
    lacks: () =>
      selectedAny() ?? (classes.splittable === undefined ? 'Select one class of several clusters.' : undefined),
    run: () => classes.splitSelected()
  },
  rename: { lacks: selectedAny, run: () => (view.naming = classes.selected.at(-1)) },
  hide: { lacks: selectedAny, run: () => classes.hideSelected() },
  ignore: { lacks: selectedAny, run: () => classes.ignoreSelected() },
  selectAll: { lacks: labelled, run: () => (classes.selected = classes.scheme.classes.map(({ id }) => id)) },
  compare: { lacks: () => labelled() ?? idle(), run: () => void truth.compare() },
  addClass: { lacks: labelled, run: () => classes.add((id) => painting.paintWith(id)) },
  hand: { lacks: picture, run: () => (painting.tool = 'pan') },
  lasso: { lacks: onLabels, run: () => painting.take('lasso') },
  brush: { lacks: onLabels, run: () => painting.take('brush') },
  polygon: { lacks: onLabels, run: () => painting.take('polygon') },
  fill: { lacks: onLabels, run: () => painting.take('fill') },
  smaller: { lacks: brush, run: () => painting.resize(0.8) },
  larger: { lacks: brush, run: () => painting.resize(1.25) },
  gallery: {
    lacks: () =>
      view.shown === undefined && !view.grouped && classes.selected.length === 0 && painting.tool === 'pan'
        ? 'All images are shown.'
        : undefined,
    run() {
      // What was begun ends first: a shape, the tool, the selection, then the picture.
      if (view.stage?.cancelShape()) return
      if (groupsShown()) {
        if (grouping.selected.size > 0) grouping.selected = new Set()
        else view.grouped = false
      } else if (painting.tool !== 'pan') painting.tool = 'pan'
      else if (classes.selected.length > 0) classes.selected = []
      else view.shown = undefined
    }
  },
  previous: {
    lacks: () => picture() ?? (neighbour(-1) === undefined ? 'This is the first image.' : undefined),
    run: () => view.show(neighbour(-1))
  },
  next: {
    lacks: () => picture() ?? (neighbour(1) === undefined ? 'This is the last image.' : undefined),
    run: () => view.show(neighbour(1))
  },
  fit: { lacks: picture, run: () => view.stage?.fit() },
  actualSize: { lacks: picture, run: () => view.stage?.actualSize() },
  zoomIn: { lacks: picture, run: () => view.stage?.zoomBy(1.25) },
  zoomOut: { lacks: picture, run: () => view.stage?.zoomBy(0.8) },
  outlines: {
    lacks: () => picture() ?? labelled(),
    run: () => (view.style = view.style === 'filled' ? 'outlined' : 'filled')
  },
  heatmap: {
    lacks: withHeatmap,
    run: () => (view.overlay = view.overlay === 'probability' ? 'classes' : 'probability')
  },
  confidence: {
    lacks: withHeatmap,
    run: () => (view.overlay = view.overlay === 'confidence' ? 'classes' : 'confidence')
  },
  peek: { lacks: () => picture() ?? labelled(), run: () => (view.peeking = true) },
  blink: { lacks: onLabels, run: () => (view.blinking = !view.blinking) },
  graticule: {
    lacks: () => picture() ?? (imageShown()?.placed ? undefined : 'Where this image lies on the ground is not known.'),
    run: () => (view.graticule = !view.graticule)
  },
  heads: { lacks: labelled, run: () => (view.head = view.head === 'A' ? 'B' : 'A') },
  commands: { lacks: () => undefined, run: () => (view.sheet = 'commands') },
  shortcuts: { lacks: () => undefined, run: () => (view.sheet = 'shortcuts') }
}

export const lacks = (name: ActionName): string | undefined => ALL[name].lacks()

/** Does it if it can be done now. */
export function perform(name: ActionName): void {
  if (lacks(name) === undefined) ALL[name].run()
}

const NAMES: Record<string, string> = { '←': 'ArrowLeft', '→': 'ArrowRight', '−': '-', Esc: 'Escape', Space: ' ' }
/** Other keys of the same actions. */
const ALSO: Record<string, ActionName> = { '=': 'zoomIn', '0': 'fit', 'Ctrl+y': 'redo' }
const byKey = new Map<string, ActionName>([
  ...Object.entries(ALSO),
  ...ACTION_NAMES.flatMap((name) => {
    const keys = keysOf(name)
    if (keys === undefined) return []
    const parts = keys.length > 1 ? keys.split('+') : [keys]
    const last = parts.at(-1)!
    return [
      [[...parts.slice(0, -1), NAMES[last] ?? (last.length === 1 ? last.toLowerCase() : last)].join('+'), name] as const
    ]
  })
])

/** Finds and does what a key stands for. */
export function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.altKey || document.querySelector('dialog[open]')) return
  const command = event.ctrlKey || event.metaKey
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
  const name = byKey.get(command ? `Ctrl+${event.shiftKey ? 'Shift+' : ''}${key}` : key)
  if (name === undefined || (command ? typesText(event.target) && name !== 'commands' : belongsToFocus(event))) return
  event.preventDefault()
  perform(name)
}

/** Fields that have an undo and a selection of their own. */
const typesText = (target: EventTarget | null): boolean =>
  target instanceof HTMLTextAreaElement ||
  (target instanceof HTMLInputElement && ['text', 'number', 'search'].includes(target.type))
