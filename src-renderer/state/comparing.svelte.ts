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

/** The run that the current one is compared with. */
interface Other {
  run: string
  name: string
  head: HeadName
  scheme: Scheme
}

/** The comparison of two runs on one image, on either side of a movable divider. */
class Comparing {
  #other = $state.raw<Other>()
  /** Position of the divider as a share of the screen's width. */
  swipe = $state(0.5)
  /** Colours of the other run's classes by id, taken from the classes here that cover the same places. */
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

  /** Starts comparing with a run, or stops. */
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

  /** URL of a tile of the other run's labels. */
  tile(path: string, place: { level: number; column: number; row: number }): string {
    const { run: name, head } = this.#other!
    return pictureUrl(
      'labels',
      { project: project.folder!, run: name, head, path, ...place },
      { version: project.version }
    )
  }

  /** Gives each class of the other run the colour of the class that it overlaps most on the image; each colour once. */
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
