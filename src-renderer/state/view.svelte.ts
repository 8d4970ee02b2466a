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

/** What the window shows, and how. */
class View {
  /** Path of the image in the viewer; undefined shows the gallery or the groups. */
  shown = $state<string>()
  /** Path of the image that was shown last, at which the gallery opens. */
  last = $state<string>()
  /** Whether images are listed by group. */
  grouped = $state(false)
  /** The gallery's filters. */
  sought = $state('')
  kept = $state<'all' | 'labelled' | 'unlabelled'>('all')
  /** Side of a thumbnail in pixels. */
  thumbnail = $state(168)
  head = $state<HeadName>('A')
  opacity = $state(0.55)
  /** The overlay: classes, the probability of the selected class, or the confidence of the labels. */
  overlay = $state<'classes' | 'probability' | 'confidence'>('classes')
  style = $state<'filled' | 'outlined'>('filled')
  /** Whether labels are hidden for the moment. */
  peeking = $state(false)
  /** Whether labels blink. */
  blinking = $state(false)
  /** The class under the pointer; a class pointed at in the list is highlighted on the image. */
  pointed = $state.raw<{ id: number; from: 'list' | 'picture' }>()
  look = $state({ brightness: 0, contrast: 1, gamma: 1 })
  /** Bands and stretch of images, where they differ from the default. */
  shownAs = $state.raw<Look>({})
  /** The page of multi-page TIFFs that the current run reads. */
  page = $state<number>()
  /** Parameters of image requests. */
  readonly seenAs = $derived<Look>({ ...this.shownAs, page: this.page })
  /** Whether the grid is shown. */
  graticule = $state(false)
  /** The stage of the image in the viewer. */
  stage = $state.raw<Stage>()
  /** Id of the class that is being renamed. */
  naming = $state<number>()
  /** The open dialog. */
  sheet = $state<'commands' | 'shortcuts' | 'export'>()
  /** Where the viewer goes next, in image pixels. */
  target = $state.raw<{ x: number; y: number }>()

  /** Resets the view for other images. */
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

  /** The part of the view that is remembered for each project. */
  readonly #kept = $derived({
    last: this.last,
    head: this.head,
    opacity: this.opacity,
    style: this.style,
    thumbnail: this.thumbnail,
    shownAs: this.shownAs,
    graticule: this.graticule
  })

  /** Restores the view of a project. */
  recall(project: string): void {
    Object.assign(this, kept(keyOf(project), keptView))
  }

  /** Remembers the view of a project. */
  keep(project: string): void {
    keep(keyOf(project), this.#kept)
  }

  show(path: string | undefined): void {
    this.shown = path
    this.last = path
  }

  /** Shows a place on an image. */
  goTo(path: string, x: number, y: number): void {
    this.show(path)
    this.target = { x, y }
  }
}

export const view = new View()
