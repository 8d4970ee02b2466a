import type { SchemeClass } from '../../src-main/contract/classes.ts'
import { type LeftOut, leftOutText } from '../../src-main/contract/evaluation.ts'
import { clusterColours } from '../../src-main/classes/palette.ts'
import { decisionCurve } from '../../src-main/evaluation/curve.ts'
import { type Confusion, type Scores, score } from '../../src-main/evaluation/scores.ts'
import { run } from '../engine.ts'
import { classes } from './classes.svelte.ts'
import { jobs } from './jobs.svelte.ts'
import { project } from './project.svelte.ts'
import { view } from './view.svelte.ts'
import { accuracy as words } from '../words/accuracy.ts'
import { classes as classWords } from '../words/classes.ts'

/** Pixels of each cluster and true class, counted once. */
interface Counted {
  folder: string
  head: string
  images: number
  imagesWithoutTruth: number
  /** Pixels that were scored, and those that were left out. */
  pixels: number
  leftOut: LeftOut
  warning?: string
  /** Values of the true classes in the masks. */
  values: readonly number[]
  confusion: Confusion
}
const MOST_DECISIONS = 40

/**
 * The accuracy of the classes against reference masks. Pixels are counted once by cluster, so the scores follow every
 * change to the classes at once.
 */
class Truth {
  #counted = $state.raw<Counted>()
  readonly counted = $derived(this.#counted?.head === view.head ? this.#counted : undefined)
  /** Pixels of each class, in the order of the list, and true class. */
  readonly confusion = $derived.by((): Confusion | undefined => {
    const { counted } = this
    if (!counted) return undefined
    const { classes: list, of } = classes.scheme
    return list.map(({ id, ignored }) =>
      counted.values.map((_, k) =>
        ignored
          ? 0
          : of.reduce((sum, owner, cluster) => sum + (owner === id ? (counted.confusion[cluster]?.[k] ?? 0) : 0), 0)
      )
    )
  })
  readonly scores = $derived.by((): Scores | undefined =>
    this.confusion?.some((row) => row.some((count) => count > 0)) ? score(this.confusion, 'many-to-one') : undefined
  )
  /** Says how many pixels were scored, and why others, such as those of ignored classes, were left out. */
  readonly coverage = $derived.by((): string | undefined => {
    if (!this.counted || !this.scores) return undefined
    const { pixels, leftOut } = this.counted
    const scored = this.scores.pixels
    const reasons = [...leftOutText(leftOut), ...(scored < pixels ? [words.inIgnoredClasses(pixels - scored)] : [])]
    return words.coverage(scored, reasons)
  })
  /** The best accuracies that 1, 2 … classes of the tree can reach. */
  readonly curve = $derived(
    this.counted && classes.tree
      ? decisionCurve(classes.tree, this.counted.confusion.slice(0, classes.tree.count), MOST_DECISIONS)
      : undefined
  )

  async compare(): Promise<void> {
    const { folder } = project
    if (folder === undefined) return
    const truth = await window.smalti.chooseFolder(words.chooseFolder)
    if (truth === undefined) return
    await classes.settled()
    await jobs.perform('evaluate', async (signal, onProgress) => {
      const { head } = view
      const found = await run(
        'evaluate',
        { project: folder, truth, head, mapping: 'many-to-one', what: 'clusters' },
        { signal, onProgress }
      )
      const { images, imagesWithoutTruth, pixels, leftOut, warning, classes: values, confusion } = found
      this.#counted = { folder: truth, head, images, imagesWithoutTruth, pixels, leftOut, warning, values, confusion }
    })
  }

  /** Assigns every cluster to the true class that it covers most. */
  mergeBest(): void {
    const { counted } = this
    if (!counted) return
    const { scheme } = classes
    const groups = scheme.of.map((_, cluster) => {
      const row = counted.confusion[cluster] ?? []
      const most = Math.max(0, ...row)
      return most > 0 ? row.indexOf(most) : undefined
    })
    const used = [...new Set(groups)].filter((group) => group !== undefined).sort((a, b) => a - b)
    const colours = clusterColours(counted.values.length)
    const idOf = new Map(used.map((group) => [group, groups.indexOf(group)]))
    const made = used.map((group): SchemeClass => ({
      id: idOf.get(group)!,
      name: words.matchedClass(counted.values[group]),
      colour: colours[group],
      hidden: false,
      ignored: false
    }))
    // Clusters without any pixel of a true class stay classes of their own.
    const own = scheme.of.flatMap((_, cluster) =>
      groups[cluster] === undefined
        ? [
            {
              id: cluster,
              name: classWords.cluster(cluster + 1),
              colour: clusterColours(scheme.of.length)[cluster],
              hidden: false,
              ignored: false
            }
          ]
        : []
    )
    classes.edit({
      kind: 'replace',
      name: words.match,
      scheme: {
        classes: [...made, ...own],
        of: groups.map((group, cluster) => (group === undefined ? cluster : idOf.get(group)!)),
        added: scheme.added
      }
    })
  }

  /** Forgets the counts, because the project or its labels have changed. */
  forget(): void {
    this.#counted = undefined
  }
}

export const truth = new Truth()
