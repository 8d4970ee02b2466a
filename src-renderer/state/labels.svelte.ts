import { run } from '../engine.ts'
import { jobs } from './jobs.svelte.ts'
import { project } from './project.svelte.ts'
import { view } from './view.svelte.ts'
import { segmenting as words } from '../words/segmenting.ts'

/** Bytes up to which probabilities are saved by default. */
const MODEST = 2 ** 28

/** The labels of the images, and segmentation, which makes them. */
class Labels {
  readonly images = $derived(project.state?.segmented ?? [])
  /** Paths of the images whose probabilities are saved. */
  readonly withHeatmaps = $derived(new Set(this.images.filter(({ heatmaps }) => heatmaps).map(({ path }) => path)))
  /** Whether the user wants probabilities saved; undefined if the user has not said. */
  #keeps = $state<boolean>()
  /** Upper bound on their size: one byte per cluster for every cell of 4 × 4 pixels. */
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

  /** @returns whether segmentation finished */
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
        text: words.segmented(segmented.labelled, segmented.seconds, segmented.images - segmented.labelled)
      }
    })
    await project.refresh()
    if (this.images.length > 0) view.shown ??= this.images[0].path
    return done
  }
}

export const labels = new Labels()
