import { distantColours } from '../../src-main/classes/colouring.ts'
import { correctedTiles, movedPixels } from '../../src-main/classes/corrections.ts'
import { type DescribedClass, describedClasses } from '../../src-main/classes/describe.ts'
import { EMPTY_HISTORY, atStep, schemeNow, withCorrection, withEdit } from '../../src-main/classes/history.ts'
import { placesOf } from '../../src-main/classes/scheme.ts'
import { stateId } from '../../src-main/classes/stateId.ts'
import type {
  ClassHistory,
  CorrectionShape,
  CorrectionTarget,
  Scheme,
  SchemeEdit
} from '../../src-main/contract/classes.ts'
import { run } from '../engine.ts'
import { jobs } from './jobs.svelte.ts'
import { project } from './project.svelte.ts'
import { view } from './view.svelte.ts'
import { classes as words } from '../words/classes.ts'

/** A class in the list, with its share of the labelled pixels, 0…1. */
export type ListedClass = DescribedClass & { share?: number }

/** How many examples a class shows, and the smallest share of a border that is listed. */
const PATCHES = 6
const WORTH_NAMING = 0.05

/** A class with a smaller share of a lasso was only touched by it, and is not selected. */
const SMALLEST_SHARE = 0.05

/**
 * The classes of the head that is shown. An edit shows at once, by the same pure functions that the engine uses, and
 * then goes to the engine, which saves it. If the engine refuses an edit, it is reverted here too.
 */
class Classes {
  #history = $state.raw<ClassHistory>(EMPTY_HISTORY)
  /** The part of the history that the engine has saved; labels are read with the corrections on disk. */
  #stored = $state.raw<ClassHistory>(EMPTY_HISTORY)
  /** Ids of the selected classes, in the order of selection. */
  selected = $state.raw<number[]>([])
  /** A scheme that is shown but not saved. */
  #preview = $state.raw<Scheme>()
  #sending: Promise<unknown> = Promise.resolve()
  #unsent = 0
  /** Counts refused changes: edits that were made on top of one before its refusal are not sent. */
  #refusals = 0
  /** Whether the engine's state differs from the one shown. */
  #toTakeOver = false
  /** Number of corrections that the engine has not answered yet. */
  #correcting = 0

  /** Counts the states that the engine has saved; part of the URL of tiles that depend on them. */
  edition = $state(0)
  readonly count = $derived(project.state?.heads?.[view.head] ?? 0)
  readonly tree = $derived(project.state?.tree?.count === this.count ? project.state.tree : undefined)
  readonly kept = $derived(schemeNow(this.#history, view.head, this.count))
  readonly scheme = $derived(this.#preview ?? this.kept)
  readonly steps = $derived(this.#history.history.map(({ name }) => name))
  readonly cursor = $derived(this.#history.cursor)
  readonly canUndo = $derived(this.cursor > 0)
  readonly canRedo = $derived(this.cursor < this.steps.length - 1)
  readonly described = $derived(project.state?.clusters?.[view.head])
  readonly #moved = $derived(movedPixels(this.#history, view.head))
  readonly #describedKept = $derived(describedClasses(this.kept, this.described, this.#moved))
  /** The classes without the preview. */
  readonly keptListed = $derived(listed(this.#describedKept))
  readonly listed = $derived(
    this.#preview ? listed(describedClasses(this.scheme, this.described, this.#moved)) : this.keptListed
  )
  /** For each label, the place of its class in the list, which includes hidden and ignored classes. */
  readonly places = $derived(placesOf(this.scheme))

  /** Adopts the state of the project. */
  adopt(): void {
    // Edits that are still being saved are newer.
    if (this.#unsent > 0) return
    this.#history = project.state?.made ?? EMPTY_HISTORY
    this.#store(this.#history)
    this.selected = []
    this.#preview = undefined
  }

  #store(history: ClassHistory): void {
    this.#stored = history
    this.edition++
  }

  /** For each class, the share of its border with each other class, 0…1, in the order of the list. */
  readonly borders = $derived(
    this.#describedKept.map(({ beside }) =>
      this.#describedKept.map(({ id }) => beside.find((entry) => entry.id === id)?.share ?? 0)
    )
  )

  /** Gives every class a distinct colour, most different from those of its neighbours. */
  recolourAll(): void {
    const colours = distantColours(this.borders)
    this.edit({
      kind: 'replace',
      name: words.recolour,
      scheme: { ...this.kept, classes: this.kept.classes.map((entry, i) => ({ ...entry, colour: colours[i] })) }
    })
  }

  /** Identifies the state of an image's corrections; undefined if it has none. */
  correctionsOf(path: string): string | undefined {
    return (
      correctedTiles(this.#stored, view.head, path)
        .map(({ offset }) => offset)
        .join(' ') || undefined
    )
  }

  /** Corrects labels by hand. Resolves when the engine has saved the correction, or its refusal is shown. */
  async correct(path: string, shape: CorrectionShape, to: CorrectionTarget): Promise<void> {
    const { folder } = project
    if (folder === undefined) return
    const { head } = view
    this.#correcting++
    this.#queue(async () => {
      const before = this.#history
      try {
        const { step } = await run('correct', { project: folder, head, path, shape, to, expected: stateId(before) })
        if (step?.corrected) this.#history = withCorrection(before, step.name, step.corrected)
        this.#store(this.#history)
        return 'known'
      } finally {
        this.#correcting--
      }
    })
    await this.#sending
  }

  /** Applies a change once pending corrections are saved. */
  #later(change: () => void): void {
    void this.#sending.then(() => (this.#correcting > 0 ? this.#later(change) : change()))
  }

  /** Adds an empty class to paint with. */
  add(then: (id: number) => void): void {
    if (this.#correcting > 0) return this.#later(() => this.add(then))
    const taken = new Set(this.scheme.classes.map(({ name }) => name))
    let number = 1
    while (taken.has(words.newClass(number))) number++
    const name = words.newClass(number)
    this.edit({ kind: 'add', name })
    const added = this.kept.classes.find((entry) => entry.name === name)
    if (!added) return
    this.selected = [added.id]
    then(added.id)
  }

  edit(edit: SchemeEdit): void {
    if (this.#correcting > 0) return this.#later(() => this.edit(edit))
    this.#preview = undefined
    const [before, { head }, { count, tree }] = [this.#history, view, this]
    try {
      this.#history = withEdit(before, head, count, edit, tree)
    } catch (fault) {
      jobs.complain(fault)
      return
    }
    this.#select()
    this.#send({ edits: [edit] }, before)
  }

  /** Previews an edit; undefined ends the preview. */
  preview(edit: SchemeEdit | undefined): void {
    this.#preview =
      edit && schemeNow(withEdit(this.#history, view.head, this.count, edit, this.tree), view.head, this.count)
  }

  mergeSelected(): void {
    if (this.selected.length > 1) this.edit({ kind: 'merge', classes: this.selected })
  }

  /** The only selected class, if it can be split. */
  get splittable(): ListedClass | undefined {
    const only = this.selected.length === 1 ? this.listed.find(({ id }) => id === this.selected[0]) : undefined
    return only && only.clusters.length > 1 ? only : undefined
  }

  /** Splits the selected class into its two least similar parts, if the run has a tree. */
  splitSelected(): void {
    const only = this.splittable
    if (only) this.edit({ kind: 'split', class: only.id, along: this.tree ? 'tree' : 'clusters' })
  }

  readonly #chosen = $derived(this.listed.filter(({ id }) => this.selected.includes(id)))
  readonly allHidden = $derived(this.#chosen.length > 0 && this.#chosen.every(({ hidden }) => hidden))
  readonly allIgnored = $derived(this.#chosen.length > 0 && this.#chosen.every(({ ignored }) => ignored))

  hideSelected(): void {
    if (this.selected.length > 0) this.edit({ kind: 'hide', classes: this.selected, hidden: !this.allHidden })
  }

  ignoreSelected(): void {
    if (this.selected.length > 0) this.edit({ kind: 'ignore', classes: this.selected, ignored: !this.allIgnored })
  }

  /** Assigns the clusters to the classes that cover the same places in another run. */
  async takeFrom(name: string): Promise<void> {
    await this.#sending
    const [{ folder }, { head }] = [project, view]
    if (folder === undefined) return
    this.#queue(async () => {
      await run('classes', { project: folder, head, fromRun: name, expected: stateId(this.#history) })
      return 'unknown'
    })
  }

  undo(): void {
    if (this.#correcting > 0) this.#later(() => this.undo())
    else if (this.canUndo) this.goTo(this.cursor - 1)
  }

  redo(): void {
    if (this.#correcting > 0) this.#later(() => this.redo())
    else if (this.canRedo) this.goTo(this.cursor + 1)
  }

  /** Selects the classes within a lasso. @param shares  share of its area, by the class's place in the list */
  selectByShare(shares: readonly number[]): void {
    this.selected = this.scheme.classes
      .map(({ id }, place) => ({ id, share: shares[place] }))
      .filter(({ share }) => share >= SMALLEST_SHARE)
      .sort((a, b) => b.share - a.share)
      .map(({ id }) => id)
  }

  /** Returns to a step of the history. */
  goTo(step: number): void {
    if (this.#correcting > 0) return this.#later(() => this.goTo(step))
    this.#preview = undefined
    const before = this.#history
    this.#history = atStep(before, step)
    this.#select()
    this.#send({ step }, before)
  }

  toggle(id: number, extend: boolean): void {
    if (!extend) this.selected = this.selected.length === 1 && this.selected[0] === id ? [] : [id]
    else
      this.selected = this.selected.includes(id)
        ? this.selected.filter((other) => other !== id)
        : [...this.selected, id]
  }

  /** Drops classes from the selection that no longer exist. */
  #select(): void {
    const there = new Set(this.kept.classes.map(({ id }) => id))
    this.selected = this.selected.filter((id) => there.has(id))
  }

  /** Has the engine save a change. */
  #send(change: { edits?: SchemeEdit[]; step?: number }, before: ClassHistory): void {
    const { folder } = project
    if (folder === undefined) return
    const { head } = view
    const after = this.#history
    this.#queue(async () => {
      const { state } = await run('classes', { project: folder, head, expected: stateId(before), ...change })
      this.#store(after)
      return state === stateId(after) ? 'known' : 'unknown'
    })
  }

  /**
   * Sends a change after those before it. A refused change is reverted, and so are the edits made on top of it.
   * @param send  resolves to whether the engine's state is the one shown
   */
  #queue(send: () => Promise<'known' | 'unknown'>): void {
    const refusals = this.#refusals
    this.#unsent++
    this.#sending = this.#sending.then(async () => {
      let kept: 'known' | 'unknown' = 'known'
      try {
        if (refusals === this.#refusals) kept = await send()
      } catch (fault) {
        kept = 'unknown'
        this.#refusals++
        jobs.complain(fault)
      }
      this.#unsent--
      if (kept === 'unknown') this.#toTakeOver = true
      if (this.#unsent > 0 || !this.#toTakeOver) return
      this.#toTakeOver = false
      await project.refresh()
    })
  }

  /** Resolves when all changes are saved. */
  settled(): Promise<unknown> {
    return this.#sending
  }
}

function listed(described: readonly DescribedClass[]): ListedClass[] {
  const total = described.reduce((sum, { pixels }) => sum + pixels, 0)
  return described.map((entry) => ({
    ...entry,
    share: total > 0 ? entry.pixels / total : undefined,
    patches: entry.patches.slice(0, PATCHES),
    beside: entry.beside.filter(({ share }) => share > WORTH_NAMING)
  }))
}

export const classes = new Classes()
