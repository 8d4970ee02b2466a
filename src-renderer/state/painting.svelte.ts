import type { CorrectionShape, CorrectionTarget } from '../../src-main/contract/classes.ts'
import type { Tool } from '../viewer/canvas/drawing.ts'
import { classes } from './classes.svelte.ts'
import { view } from './view.svelte.ts'

/** The tools of the painter, and `area`, which draws the area of interest. */
export type ToolKind = Tool['kind'] | 'area'
const PAINTS: readonly ToolKind[] = ['brush', 'polygon', 'fill']
/** Limits of the brush radius in image pixels. */
export const RADII = { least: 0.5, most: 500 }

/** The tool in use, and what it paints. */
class Painting {
  tool = $state<ToolKind>('pan')
  radius = $state(12)
  #to = $state<CorrectionTarget>()

  readonly paints = $derived(PAINTS.includes(this.tool))
  /** Whether arrow keys move the tool's cursor and Enter applies it. */
  readonly draws = $derived(this.paints || this.tool === 'area')
  /** What painted pixels become: the class chosen last, as long as it exists. */
  readonly to = $derived.by((): CorrectionTarget => {
    const chosen = this.#to
    if (chosen === 'none' || chosen === 'model') return chosen
    return classes.scheme.classes.find(({ id }) => id === chosen)?.id ?? classes.scheme.classes[0]?.id ?? 'model'
  })
  readonly colour = $derived(
    classes.scheme.classes.find(({ id }) => id === this.to)?.colour ?? (this.to === 'none' ? '#000000' : '#ffffff')
  )

  take(tool: ToolKind): void {
    const chosen = classes.selected.at(-1)
    if (PAINTS.includes(tool) && chosen !== undefined) this.#to = chosen
    this.tool = this.tool === tool ? 'pan' : tool
  }

  paintWith(to: CorrectionTarget): void {
    this.#to = to
  }

  resize(factor: number): void {
    this.radius = Math.min(RADII.most, Math.max(RADII.least, Math.round(this.radius * factor * 2) / 2 || RADII.least))
  }

  /** Paints a shape on the image that is shown. */
  async paint(shape: CorrectionShape): Promise<void> {
    if (view.shown !== undefined) await classes.correct(view.shown, shape, this.to)
  }
}

export const painting = new Painting()
