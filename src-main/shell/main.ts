import { fileURLToPath } from 'node:url'
import { BrowserWindow, Menu, app, nativeTheme } from 'electron'
import { createEngineHost } from './engine.ts'
import { answerWindow } from './ipc.ts'
import { applicationMenu } from './menu.ts'
import { createPictureHost } from './pictures.ts'
import { SCHEME, declareScheme, handleScheme } from './protocol.ts'
import { rememberBounds } from './windowState.ts'

declareScheme()

function openWindow(): void {
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
  window.once('ready-to-show', () => window.show())
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }))
  window.webContents.on('will-navigate', (event) => event.preventDefault())
  void window.loadURL(`${SCHEME}://app/index.html`)
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
    answerWindow(engine, pictures)
    Menu.setApplicationMenu(applicationMenu())
    openWindow()
  })
} else {
  app.quit()
}
