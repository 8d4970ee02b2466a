import { run } from '../engine.ts'
import { jobs } from './jobs.svelte.ts'
import { project } from './project.svelte.ts'
import { view } from './view.svelte.ts'

/** Bytes that nobody minds. */
const MODEST = 2 ** 28

/** Labels of the images: making them. */
class Labels {
  readonly images = $derived(project.state?.segmented ?? [])
  /** Images whose probabilities were kept. */
  readonly withHeatmaps = $derived(new Set(this.images.filter(({ heatmaps }) => heatmaps).map(({ path }) => path)))
  /** Keeps the probabilities too where they take little room, and where nobody decided otherwise before. */
  #keeps = $state<boolean>()
  /** Bytes that they take at most: one for each cluster of every cell of 4 × 4 pixels. */
  readonly heatmapBytes = $derived(
    (project.catalogue?.images ?? []).reduce((sum, { width, height }) => sum + (width * height) / 16, 0) *
      (project.state?.heads?.A ?? 0)
  )
  readonly keepsHeatmaps = $derived(
    this.#keeps ?? (this.withHeatmaps.size > 0 || (this.images.length === 0 && this.heatmapBytes < MODEST))
  )
  keepHeatmaps(keep: boolean): void {
    this.#keeps = keep
  }
  readonly paths = $derived(new Set(this.images.map(({ path }) => path)))

  /** @returns whether it came to its end */
  async segment(): Promise<boolean> {
    const { folder } = project
    if (folder === undefined) return false
    const done = await jobs.perform('segment', async (signal, onProgress) => {
      const segmented = await run(
        'segment',
        { project: folder, heatmaps: this.keepsHeatmaps },
        {
          signal,
          onProgress: (progress) => {
            onProgress(progress)
            if (progress.skipped) project.passOver(progress.skipped)
          }
        }
      )
      for (const file of segmented.skipped) project.passOver(file)
      jobs.notice = {
        text: `Segmented ${segmented.labelled} images in ${Math.round(segmented.seconds)} s.${segmented.images > segmented.labelled ? ` ${segmented.images - segmented.labelled} were labelled already.` : ''}`
      }
    })
    await project.refresh()
    if (this.images.length > 0) view.shown ??= this.images[0].path
    return done
  }
}

export const labels = new Labels()
