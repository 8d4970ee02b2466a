import { countPairs, matchedClasses } from '../../src-main/classes/overlap.ts'
import { placesOf } from '../../src-main/classes/scheme.ts'
import type { Scheme } from '../../src-main/contract/classes.ts'
import type { RunSummary } from '../../src-main/contract/runs.ts'
import type { HeadName } from '../../src-main/contract/settings.ts'
import { pictureUrl, run } from '../engine.ts'
import { classes } from './classes.svelte.ts'
import { jobs } from './jobs.svelte.ts'
import { project } from './project.svelte.ts'
import { view } from './view.svelte.ts'

/** Another run, laid beside the one in use. */
interface Other {
  run: string
  name: string
  head: HeadName
  scheme: Scheme
}

/** Two runs on one picture, parted by a line that is moved: one to its left, the other to its right. */
class Comparing {
  #other = $state.raw<Other>()
  /** Share of the screen at which the line lies. */
  swipe = $state(0.5)
  /** Colours of the other run's classes, by their ids, taken from those that lie where they lie. */
  #colours = $state.raw<ReadonlyMap<number, string>>(new Map())

  readonly other = $derived(this.#other)
  readonly scheme = $derived(
    this.#other && {
      ...this.#other.scheme,
      classes: this.#other.scheme.classes.map((entry) => ({
        ...entry,
        colour: this.#colours.get(entry.id) ?? entry.colour
      }))
    }
  )

  /** Compares with a run, or ends that. */
  async toggle({ run: name, name: called }: RunSummary): Promise<void> {
    const { folder } = project
    if (this.#other?.run === name || folder === undefined) return this.stop()
    const { head } = view
    try {
      const { scheme } = await run('classes', { project: folder, run: name, head })
      this.#colours = new Map()
      this.#other = { run: name, name: called, head, scheme }
      view.overlay = 'classes'
      view.shown ??= view.last ?? project.state?.segmented[0]?.path
    } catch (fault) {
      jobs.complain(fault)
    }
  }

  stop(): void {
    this.#other = undefined
  }

  /** Address of the other run's labels of a tile. */
  tile(path: string, place: { level: number; column: number; row: number }): string {
    const { run: name, head } = this.#other!
    return pictureUrl(
      'labels',
      { project: project.folder!, run: name, head, path, ...place },
      { version: project.version }
    )
  }

  /** Gives the other run's classes the colours of those with which they share most of a picture, each once. */
  async matchColours(path: string, level: number): Promise<void> {
    const other = this.#other
    if (!other) return
    const place = { level, column: 0, row: 0 }
    const [mine, theirs] = await Promise.all(
      [
        pictureUrl(
          'labels',
          { project: project.folder!, head: view.head, path, ...place },
          { edition: classes.edition, version: project.version }
        ),
        this.tile(path, place)
      ].map(async (address) => {
        const response = await fetch(address)
        return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined
      })
    )
    if (!mine || !theirs || this.#other !== other) return
    const matched = matchedClasses(countPairs(mine, theirs), classes.places, placesOf(other.scheme))
    this.#colours = new Map(
      matched.map(({ mine: own, theirs: its }) => [other.scheme.classes[its].id, classes.scheme.classes[own].colour])
    )
  }
}

export const comparing = new Comparing()
