import type { Stage } from '../viewer/canvas/stage.ts'
import { z } from 'zod'
import type { Look } from '../../src-main/contract/window/pictures.ts'
import { keep, kept } from './kept.ts'
import { HEADS, type HeadName } from '../../src-main/contract/settings.ts'

const keyOf = (project: string): string => `smalti.view.${project}`
const keptView = z
  .object({
    last: z.string(),
    head: z.enum(HEADS),
    opacity: z.number().min(0).max(1),
    style: z.enum(['filled', 'outlined']),
    thumbnail: z.number().min(64).max(400),
    shownAs: z.object({ bands: z.string(), clip: z.number() }).partial(),
    graticule: z.boolean()
  })
  .partial()

/** What is looked at, and how. */
class View {
  /** Path of the picture that is shown; all are, side by side, when there is none. */
  shown = $state<string>()
  /** The one before, to which the list of all comes back. */
  last = $state<string>()
  /** The list of all is that of the groups. */
  grouped = $state(false)
  /** What the list of images is narrowed to. */
  sought = $state('')
  kept = $state<'all' | 'labelled' | 'unlabelled'>('all')
  /** Side of a thumbnail in pixels. */
  thumbnail = $state(168)
  head = $state<HeadName>('A')
  opacity = $state(0.55)
  /** What lies over the picture: classes, how probable the selected class is, or how sure the labels are. */
  overlay = $state<'classes' | 'probability' | 'confidence'>('classes')
  style = $state<'filled' | 'outlined'>('filled')
  /** While it is true, labels are out of the way. */
  peeking = $state(false)
  /** Labels come and go. */
  blinking = $state(false)
  /** Class that is pointed at; one in the list is brought out on the picture. */
  pointed = $state.raw<{ id: number; from: 'list' | 'picture' }>()
  look = $state({ brightness: 0, contrast: 1, gamma: 1 })
  /** Bands and stretch of pictures, where they are not the usual ones. */
  shownAs = $state.raw<Look>({})
  /** The page of TIFFs of several that the run in use reads. */
  page = $state<number>()
  /** How pictures are asked for. */
  readonly seenAs = $derived<Look>({ ...this.shownAs, page: this.page })
  /** Lines of equal coordinates lie over the picture. */
  graticule = $state(false)
  /** The picture that is on the screen. */
  stage = $state.raw<Stage>()
  /** Class whose name is being changed. */
  naming = $state<number>()
  /** What lies over the window. */
  sheet = $state<'commands' | 'shortcuts' | 'export'>()
  /** Where the viewer is to go next, in pixels of the picture that is shown. */
  target = $state.raw<{ x: number; y: number }>()

  /** Back to the start, for other images. */
  reset(): void {
    this.shown = undefined
    this.last = undefined
    this.grouped = false
    this.sought = ''
    this.kept = 'all'
    this.head = 'A'
    this.overlay = 'classes'
    this.blinking = false
    this.pointed = undefined
    this.naming = undefined
    this.target = undefined
    this.shownAs = {}
    this.look = { brightness: 0, contrast: 1, gamma: 1 }
  }

  /** How a project was looked at last. */
  readonly #kept = $derived({
    last: this.last,
    head: this.head,
    opacity: this.opacity,
    style: this.style,
    thumbnail: this.thumbnail,
    shownAs: this.shownAs,
    graticule: this.graticule
  })

  /** Looks at a project as it was looked at last. */
  recall(project: string): void {
    Object.assign(this, kept(keyOf(project), keptView))
  }

  /** Remembers how a project is looked at. */
  keep(project: string): void {
    keep(keyOf(project), this.#kept)
  }

  show(path: string | undefined): void {
    this.shown = path
    this.last = path
  }

  /** Shows a place of a picture. */
  goTo(path: string, x: number, y: number): void {
    this.show(path)
    this.target = { x, y }
  }
}

export const view = new View()
