import type { ProjectState } from '../../src-main/contract/commands/project.ts'
import { SmaltiError } from '../../src-main/contract/errors.ts'
import type { Catalogue, SkippedFile } from '../../src-main/contract/imagery.ts'
import { isAddress } from '../../src-main/contract/sources.ts'
import { run } from '../engine.ts'
import { jobs } from './jobs.svelte.ts'
import { view } from './view.svelte.ts'
import { images as words } from '../words/images.ts'

/** From this many files on, the gallery shows while they are read, because reading takes long. */
const MANY = 500

/** The open images and their project. */
class Project {
  /** Folders, files and URLs of the images. */
  sources = $state.raw<readonly string[]>([])
  /** All sources, one a line, which identify the images. */
  readonly images = $derived(this.sources.length > 0 ? this.sources.join('\n') : undefined)
  /** Names of the sources. */
  readonly title = $derived(titleOf(this.sources))
  folder = $state<string>()
  catalogue = $state.raw<Catalogue>()
  /** The files of a large project that is being opened, while they are read. */
  opening = $state.raw<{ title: string; files: readonly { path: string; file: string }[] }>()
  /** State of the project; undefined if it does not exist yet. */
  state = $state.raw<ProjectState>()
  /** Files that jobs skipped after the images were read. */
  passedOver = $state.raw<SkippedFile[]>([])
  /** Counts reads of the project; part of the URL of tiles that depend on it. */
  version = $state(0)
  /** Counts opened projects. */
  opened = $state(0)
  /** Number of the view that requests thumbnails, distinct from those of single images. */
  readonly thumbnailsView = $derived(1_000_000 + this.opened)

  readonly trained = $derived(this.state?.trained ?? false)
  readonly finished = $derived(this.state?.finished ?? false)
  /** The skipped files, each once, with the latest reason. */
  readonly skipped = $derived([
    ...new Map([...(this.catalogue?.skipped ?? []), ...this.passedOver].map((file) => [file.path, file])).values()
  ])

  readonly #files = $derived(new Map(this.catalogue?.images.map(({ path, file }) => [path, file])))
  fileOf(path: string): string | undefined {
    return this.#files.get(path)
  }

  /** Reads images and opens their project, if there is one. A project's own folder opens it too. */
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

  /** Drops requests for thumbnails of the images that were open before. */
  #nextOpened(): void {
    window.smalti.abandonPictures(this.thumbnailsView)
    this.opened++
  }

  async chooseImages(): Promise<void> {
    const folders = await window.smalti.chooseImages()
    if (folders.length > 0) await this.open(folders)
  }

  /** Generates sample scenes, whose true classes are known, and opens them. */
  async openSample(): Promise<void> {
    let images: string | undefined
    await jobs.perform('read', async (signal, onProgress) => {
      ;({ images } = await run('sample', { out: await window.smalti.sampleFolder() }, { signal, onProgress }))
    })
    if (images !== undefined) await this.open([images])
  }

  /** Changes the project folder; the project of other images is refused. */
  async chooseFolder(): Promise<void> {
    const { images, sources } = this
    const folder = await window.smalti.chooseFolder(words.chooseProjectFolder)
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

/** Finds the project folder of some images, and reads its state. */
async function projectOf(sources: readonly string[]): Promise<{ folder: string; state: ProjectState | undefined }> {
  for (const remembered of [true, false]) {
    const folder = await window.smalti.projectFolderFor(sources.join('\n'), remembered)
    const state = await stateOf(folder)
    if (!state || isOf(state, sources)) return { folder, state }
    try {
      // The images' folder was renamed or moved, and the project moves with it.
      await run('relocate', { project: folder, images: sources[0] })
      return { folder, state: await stateOf(folder) }
    } catch (fault) {
      // The remembered folder holds the project of other images, so these images get a new one.
      if (!remembered || !(fault instanceof SmaltiError && fault.name === 'OtherImages')) throw fault
    }
  }
  throw new SmaltiError('InternalError', { reason: words.noProjectFolder })
}

const titleOf = (sources: readonly string[]): string =>
  sources.map((source) => source.split(/[\\/]/).filter(Boolean).at(-1) ?? source).join(', ')

/** Whether a project belongs to exactly these sources. */
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

/** Removes repeated sources, and those inside a folder that is also a source. */
function withoutRepeats(asked: readonly string[]): string[] {
  const plain = [...new Set(asked.map((path) => (isAddress(path) ? path : path.replace(/(?<=.)[\\/]+$/, ''))))]
  return plain.filter(
    (path) => !plain.some((other) => other !== path && path.startsWith(other) && /[\\/]/.test(path[other.length]))
  )
}
