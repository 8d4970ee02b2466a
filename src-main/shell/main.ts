import { fileURLToPath } from 'node:url'
import { BrowserWindow, Menu, app, dialog, nativeTheme, session } from 'electron'
import { CHANNELS } from '../contract/window/window.ts'
import { commandLineArguments, runAsCommandLine } from './commandLine.ts'
import { createEngineHost } from './engine.ts'
import { grantFormerExports, grantImages } from './grants.ts'
import { type Opened, answerWindow } from './ipc.ts'
import type { Work } from './ipcCommands.ts'
import { applicationMenu } from './menu.ts'
import { pathsOf } from './openedPaths.ts'
import { createPictureHost } from './pictures.ts'
import { SCHEME, declareScheme, handleScheme } from './protocol.ts'
import { copyReport } from './report.ts'
import { createUpdates } from './updates/updates.ts'
import { rememberBounds } from './memory/windowState.ts'

declareScheme()
// No network access that the user did not ask for.
for (const service of ['disable-component-update', 'disable-background-networking', 'disable-domain-reliability'])
  app.commandLine.appendSwitch(service)

/** Milliseconds that cancelled work may take to save its results. */
const PATIENCE = 15_000

function openWindow(work: Work): void {
  const state = rememberBounds()
  const window = new BrowserWindow({
    ...state.bounds,
    minWidth: 900,
    minHeight: 600,
    show: false,
    backgroundColor: nativeTheme.shouldUseDarkColors ? '#16181d' : '#f6f5f2',
    title: 'Smalti',
    webPreferences: {
      preload: fileURLToPath(new URL('../preload/preload.cjs', import.meta.url)),
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      // Chromium would download the dictionaries.
      spellcheck: false
    }
  })
  state.follow(window)
  askBeforeClosing(window, work)
  window.once('ready-to-show', () => window.show())
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }))
  window.webContents.on('will-navigate', (event) => event.preventDefault())
  void window.loadURL(`${SCHEME}://app/index.html`)
}

/** Asks before a window with unfinished work closes, and lets the work be saved. */
function askBeforeClosing(window: BrowserWindow, work: Work): void {
  let stopping = false
  window.on('close', (event) => {
    const reason = work.busyWith()
    if (reason === undefined && !stopping) return
    event.preventDefault()
    if (stopping) return
    void dialog
      .showMessageBox(window, {
        type: 'question',
        message: 'Quit Smalti?',
        detail: reason,
        buttons: ['Stop and quit', 'Keep working'],
        defaultId: 1,
        cancelId: 1
      })
      .then(async ({ response }) => {
        if (response !== 0) return
        stopping = true
        await Promise.race([work.stop(), new Promise((resolve) => setTimeout(resolve, PATIENCE))])
        window.destroy()
      })
  })
}

const commandLine = commandLineArguments(process.argv)
/** The arguments after the program itself and, in a clone, its folder. */
const argumentsOf = (argv: readonly string[]): readonly string[] => argv.slice(app.isPackaged ? 1 : 2)

if (commandLine) {
  void runAsCommandLine(commandLine)
} else if (app.requestSingleInstanceLock()) {
  const engine = createEngineHost()
  const pictures = createPictureHost()
  const opened = createOpened(pathsOf(argumentsOf(process.argv), process.cwd()))
  app.on('second-instance', (_event, argv, workingDirectory) => {
    const [window] = BrowserWindow.getAllWindows()
    if (window?.isMinimized()) window.restore()
    window?.focus()
    opened.add(pathsOf(argumentsOf(argv), workingDirectory))
  })
  app.on('open-file', (event, path) => {
    event.preventDefault()
    opened.add([path])
  })
  app.on('window-all-closed', () => app.quit())
  app.on('will-quit', () => {
    void engine.stop()
    pictures.stop()
  })
  void app.whenReady().then(() => {
    session.defaultSession.setSpellCheckerEnabled(false)
    session.defaultSession.setSpellCheckerLanguages([])
    grantFormerExports()
    handleScheme(pictures)
    const updates = createUpdates((news) => {
      for (const window of BrowserWindow.getAllWindows()) window.webContents.send(CHANNELS.updateNews, news)
    })
    const work = answerWindow(engine, pictures, opened, updates)
    Menu.setApplicationMenu(applicationMenu(updates, () => void copyReport(engine)))
    openWindow(work)
  })
} else {
  app.quit()
}

/** Collects paths that the system asked to open, until the window takes them. */
function createOpened(paths: string[]): Opened {
  let waiting = paths
  return {
    add(more) {
      waiting = more.length > 0 ? more : waiting
      for (const window of BrowserWindow.getAllWindows()) window.webContents.send(CHANNELS.opened)
    },
    take() {
      const taken = waiting
      waiting = []
      grantImages(taken)
      return taken
    }
  }
}
