import type { ProjectState } from '../../src-main/contract/commands.ts'
import { SmaltiError } from '../../src-main/contract/errors.ts'
import type { Catalogue, SkippedFile } from '../../src-main/contract/imagery.ts'
import { isAddress } from '../../src-main/contract/sources.ts'
import { run } from '../engine.ts'
import { jobs } from './jobs.svelte.ts'
import { view } from './view.svelte.ts'

/** So many files take longer to read than anyone waits for. */
const MANY = 500

/** The images that are open and the project that is kept of them. */
class Project {
  /** Folders and files of the images, and addresses. */
  sources = $state.raw<readonly string[]>([])
  /** All of them, one a line: what the images are known by. */
  readonly images = $derived(this.sources.length > 0 ? this.sources.join('\n') : undefined)
  /** What they are called. */
  readonly title = $derived(titleOf(this.sources))
  folder = $state<string>()
  catalogue = $state.raw<Catalogue>()
  /** What is being opened, as soon as its files are known and while they are read, where that takes a while. */
  opening = $state.raw<{ title: string; files: readonly { path: string; file: string }[] }>()
  /** What the project says of itself; undefined where there is none yet. */
  state = $state.raw<ProjectState>()
  /** Files that jobs passed over since the images were read. */
  passedOver = $state.raw<SkippedFile[]>([])
  /** Counts readings of the project, so that pictures of it are asked for anew. */
  version = $state(0)
  /** Counts projects that were opened. */
  opened = $state(0)
  /** Number of the view that asks for thumbnails of these images, apart from those of single pictures. */
  readonly thumbnailsView = $derived(1_000_000 + this.opened)

  readonly trained = $derived(this.state?.trained ?? false)
  readonly finished = $derived(this.state?.finished ?? false)
  /** Each file once, with what was said of it last. */
  readonly skipped = $derived([
    ...new Map([...(this.catalogue?.skipped ?? []), ...this.passedOver].map((file) => [file.path, file])).values()
  ])

  readonly #files = $derived(new Map(this.catalogue?.images.map(({ path, file }) => [path, file])))
  fileOf(path: string): string | undefined {
    return this.#files.get(path)
  }

  /** Reads images and opens their project, if there is one; a project is opened by its own folder too. */
  async open(asked: readonly string[]): Promise<void> {
    await jobs.perform('read', async (signal, onProgress) => {
      const own = asked.length === 1 ? await stateOf(asked[0]).catch(() => undefined) : undefined
      const sources = own?.sources ?? withoutRepeats(asked)
      const { images: files } = await run('listing', { sources: [...sources] })
      if (files.length >= MANY) this.opening = { title: titleOf(sources), files }
      const { folder, state } = own ? { folder: asked[0], state: own } : await projectOf(sources)
      const catalogue = await run(
        'catalogue',
        { sources: [...sources], page: state?.settings?.page },
        { signal, onProgress }
      )
      view.reset()
      this.passedOver = []
      this.catalogue = catalogue
      this.sources = sources
      this.folder = folder
      this.#take(state)
      view.recall(folder)
      this.#nextOpened()
      await window.smalti.rememberProject(sources.join('\n'), folder, catalogue.images[0]?.file)
    })
    this.opening = undefined
  }

  /** Nobody waits any more for pictures of what was open. */
  #nextOpened(): void {
    window.smalti.abandonPictures(this.thumbnailsView)
    this.opened++
  }

  async chooseImages(): Promise<void> {
    const folders = await window.smalti.chooseImages()
    if (folders.length > 0) await this.open(folders)
  }

  /** Draws scenes whose truth is known, and opens them. */
  async openSample(): Promise<void> {
    let images: string | undefined
    await jobs.perform('read', async (signal, onProgress) => {
      ;({ images } = await run('sample', { out: await window.smalti.sampleFolder() }, { signal, onProgress }))
    })
    if (images !== undefined) await this.open([images])
  }

  /** Keeps the project elsewhere; one of other images is refused. */
  async chooseFolder(): Promise<void> {
    const { images, sources } = this
    const folder = await window.smalti.chooseFolder('Choose where the project is kept')
    if (folder === undefined || images === undefined) return
    await jobs.perform('read', async () => {
      const state = await stateOf(folder)
      if (state && !isOf(state, sources))
        throw new SmaltiError('OtherImages', { path: folder, images: state.sources.join(', ') })
      await window.smalti.rememberProject(images, folder)
      view.reset()
      this.folder = folder
      this.#take(state)
      this.#nextOpened()
    })
  }

  /** Reads the project again after a job. */
  async refresh(): Promise<void> {
    if (this.folder === undefined) return
    try {
      this.#take(await stateOf(this.folder))
    } catch (fault) {
      jobs.complain(fault)
    }
  }

  passOver(file: SkippedFile): void {
    this.passedOver = [...this.passedOver, file]
  }

  #take(state: ProjectState | undefined): void {
    this.state = state
    view.page = state?.settings?.page
    this.version++
  }
}

/** The project that is kept of some images, and what it says of itself. */
async function projectOf(sources: readonly string[]): Promise<{ folder: string; state: ProjectState | undefined }> {
  for (const remembered of [true, false]) {
    const folder = await window.smalti.projectFolderFor(sources.join('\n'), remembered)
    const state = await stateOf(folder)
    if (!state || isOf(state, sources)) return { folder, state }
    try {
      // The folder was renamed or moved: the project goes with it.
      await run('relocate', { project: folder, images: sources[0] })
      return { folder, state: await stateOf(folder) }
    } catch (fault) {
      // What is remembered has become the project of other images: these get one of their own.
      if (!remembered || !(fault instanceof SmaltiError && fault.name === 'OtherImages')) throw fault
    }
  }
  throw new SmaltiError('InternalError', { reason: 'no folder was found for the project' })
}

const titleOf = (sources: readonly string[]): string =>
  sources.map((source) => source.split(/[\\/]/).filter(Boolean).at(-1) ?? source).join(', ')

/** Whether a project is of these very images. */
const isOf = ({ sources }: ProjectState, asked: readonly string[]): boolean =>
  sources.length === asked.length && asked.every((source) => sources.includes(source))

async function stateOf(folder: string): Promise<ProjectState | undefined> {
  try {
    return await run('openProject', { project: folder })
  } catch (fault) {
    if (fault instanceof SmaltiError && fault.name === 'ProjectNotFound') return undefined
    throw fault
  }
}

export const project = new Project()

/** Each source once; what lies in a folder that is named, too, comes with it. */
function withoutRepeats(asked: readonly string[]): string[] {
  const plain = [...new Set(asked.map((path) => (isAddress(path) ? path : path.replace(/(?<=.)[\\/]+$/, ''))))]
  return plain.filter(
    (path) => !plain.some((other) => other !== path && path.startsWith(other) && /[\\/]/.test(path[other.length]))
  )
}
