import { stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import {
  BrowserWindow,
  type IpcMainEvent,
  type IpcMainInvokeEvent,
  type OpenDialogOptions,
  app,
  dialog,
  ipcMain,
  shell
} from 'electron'
import { z } from 'zod'
import type { EngineClient } from '../contract/client.ts'
import { COMMANDS, type CommandName, parsedInput } from '../contract/commands.ts'
import { SmaltiError, asSmaltiError } from '../contract/errors.ts'
import { CHANNELS, type Outcome, UPDATE_WISHES } from '../contract/window/window.ts'
import { binRun } from './bin.ts'
import { checkPaths, grant, grantImages, mayName, pathsIn, rememberExport } from './grants.ts'
import type { PictureHost } from './pictures.ts'
import { projectFolderFor, recentImages, rememberProject } from './memory/projectMemory.ts'
import { SCHEME } from './protocol.ts'
import { noteFault } from './report.ts'
import type { Updates } from './updates/updates.ts'

const callNumber = z.int().positive()
const commandName = z.enum(Object.keys(COMMANDS) as [CommandName, ...CommandName[]])
const text = z.string().min(1).max(4096)

/** Messages are taken from the program's own page alone. */
function fromOwnPage(event: IpcMainEvent | IpcMainInvokeEvent): void {
  if (!event.senderFrame?.url.startsWith(`${SCHEME}://app/`)) throw new Error('a message came from a foreign page')
}

/** What the system asked the program to open. */
export interface Opened {
  add(paths: string[]): void
  /** What nobody has taken yet; the window may name it from now on. */
  take(): string[]
}

/** What the window has asked for and waits for. */
export interface Work {
  /** What would be lost, or broken off, by ending now; undefined where nothing would. */
  busyWith(): string | undefined
  /** Breaks it off; resolves when all that can be kept is. */
  stop(): Promise<void>
}
/** Commands that take long, in words. */
const LONG: Partial<Record<CommandName, string>> = {
  train: 'A training is running. What it has learnt by now is kept, and it can be continued.',
  segment: 'Images are being segmented. Those that are done are kept.',
  export: 'An export is running, and would be incomplete.',
  group: 'Images are being grouped, which would begin anew.'
}

/** Commands whose answers name files and folders that go with what was asked for. */
const NAMING: ReadonlySet<CommandName> = new Set(['openProject', 'sample', 'area', 'groups', 'relocate'])

/** Answers the window's requests. Every argument is checked before it is used. */
export function answerWindow(
  engine: Pick<EngineClient, 'call'>,
  pictures: PictureHost,
  opened: Opened,
  updates: Updates
): Work {
  const running = new Map<string, { name: CommandName; controller: AbortController; ended: Promise<unknown> }>()
  const key = (sender: number, call: number): string => `${sender}:${call}`

  ipcMain.handle(CHANNELS.run, async (event, ...args: unknown[]): Promise<Outcome<CommandName>> => {
    fromOwnPage(event)
    const [call, name, input] = z.tuple([callNumber, commandName, z.unknown()]).parse(args)
    const controller = new AbortController()
    let end = (): void => undefined
    running.set(key(event.sender.id, call), {
      name,
      controller,
      ended: new Promise<void>((resolve) => (end = resolve))
    })
    try {
      const parsed = parsedInput(name, input) as { out?: string; plan?: boolean }
      if (name === 'export') await letExport(event, parsed)
      checkPaths(parsed.plan ? { ...parsed, out: undefined } : parsed)
      const onProgress = (progress: unknown): void => {
        if (!event.sender.isDestroyed()) event.sender.send(CHANNELS.progress, call, progress)
      }
      const output = await engine.call(name, parsed as never, { signal: controller.signal, onProgress })
      if (NAMING.has(name)) grantImages(pathsIn(output))
      if (parsed.out !== undefined && (name === 'export' || name === 'groups')) rememberExport(parsed.out)
      return { output }
    } catch (fault) {
      const error = asSmaltiError(fault)
      if (error.name !== 'Cancelled') noteFault(name, error.name)
      return { error: error.toJSON() }
    } finally {
      running.delete(key(event.sender.id, call))
      end()
    }
  })
  ipcMain.on(CHANNELS.cancel, (event, call: unknown) => {
    fromOwnPage(event)
    running.get(key(event.sender.id, callNumber.parse(call)))?.controller.abort()
  })
  ipcMain.on(CHANNELS.abandonPictures, (event, view: unknown) => {
    fromOwnPage(event)
    pictures.abandon(callNumber.parse(view))
  })
  /** A folder that was typed for an export is the user's word only if they say so outside of the page; a plan writes nothing. */
  async function letExport(event: IpcMainInvokeEvent, { out, plan }: { out?: string; plan?: boolean }): Promise<void> {
    if (out !== undefined && !isAbsolute(out))
      throw new SmaltiError('InvalidSetting', { setting: 'Folder of the export', reason: 'give its whole path' })
    if (plan || out === undefined || mayName(out)) return
    const owner = BrowserWindow.fromWebContents(event.sender)
    const question = {
      type: 'question' as const,
      message: 'Write the export into this folder?',
      detail: out,
      buttons: ['Write', 'Cancel'],
      defaultId: 0,
      cancelId: 1
    }
    const { response } = await (owner ? dialog.showMessageBox(owner, question) : dialog.showMessageBox(question))
    if (response !== 0) throw new SmaltiError('Cancelled')
    grant(out)
  }
  /** What the user chooses in the system's dialog; nothing when the user thinks better of it. */
  async function chosen(event: IpcMainInvokeEvent, options: OpenDialogOptions): Promise<string[]> {
    const owner = BrowserWindow.fromWebContents(event.sender)
    const { canceled, filePaths } = await (owner
      ? dialog.showOpenDialog(owner, options)
      : dialog.showOpenDialog(options))
    if (canceled) return []
    grantImages(filePaths)
    return filePaths
  }
  ipcMain.handle(CHANNELS.chooseFolder, async (event, title: unknown) => {
    fromOwnPage(event)
    return (await chosen(event, { title: text.parse(title), properties: ['openDirectory', 'createDirectory'] }))[0]
  })
  ipcMain.handle(CHANNELS.chooseImages, (event) => {
    fromOwnPage(event)
    return chosen(event, { title: 'Choose folders of images', properties: ['openDirectory', 'multiSelections'] })
  })
  ipcMain.handle(CHANNELS.chooseFile, async (event, title: unknown, endings: unknown) => {
    fromOwnPage(event)
    const extensions = z.array(z.string().regex(/^\w+$/)).max(10).parse(endings)
    return (
      await chosen(event, {
        title: text.parse(title),
        properties: ['openFile'],
        filters: [{ name: extensions.join(', '), extensions }]
      })
    )[0]
  })
  ipcMain.handle(CHANNELS.sampleFolder, (event) => {
    fromOwnPage(event)
    const folder = join(app.getPath('documents'), 'Smalti', 'sample')
    grant(folder)
    return folder
  })
  ipcMain.handle(CHANNELS.projectFolderFor, (event, images: unknown, remembered: unknown) => {
    fromOwnPage(event)
    checkPaths(text.parse(images).split('\n'))
    const folder = projectFolderFor(text.parse(images), z.boolean().default(true).parse(remembered))
    grant(folder)
    return folder
  })
  ipcMain.handle(CHANNELS.rememberProject, (event, images: unknown, project: unknown, cover: unknown) => {
    fromOwnPage(event)
    checkPaths([text.parse(images).split('\n'), project, cover])
    rememberProject(text.parse(images), text.parse(project), text.optional().parse(cover))
  })
  ipcMain.handle(CHANNELS.recentImages, (event) => {
    fromOwnPage(event)
    const recent = recentImages()
    for (const { images, project, cover } of recent) {
      grantImages(images.split('\n'))
      grant(project, cover)
    }
    return recent
  })
  ipcMain.handle(CHANNELS.binRun, (event, project: unknown, run: unknown) => {
    fromOwnPage(event)
    checkPaths(text.parse(project))
    return binRun(text.parse(project), text.parse(run))
  })
  ipcMain.handle(CHANNELS.showFolder, async (event, path: unknown) => {
    fromOwnPage(event)
    checkPaths(text.parse(path))
    // A file would be opened by whatever program it belongs to.
    if ((await stat(text.parse(path))).isDirectory()) await shell.openPath(text.parse(path))
  })
  ipcMain.handle(CHANNELS.updateWish, async (event, wish: unknown) => {
    fromOwnPage(event)
    const wanted = z.enum(UPDATE_WISHES).parse(wish)
    if (wanted === 'never') updates.automatic = false
    else await updates[wanted]()
  })
  ipcMain.handle(CHANNELS.takeOpened, (event) => {
    fromOwnPage(event)
    return opened.take()
  })
  /** Sent by the preload script alone, with the path of a file that was really dropped. */
  ipcMain.on(CHANNELS.dropped, (event, path: unknown) => {
    fromOwnPage(event)
    grantImages([text.parse(path)])
    event.returnValue = true
  })

  return {
    busyWith: () => [...running.values()].map(({ name }) => LONG[name]).find((reason) => reason !== undefined),
    async stop() {
      const all = [...running.values()]
      for (const { controller } of all) controller.abort()
      await Promise.all(all.map(({ ended }) => ended))
    }
  }
}
