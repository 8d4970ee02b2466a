import type { ActionName } from './actions.ts'
import type { CommandInput, CommandName, CommandOutput, Progress } from '../commands.ts'
import type { WireError } from '../messages.ts'

/** A command's end as it crosses to the window, where an Error would lose its name. */
export type Outcome<N extends CommandName> = { output: CommandOutput<N> } | { error: WireError }

/** Images that were opened before. */
export interface RecentImages {
  /** Their folders, files and addresses, one a line. */
  images: string
  project: string
  /** File of one of them. */
  cover?: string
}

/** What is known of a later release. */
export type UpdateNews =
  | { state: 'found'; version: string; /** What is new in it, as text. */ notes: string }
  | { state: 'downloading'; share: number }
  | { state: 'ready' }
  | { state: 'none'; version: string }
  | { state: 'failed'; reason: string }
/** What the window may want of one. */
export const UPDATE_WISHES = ['look', 'download', 'install', 'never'] as const
export type UpdateWish = (typeof UPDATE_WISHES)[number]

/** All that the window may ask of the program; the preload script offers it as `window.smalti`. */
export interface WindowApi {
  /** Runs a command of the engine. `call` is the window's own number for it, used to cancel it. */
  run<N extends CommandName>(call: number, name: N, input: CommandInput<N>): Promise<Outcome<N>>
  cancel(call: number): void
  onProgress(listener: (call: number, progress: Progress) => void): void
  /** Nobody waits any more for pictures that were asked for with this view's number. */
  abandonPictures(view: number): void
  /** Something was chosen in the menu. */
  onAction(listener: (name: ActionName) => void): void
  /** Asks the user for folders of images; none when the user thinks better of it. */
  chooseImages(): Promise<string[]>
  /** Asks the user for a file with one of some endings; undefined when the user thinks better of it. */
  chooseFile(title: string, endings: string[]): Promise<string | undefined>
  /** Where generated scenes are kept. */
  sampleFolder(): Promise<string>
  /** Asks the user for a folder; undefined when the user thinks better of it. */
  chooseFolder(title: string): Promise<string | undefined>
  /** Folder in which the project of some images (their sources, one a line) is kept: where it was last, unless that is not to count. */
  projectFolderFor(images: string, remembered?: boolean): Promise<string>
  /** Keeps the project of an image folder elsewhere from now on. */
  rememberProject(images: string, project: string, cover?: string): Promise<void>
  /** What was opened last, the newest first. */
  recentImages(): Promise<RecentImages[]>
  /** Moves a run of a project to the system's bin; says why where it cannot. */
  binRun(project: string, run: string): Promise<string | undefined>
  /** Shows a folder in the system's file manager. */
  showFolder(path: string): Promise<void>
  /** Path of a file or folder dropped on the window, which may name it from then on. */
  pathOf(file: File): string
  /** Files and folders that the system asked to open, each once. */
  takeOpened(): Promise<string[]>
  onUpdate(listener: (news: UpdateNews) => void): void
  update(wish: UpdateWish): Promise<void>
  /** The system asks to open something. */
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
