import type { Progress } from '../src-main/contract/commands.ts'
import type { ClusterDescriptions } from '../src-main/contract/classes.ts'
import type { ClusterClass, ExportFormatName } from '../src-main/contract/labels.ts'
import { SmaltiError, asSmaltiError } from '../src-main/contract/errors.ts'
import type { Catalogue, SkippedFile } from '../src-main/contract/imagery.ts'
import { recipeChanges } from '../src-main/contract/recipe.ts'
import { DEFAULT_SETTINGS, type HeadName, type TrainingSettings } from '../src-main/contract/settings.ts'
import type { TrainingReport } from '../src-main/contract/training.ts'
import { run } from './engine.ts'

export type JobKind = 'read' | 'train' | 'group' | 'segment' | 'export'

export interface RunningJob {
  kind: JobKind
  progress: Progress
  paused: boolean
  startedAt: number
  controller: AbortController
}

interface SegmentedImage {
  path: string
  width: number
  height: number
}

/** What the window shows, and the commands that change it. */
class Session {
  folder = $state<string>()
  project = $state<string>()
  catalogue = $state.raw<Catalogue>()
  settings = $state<TrainingSettings>({ ...DEFAULT_SETTINGS })
  /** What is wrong with the changes to the recipe, as they were typed. */
  recipeFault = $state<string>()
  grouping = $state({ groups: 10, minutes: 15, copies: false })
  job = $state<RunningJob>()
  fault = $state<SmaltiError>()
  notice = $state<{ text: string; folder?: string }>()
  history = $state.raw<TrainingReport[]>([])
  trained = $state(false)
  finished = $state(false)
  segmented = $state.raw<SegmentedImage[]>([])
  classes = $state.raw<Partial<Record<HeadName, ClusterClass[]>>>({})
  /** What is known of the clusters of the labels. */
  clusters = $state.raw<ClusterDescriptions>({})
  /** Counts segmentations, so that the viewer asks for fresh label tiles. */
  labelVersion = $state(0)
  skippedLater = $state.raw<SkippedFile[]>([])
  shown = $state<string>()
  head = $state<HeadName>('A')
  opacity = $state(0.55)
  exportFormat = $state<ExportFormatName>('geotiff')

  readonly busy = $derived(this.job !== undefined)
  readonly skipped = $derived([...(this.catalogue?.skipped ?? []), ...this.skippedLater])
  readonly lastReport = $derived(this.history.at(-1))

  /** Reads a folder of images and opens its project, if there is one. */
  async open(folder: string): Promise<void> {
    await this.#perform('read', async (signal, onProgress) => {
      const catalogue = await run('catalogue', { sources: [folder] }, { signal, onProgress })
      this.catalogue = catalogue
      this.folder = folder
      this.project = await window.smalti.projectFolderFor(folder)
      this.shown = undefined
      this.skippedLater = []
      this.settings = { ...DEFAULT_SETTINGS }
      this.recipeFault = undefined
      await this.#readProject()
    })
  }

  /** Takes over changes to the recipe, given as JSON, if they can be read, and says what is wrong if they cannot. */
  changeRecipe(text: string): void {
    this.recipeFault = undefined
    if (text.trim() === '') {
      this.settings.recipe = undefined
      return
    }
    try {
      const parsed = recipeChanges.safeParse(JSON.parse(text))
      if (parsed.success) this.settings.recipe = parsed.data
      else this.recipeFault = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim()).join('; ')
    } catch (fault) {
      this.recipeFault = (fault as Error).message
    }
  }

  async chooseFolder(): Promise<void> {
    const folder = await window.smalti.chooseFolder('Choose a folder of images')
    if (folder !== undefined) await this.open(folder)
  }

  async chooseProject(): Promise<void> {
    const folder = await window.smalti.chooseFolder('Choose where the project is kept')
    if (folder === undefined) return
    this.project = folder
    await this.#perform('read', () => this.#readProject())
  }

  async train(): Promise<void> {
    const { folder, project } = this
    if (folder === undefined || project === undefined) return
    this.history = []
    await this.#perform('train', async (signal, onProgress) => {
      const trained = await run('train', { sources: [folder], project, settings: this.settings }, { signal, onProgress })
      const done = trained.method === 'information' ? `Trained ${trained.steps} steps on` : `Clustered by ${trained.method}:`
      this.notice = { text: `${done} ${trained.images} images with ${trained.backend}.` }
    })
    await this.#refresh()
  }

  /** Sorts whole images into groups and writes the table and the contact sheet where the user says. */
  async group(): Promise<void> {
    const { folder, settings } = this
    if (folder === undefined) return
    const out = await window.smalti.chooseFolder('Choose a folder for the groups')
    if (out === undefined) return
    await this.#perform('group', async (signal, onProgress) => {
      const { seed, backend } = settings
      const { images, sizes } = await run('group', { sources: [folder], out, method: 'information', seed, backend, ...this.grouping }, { signal, onProgress })
      this.notice = { text: `Sorted ${images} images into ${sizes.length} groups: a table and a contact sheet.`, folder: out }
    })
  }

  async segment(): Promise<void> {
    const { project } = this
    if (project === undefined) return
    await this.#perform('segment', async (signal, onProgress) => {
      const segmented = await run('segment', { project }, { signal, onProgress })
      this.notice = { text: `Segmented ${segmented.labelled} images in ${Math.round(segmented.seconds)} s.${segmented.images > segmented.labelled ? ` ${segmented.images - segmented.labelled} were labelled already.` : ''}` }
    })
    await this.#refresh()
    if (this.segmented.length > 0) this.shown ??= this.segmented[0].path
  }

  async export(): Promise<void> {
    const { project, head, exportFormat: format } = this
    if (project === undefined) return
    const out = await window.smalti.chooseFolder('Choose a folder for the export')
    if (out === undefined) return
    await this.#perform('export', async (signal, onProgress) => {
      const { files } = await run('export', { project, format, out, head }, { signal, onProgress })
      this.notice = { text: `Wrote ${files} ${files === 1 ? 'file' : 'files'} of head ${head} as ${format}.`, folder: out }
    })
  }

  async setPaused(paused: boolean): Promise<void> {
    await run('pause', { paused })
    if (this.job) this.job.paused = paused
  }

  stop(): void {
    this.job?.controller.abort()
  }

  /** Runs one job at a time, with its progress shown; what goes wrong is shown too. */
  async #perform(kind: JobKind, work: (signal: AbortSignal, onProgress: (progress: Progress) => void) => Promise<void>): Promise<void> {
    if (this.job) return
    const controller = new AbortController()
    this.fault = undefined
    this.notice = undefined
    this.job = { kind, progress: { stage: STAGES[kind] }, paused: false, startedAt: Date.now(), controller }
    try {
      await work(controller.signal, (progress) => this.#follow(progress))
    } catch (fault) {
      const named = asSmaltiError(fault)
      if (named.name !== 'Cancelled') this.fault = named
    } finally {
      this.job = undefined
    }
  }

  #follow(progress: Progress): void {
    if (progress.skipped) this.skippedLater = [...this.skippedLater, progress.skipped]
    if (progress.report && this.job?.kind === 'train') this.history = [...this.history, progress.report]
    if (this.job && !progress.skipped) this.job.progress = progress
  }

  async #refresh(): Promise<void> {
    try {
      await this.#readProject()
    } catch (fault) {
      this.fault ??= asSmaltiError(fault)
    }
  }

  async #readProject(): Promise<void> {
    const { project } = this
    if (project === undefined) return
    try {
      const state = await run('openProject', { project })
      this.trained = state.trained
      this.finished = state.finished
      this.history = state.history
      this.segmented = state.segmented
      this.classes = state.classes ?? {}
      this.clusters = state.clusters ?? {}
      this.labelVersion++
      if (state.settings) this.settings = state.settings
    } catch (fault) {
      if (!(fault instanceof SmaltiError && fault.name === 'ProjectNotFound')) throw fault
      Object.assign(this, { trained: false, finished: false, history: [], segmented: [], classes: {}, clusters: {} })
    }
  }
}

const STAGES: Record<JobKind, string> = {
  read: 'Reading the images',
  train: 'Getting ready',
  group: 'Getting ready',
  segment: 'Getting ready',
  export: 'Exporting'
}

export const session = new Session()
