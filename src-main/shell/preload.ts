import { contextBridge, ipcRenderer, webUtils } from 'electron'
import { CHANNELS, type WindowApi } from '../contract/window/window.ts'

/** The bridge between the window and the main process: the only calls that the window can make. */
const api: WindowApi = {
  run: (call, name, input) => ipcRenderer.invoke(CHANNELS.run, call, name, input),
  cancel: (call) => ipcRenderer.send(CHANNELS.cancel, call),
  onProgress: (listener) => {
    ipcRenderer.on(CHANNELS.progress, (_event, call: number, progress: Parameters<typeof listener>[1]) =>
      listener(call, progress)
    )
  },
  onAction: (listener) => {
    ipcRenderer.on(CHANNELS.action, (_event, name: Parameters<typeof listener>[0]) => listener(name))
  },
  abandonPictures: (view) => ipcRenderer.send(CHANNELS.abandonPictures, view),
  chooseFolder: (title) => ipcRenderer.invoke(CHANNELS.chooseFolder, title),
  chooseImages: () => ipcRenderer.invoke(CHANNELS.chooseImages),
  chooseFile: (title, endings) => ipcRenderer.invoke(CHANNELS.chooseFile, title, endings),
  sampleFolder: () => ipcRenderer.invoke(CHANNELS.sampleFolder),
  projectFolderFor: (images, remembered) => ipcRenderer.invoke(CHANNELS.projectFolderFor, images, remembered),
  rememberProject: (images, project, cover) => ipcRenderer.invoke(CHANNELS.rememberProject, images, project, cover),
  recentImages: () => ipcRenderer.invoke(CHANNELS.recentImages),
  binRun: (project, run) => ipcRenderer.invoke(CHANNELS.binRun, project, run),
  showFolder: (path) => ipcRenderer.invoke(CHANNELS.showFolder, path),
  pathOf: (file) => {
    const path = webUtils.getPathForFile(file)
    if (path !== '') ipcRenderer.sendSync(CHANNELS.dropped, path)
    return path
  },
  takeOpened: () => ipcRenderer.invoke(CHANNELS.takeOpened),
  onUpdate: (listener) => {
    ipcRenderer.on(CHANNELS.updateNews, (_event, news: Parameters<typeof listener>[0]) => listener(news))
  },
  update: (wish) => ipcRenderer.invoke(CHANNELS.updateWish, wish),
  onOpened: (listener) => {
    ipcRenderer.on(CHANNELS.opened, () => listener())
  }
}

contextBridge.exposeInMainWorld('smalti', api)
