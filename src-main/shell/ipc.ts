import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BrowserWindow, type IpcMainInvokeEvent, type OpenDialogOptions, app, dialog, shell } from 'electron'
import { z } from 'zod'
import type { EngineClient } from '../contract/engine/client.ts'
import { CHANNELS, UPDATE_WISHES } from '../contract/window/window.ts'
import { binRun } from './bin.ts'
import { checkPaths, grant, grantImages } from './grants.ts'
import { callNumber, handle, listen, text } from './ipcChannel.ts'
import { type Work, answerCommands } from './ipcCommands.ts'
import { projectFolderFor, recentImages, rememberProject } from './memory/projectMemory.ts'
import type { PictureHost } from './pictures.ts'
import type { Updates } from './updates/updates.ts'

/** Files and folders that the system asked the program to open. */
export interface Opened {
  add(paths: string[]): void
  /** Returns the paths not taken yet, and lets the window name them. */
  take(): string[]
}

/** Answers the window's requests. Every argument is checked before use. */
export function answerWindow(
  engine: Pick<EngineClient, 'call'>,
  pictures: PictureHost,
  opened: Opened,
  updates: Updates
): Work {
  answerDialogs()
  answerProjects()
  listen(CHANNELS.abandonPictures, (_, view: unknown) => {
    pictures.abandon(callNumber.parse(view))
  })
  handle(CHANNELS.updateWish, async (_, wish: unknown) => {
    const wanted = z.enum(UPDATE_WISHES).parse(wish)
    if (wanted === 'never') updates.automatic = false
    else await updates[wanted]()
  })
  handle(CHANNELS.takeOpened, () => {
    return opened.take()
  })
  /** Sent only by the preload script, with the path of a file that was really dropped. */
  listen(CHANNELS.dropped, (event, path: unknown) => {
    grantImages([text.parse(path)])
    event.returnValue = true
  })
  return answerCommands(engine)
}

/** Opens the system's dialogs; the window may name what the user chooses in them. */
function answerDialogs(): void {
  handle(CHANNELS.chooseFolder, async (event, title: unknown) => {
    return (await chosen(event, { title: text.parse(title), properties: ['openDirectory', 'createDirectory'] }))[0]
  })
  handle(CHANNELS.chooseImages, (event) => {
    return chosen(event, { title: 'Choose image folders', properties: ['openDirectory', 'multiSelections'] })
  })
  handle(CHANNELS.chooseFile, async (event, title: unknown, endings: unknown) => {
    const extensions = z.array(z.string().regex(/^\w+$/)).max(10).parse(endings)
    return (
      await chosen(event, {
        title: text.parse(title),
        properties: ['openFile'],
        filters: [{ name: extensions.join(', '), extensions }]
      })
    )[0]
  })
}

/** Shows the system's dialog and returns the chosen paths; empty if the user cancels. */
async function chosen(event: IpcMainInvokeEvent, options: OpenDialogOptions): Promise<string[]> {
  const owner = BrowserWindow.fromWebContents(event.sender)
  const { canceled, filePaths } = await (owner ? dialog.showOpenDialog(owner, options) : dialog.showOpenDialog(options))
  if (canceled) return []
  grantImages(filePaths)
  return filePaths
}

/** Answers requests about projects: which are known, where they are kept, and how to show or remove their files. */
function answerProjects(): void {
  handle(CHANNELS.sampleFolder, () => {
    const folder = join(app.getPath('documents'), 'Smalti', 'sample')
    grant(folder)
    return folder
  })
  handle(CHANNELS.projectFolderFor, (_, images: unknown, remembered: unknown) => {
    checkPaths(text.parse(images).split('\n'))
    const folder = projectFolderFor(text.parse(images), z.boolean().default(true).parse(remembered))
    grant(folder)
    return folder
  })
  handle(CHANNELS.rememberProject, (_, images: unknown, project: unknown, cover: unknown) => {
    checkPaths([text.parse(images).split('\n'), project, cover])
    rememberProject(text.parse(images), text.parse(project), text.optional().parse(cover))
  })
  handle(CHANNELS.recentImages, () => {
    const recent = recentImages()
    for (const { images, project, cover } of recent) {
      grantImages(images.split('\n'))
      grant(project, cover)
    }
    return recent
  })
  handle(CHANNELS.binRun, (_, project: unknown, run: unknown) => {
    checkPaths(text.parse(project))
    return binRun(text.parse(project), text.parse(run))
  })
  handle(CHANNELS.showFolder, async (_, path: unknown) => {
    checkPaths(text.parse(path))
    // Opening a file would start whatever program it belongs to.
    if ((await stat(text.parse(path))).isDirectory()) await shell.openPath(text.parse(path))
  })
}
