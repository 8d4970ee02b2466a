import { fileURLToPath } from 'node:url'
import { BrowserWindow, Menu, app, dialog, nativeTheme } from 'electron'
import { createEngineHost } from './engine.ts'
import { type Work, answerWindow } from './ipc.ts'
import { applicationMenu } from './menu.ts'
import { createPictureHost } from './pictures.ts'
import { SCHEME, declareScheme, handleScheme } from './protocol.ts'
import { rememberBounds } from './windowState.ts'

declareScheme()

/** How long what is broken off may take to be kept, in milliseconds. */
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
      nodeIntegration: false
    }
  })
  state.follow(window)
  askBeforeClosing(window, work)
  window.once('ready-to-show', () => window.show())
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }))
  window.webContents.on('will-navigate', (event) => event.preventDefault())
  void window.loadURL(`${SCHEME}://app/index.html`)
}

/** A window whose work is not done asks before it closes, and lets what can be kept be kept. */
function askBeforeClosing(window: BrowserWindow, work: Work): void {
  let asked = false
  window.on('close', (event) => {
    const reason = asked ? undefined : work.busyWith()
    if (reason === undefined) return
    event.preventDefault()
    void dialog.showMessageBox(window, { type: 'question', message: 'Quit now?', detail: reason, buttons: ['Stop and quit', 'Keep working'], defaultId: 1, cancelId: 1 }).then(async ({ response }) => {
      if (response !== 0) return
      asked = true
      await Promise.race([work.stop(), new Promise((resolve) => setTimeout(resolve, PATIENCE))])
      window.destroy()
    })
  })
}

if (app.requestSingleInstanceLock()) {
  const engine = createEngineHost()
  const pictures = createPictureHost()
  app.on('second-instance', () => {
    const [window] = BrowserWindow.getAllWindows()
    if (window?.isMinimized()) window.restore()
    window?.focus()
  })
  app.on('window-all-closed', () => app.quit())
  app.on('will-quit', () => {
    engine.stop()
    pictures.stop()
  })
  void app.whenReady().then(() => {
    handleScheme(pictures)
    const work = answerWindow(engine, pictures)
    Menu.setApplicationMenu(applicationMenu())
    openWindow(work)
  })
} else {
  app.quit()
}
