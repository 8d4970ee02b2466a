import { groupSteps, groupsNow, groupsState, groupsUndone, withGroupEdit } from '../../src-main/classes/groups.ts'
import type { GroupEdit, GroupHistory, GroupedImage, ImageGroup } from '../../src-main/contract/groups.ts'
import type { GroupMethod } from '../../src-main/contract/recipe.ts'
import { run } from '../engine.ts'
import { jobs } from './jobs.svelte.ts'
import { project } from './project.svelte.ts'
import { training } from './training.svelte.ts'
import { view } from './view.svelte.ts'
import { groups as words } from '../words/groups.ts'

/** Groups of whole images: finding them, editing them and exporting them. */
class Grouping {
  settings = $state<{ groups: number; minutes: number; method: GroupMethod }>({
    groups: 10,
    minutes: 15,
    method: 'information'
  })
  #history = $state.raw<GroupHistory>()
  /** Paths of the selected images. */
  selected = $state.raw<ReadonlySet<string>>(new Set())
  /** Whether the least certain images of each group come first. */
  doubtfulFirst = $state(false)
  /** Changes are sent one after the other. */
  #sending: Promise<unknown> = Promise.resolve()

  readonly known = $derived(this.#history !== undefined)
  readonly #now = $derived(this.#history && groupsNow(this.#history))
  /** The groups with their images. */
  readonly listed = $derived.by((): { group: ImageGroup; images: readonly GroupedImage[] }[] => {
    const { groups, images } = this.#now ?? { groups: [], images: [] }
    const members = new Map(groups.map(({ id }) => [id, [] as GroupedImage[]]))
    for (const image of images) members.get(image.group)?.push(image)
    const sign = this.doubtfulFirst ? 1 : -1
    return groups.map((group) => ({
      group,
      images: members.get(group.id)!.sort((a, b) => sign * (a.confidence - b.confidence))
    }))
  })
  readonly changes = $derived(this.#history?.done ?? 0)
  readonly #steps = $derived(this.#history ? groupSteps(this.#history) : [])
  /** Names of the steps that undo and redo would apply to. */
  readonly undoName = $derived<string | undefined>(this.#steps[this.changes - 1])
  readonly redoName = $derived<string | undefined>(this.#steps[this.changes])

  /** Reads the groups of the project. */
  async adopt(): Promise<void> {
    const { folder, state } = project
    this.selected = new Set()
    if (folder === undefined || !state?.grouped) {
      this.#history = undefined
      view.grouped = false
      return
    }
    try {
      const { history } = await run('groups', { project: folder })
      if (project.folder === folder) this.#history = history
    } catch (fault) {
      jobs.complain(fault)
    }
  }

  async group(): Promise<void> {
    const { sources, folder } = project
    if (sources.length === 0 || folder === undefined) return
    let sorted = false
    await jobs.perform('group', async (signal, onProgress) => {
      const { seed, backend } = training.settings
      const {
        images: count,
        sizes,
        skipped
      } = await run(
        'group',
        { sources: [...sources], project: folder, seed, backend, ...this.settings },
        { signal, onProgress }
      )
      for (const file of skipped) project.passOver(file)
      jobs.notice = {
        text: words.grouped(count, sizes.length)
      }
      sorted = true
    })
    if (!sorted) return
    await project.refresh()
    view.shown = undefined
    view.grouped = true
  }

  edit(edit: GroupEdit): void {
    const before = this.#history
    if (!before) return
    try {
      this.#history = withGroupEdit(before, edit)
    } catch (fault) {
      jobs.complain(fault)
      return
    }
    this.selected = new Set()
    this.#send({ edits: [edit] }, before)
  }

  /** Moves the selected images to a group. */
  moveSelected(to: number): void {
    if (this.selected.size > 0) this.edit({ kind: 'move', paths: [...this.selected], to })
  }

  add(): void {
    const taken = new Set(this.listed.map(({ group }) => group.name))
    let number = 1
    while (taken.has(words.newGroupName(number))) number++
    this.edit({ kind: 'add', name: words.newGroupName(number) })
  }

  /** Undoes a number of steps, or redoes them if it is negative. */
  undo(steps: number): void {
    const before = this.#history
    if (!before) return
    this.#history = groupsUndone(before, steps)
    this.#send({ undo: steps }, before)
  }

  #send(change: { edits?: GroupEdit[]; undo?: number }, before: GroupHistory): void {
    const { folder } = project
    if (folder === undefined) return
    this.#sending = this.#sending.then(async () => {
      try {
        await run('groups', { project: folder, ...change, expected: groupsState(before) })
      } catch (fault) {
        jobs.complain(fault)
        await this.adopt()
      }
    })
  }

  /** Exports a table and a contact sheet, and copies of the images if wanted, to a folder that the user chooses. */
  async write(copies: boolean): Promise<void> {
    const { folder } = project
    const out = await window.smalti.chooseFolder(copies ? words.chooseCopiesFolder : words.chooseTableFolder)
    if (out === undefined || folder === undefined) return
    await this.#sending
    await jobs.perform('export', async (signal, onProgress) => {
      const { files, skipped } = await run('groups', { project: folder, out, copies }, { signal, onProgress })
      for (const file of skipped) project.passOver(file)
      jobs.notice = {
        text: words.exported(files, copies, skipped.length),
        folder: out
      }
    })
  }
}

export const grouping = new Grouping()
