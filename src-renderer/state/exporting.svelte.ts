import { z } from 'zod'
import { exportCommand } from '../../src-main/contract/window/commandText.ts'
import type { CommandInput, CommandOutput } from '../../src-main/contract/commands.ts'
import { asSmaltiError } from '../../src-main/contract/errors.ts'
import { EXPORT_FORMATS, type ExportFormatName } from '../../src-main/contract/labels.ts'
import { run } from '../engine.ts'
import { classes } from './classes.svelte.ts'
import { keep, kept } from './kept.ts'
import { jobs } from './jobs.svelte.ts'
import { project } from './project.svelte.ts'
import { view } from './view.svelte.ts'
import { exporting as words } from '../words/exporting.ts'

/** The settings of the export dialog. */
const choice = z.object({
  format: z.enum(EXPORT_FORMATS),
  what: z.enum(['classes', 'clusters']),
  images: z.enum(['all', 'shown']),
  confidence: z.boolean(),
  probabilities: z.boolean(),
  /** Radius of the majority filter, and the smallest patch, in pixels; 0 turns them off. */
  majority: z.number(),
  sieve: z.number()
})
type Choice = z.infer<typeof choice>
const USUAL: Choice = {
  format: 'geotiff',
  what: 'classes',
  images: 'all',
  confidence: false,
  probabilities: false,
  majority: 0,
  sieve: 0
}
/** Storage key of the last settings, and the prefix of each project's export folder. */
const KEY = 'smalti.export'
/** Formats that export a run as a whole, not its images. */
const WHOLE: readonly ExportFormatName[] = ['report', 'onnx']

/** The export dialog: its settings, its plan and the export itself. */
class Exporting {
  choice = $state<Choice>({ ...USUAL })
  out = $state('')
  /** Whether files that Smalti did not write may be overwritten. */
  overwrite = $state(false)
  planned = $state.raw<CommandOutput<'export'>>()
  /** Why these settings can't be exported. */
  fault = $state.raw<{ name: string; message: string }>()

  readonly perImage = $derived(!WHOLE.includes(this.choice.format))
  readonly #input = $derived.by((): CommandInput<'export'> => {
    const { format, what, images, confidence, probabilities, majority, sieve } = this.choice
    return {
      project: project.folder ?? '',
      format,
      head: view.head,
      out: this.out,
      what,
      overwrite: this.overwrite,
      only: this.perImage && images === 'shown' && view.shown !== undefined ? [view.shown] : undefined,
      measures: format === 'geotiff' ? { confidence, probabilities } : undefined,
      cleanUp:
        this.perImage && (majority > 0 || sieve > 0)
          ? { majority: majority || undefined, sieve: sieve > 0 ? { value: sieve, unit: 'px' } : undefined }
          : undefined
    }
  })
  readonly command = $derived.by(() => {
    const { project: folder, ...choice } = this.#input
    return exportCommand(folder, choice)
  })

  open(): void {
    this.choice = { ...USUAL, ...kept(KEY, choice), images: 'all' }
    // Next to the images' folder, because Smalti never writes among the images.
    this.out =
      kept(`${KEY}.${project.folder}`, z.string()) ?? words.suggestedFolder(project.sources[0]?.replace(/[\\/]+$/, ''))
    this.overwrite = false
    this.planned = undefined
    this.fault = undefined
    view.sheet = 'export'
  }

  async chooseFolder(): Promise<void> {
    const folder = await window.smalti.chooseFolder(words.chooseFolder)
    if (folder !== undefined) this.out = folder
  }

  /** Finds out which files the current settings would write. */
  async plan(): Promise<void> {
    const input = this.#input
    if (input.project === '') return
    const current = (): boolean => input === this.#input
    try {
      const planned = await run('export', { ...input, plan: true })
      if (!current()) return
      this.planned = planned
      this.fault = undefined
    } catch (fault) {
      const { name, message } = asSmaltiError(fault)
      if (!current()) return
      this.planned = undefined
      this.fault = { name, message }
    }
  }

  async write(): Promise<void> {
    const input = this.#input
    keep(KEY, this.choice)
    keep(`${KEY}.${input.project}`, input.out)
    await classes.settled()
    await jobs.perform('export', async (signal, onProgress) => {
      const { files, format, out, notes = [] } = await run('export', input, { signal, onProgress })
      jobs.notice = {
        text: words.exported(files, format, notes),
        folder: out
      }
    })
  }
}

export const exporting = new Exporting()
