import type { ActionName } from './actions.ts'
import type { CommandInput, CommandName, CommandOutput } from '../commands.ts'
import type { Progress } from '../engine/progress.ts'
import type { WireError } from '../engine/messages.ts'

/** The result of a command as it crosses to the window, where an Error would lose its name. */
export type Outcome<N extends CommandName> = { output: CommandOutput<N> } | { error: WireError }

/** Recently opened images. */
export interface RecentImages {
  /** Their folders, files and URLs, one per line. */
  images: string
  project: string
  /** File of one of the images. */
  cover?: string
}

/** News about a later release. */
export type UpdateNews =
  | { state: 'found'; version: string; /** What's new in it, as text. */ notes: string }
  | { state: 'downloading'; share: number }
  | { state: 'ready' }
  | { state: 'none'; version: string }
  | { state: 'failed'; reason: string }
/** Requests that the window can make about updates. */
export const UPDATE_WISHES = ['look', 'download', 'install', 'never'] as const
export type UpdateWish = (typeof UPDATE_WISHES)[number]

/** Everything that the window may ask of the program. The preload script offers it as `window.smalti`. */
export interface WindowApi {
  /** Runs a command of the engine. `call` is the window's own number for it, used to cancel it. */
  run<N extends CommandName>(call: number, name: N, input: CommandInput<N>): Promise<Outcome<N>>
  cancel(call: number): void
  onProgress(listener: (call: number, progress: Progress) => void): void
  /** Drops the pictures that were requested with this view's number. */
  abandonPictures(view: number): void
  /** Called when the user chooses an action in the menu. */
  onAction(listener: (name: ActionName) => void): void
  /** Asks the user for folders of images; empty if the user cancels. */
  chooseImages(): Promise<string[]>
  /** Asks the user for a file with one of the given extensions; undefined if the user cancels. */
  chooseFile(title: string, endings: string[]): Promise<string | undefined>
  /** Folder for generated scenes. */
  sampleFolder(): Promise<string>
  /** Asks the user for a folder; undefined if the user cancels. */
  chooseFolder(title: string): Promise<string | undefined>
  /**
   * Folder of the project for some images (their sources, one per line): where it was last, unless `remembered` is
   * false.
   */
  projectFolderFor(images: string, remembered?: boolean): Promise<string>
  /** Remembers another project folder for some images. */
  rememberProject(images: string, project: string, cover?: string): Promise<void>
  /** Recently opened images, newest first. */
  recentImages(): Promise<RecentImages[]>
  /** Moves a run of a project to the system's bin; returns the reason if it can't. */
  binRun(project: string, run: string): Promise<string | undefined>
  /** Shows a folder in the system's file manager. */
  showFolder(path: string): Promise<void>
  /** Path of a file or folder dropped on the window, which the window may name from then on. */
  pathOf(file: File): string
  /** Files and folders that the system asked to open, each returned once. */
  takeOpened(): Promise<string[]>
  onUpdate(listener: (news: UpdateNews) => void): void
  update(wish: UpdateWish): Promise<void>
  /** Called when the system asks to open something. */
  onOpened(listener: () => void): void
}

export const CHANNELS = {
  run: 'engine:run',
  cancel: 'engine:cancel',
  progress: 'engine:progress',
  action: 'menu:action',
  abandonPictures: 'pictures:abandon',
  chooseFolder: 'dialog:folder',
  chooseImages: 'dialog:images',
  chooseFile: 'dialog:file',
  sampleFolder: 'sample:folder',
  projectFolderFor: 'project:folder',
  rememberProject: 'project:remember',
  recentImages: 'project:recent',
  binRun: 'run:bin',
  showFolder: 'shell:show',
  dropped: 'drop:path',
  updateNews: 'update:news',
  updateWish: 'update:wish',
  opened: 'open:news',
  takeOpened: 'open:take'
} as const
