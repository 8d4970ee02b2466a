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
import { unavailable } from '../words/commands.ts'
import { segmenting } from '../words/segmenting.ts'
import { training as trainingWords } from '../words/training.ts'
import { appearance } from '../words/viewer.ts'

interface Action {
  /** Returns why the action can't be done now, or undefined if it can. */
  lacks(): string | undefined
  run(): void
}

const opened = (): string | undefined => (project.images === undefined ? unavailable.noImages : undefined)
const idle = (): string | undefined => (jobs.busy ? unavailable.busy : undefined)
const labelled = (): string | undefined =>
  opened() ?? (labels.images.length === 0 ? unavailable.notSegmented : undefined)
const selectedAny = (): string | undefined =>
  labelled() ?? (classes.selected.length === 0 ? unavailable.noClassSelected : undefined)
const picture = (): string | undefined => (view.stage ? undefined : unavailable.noImageShown)
/** Requires labels of the image that is shown. */
const onLabels = (): string | undefined =>
  picture() ?? (view.shown !== undefined && labels.paths.has(view.shown) ? undefined : unavailable.imageNotSegmented)
const withHeatmap = (): string | undefined =>
  onLabels() ?? (labels.withHeatmaps.has(view.shown!) ? undefined : segmenting.probabilitiesMissing)
const groupsShown = (): boolean => view.grouped && view.shown === undefined
const brush = (): string | undefined => (painting.tool === 'brush' ? undefined : unavailable.noBrush)
const imageShown = (): CatalogueImage | undefined => project.catalogue?.images.find(({ path }) => path === view.shown)
const paths = (): string[] => project.catalogue?.images.map(({ path }) => path) ?? []
const neighbour = (by: number): string | undefined =>
  view.shown === undefined ? undefined : paths()[paths().indexOf(view.shown) + by]

const ALL: Record<ActionName, Action> = {
  open: { lacks: idle, run: () => void project.chooseImages() },
  project: { lacks: () => opened() ?? idle(), run: () => void project.chooseFolder() },
  export: { lacks: () => labelled() ?? idle(), run: () => exporting.open() },
  train: {
    lacks: () => opened() ?? idle() ?? (training.ready ? undefined : trainingWords.fixSetting),
    run: () => void training.train()
  },
  segment: {
    lacks: () => opened() ?? idle() ?? (project.trained ? undefined : trainingWords.trainFirst),
    run: () => void labels.segment()
  },
  pause: {
    lacks: () => (jobs.running && jobs.pausable ? undefined : unavailable.nothingToPause),
    run: () => void jobs.setPaused(!jobs.running?.paused)
  },
  stop: { lacks: () => (jobs.running ? undefined : unavailable.nothingToStop), run: () => jobs.stop() },
  // Undo and redo act on what is shown: groups or classes.
  undo: {
    lacks: () =>
      (groupsShown() ? grouping.undoName !== undefined : classes.canUndo) ? undefined : unavailable.nothingToUndo,
    run: () => (groupsShown() ? grouping.undo(1) : classes.undo())
  },
  redo: {
    lacks: () =>
      (groupsShown() ? grouping.redoName !== undefined : classes.canRedo) ? undefined : unavailable.nothingToRedo,
    run: () => (groupsShown() ? grouping.undo(-1) : classes.redo())
  },
  merge: {
    lacks: () => labelled() ?? (classes.selected.length > 1 ? undefined : unavailable.selectTwo),
    run: () => classes.mergeSelected()
  },
  split: {
    lacks: () => selectedAny() ?? (classes.splittable === undefined ? unavailable.selectMerged : undefined),
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
        ? unavailable.allShown
        : undefined,
    run() {
      // Esc ends what was begun last: a shape, the tool, the selection, then the image.
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
    lacks: () => picture() ?? (neighbour(-1) === undefined ? unavailable.firstImage : undefined),
    run: () => view.show(neighbour(-1))
  },
  next: {
    lacks: () => picture() ?? (neighbour(1) === undefined ? unavailable.lastImage : undefined),
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
    lacks: () => picture() ?? (imageShown()?.placed ? undefined : appearance.locationUnknown),
    run: () => (view.graticule = !view.graticule)
  },
  heads: { lacks: labelled, run: () => (view.head = view.head === 'A' ? 'B' : 'A') },
  commands: { lacks: () => undefined, run: () => (view.sheet = 'commands') },
  shortcuts: { lacks: () => undefined, run: () => (view.sheet = 'shortcuts') }
}

export const lacks = (name: ActionName): string | undefined => ALL[name].lacks()

/** Performs an action if it can be done now. */
export function perform(name: ActionName): void {
  if (lacks(name) === undefined) ALL[name].run()
}

const NAMES: Record<string, string> = { '←': 'ArrowLeft', '→': 'ArrowRight', '−': '-', Esc: 'Escape', Space: ' ' }
/** Alternative keys. */
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

/** Performs the action of a key, if it has one. */
export function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.altKey || document.querySelector('dialog[open]')) return
  const command = event.ctrlKey || event.metaKey
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
  const name = byKey.get(command ? `Ctrl+${event.shiftKey ? 'Shift+' : ''}${key}` : key)
  if (name === undefined || (command ? typesText(event.target) && name !== 'commands' : belongsToFocus(event))) return
  event.preventDefault()
  perform(name)
}

/** Whether a field has its own undo and selection. */
const typesText = (target: EventTarget | null): boolean =>
  target instanceof HTMLTextAreaElement ||
  (target instanceof HTMLInputElement && ['text', 'number', 'search'].includes(target.type))
