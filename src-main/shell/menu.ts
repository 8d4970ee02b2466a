import { BrowserWindow, Menu, type MenuItemConstructorOptions } from 'electron'
import { ACTIONS, ACTION_NAMES, type ActionName, type MENUS, keysOf } from '../contract/window/actions.ts'
import type { Updates } from './updates/updates.ts'
import { CHANNELS } from '../contract/window/window.ts'

/** The page handles these keys itself; the menu only shows them. */
const SYMBOLS: Record<string, string> = { '←': 'Left', '→': 'Right', '−': '-', '+': 'Plus' }
const accelerator = (keys: string): string => SYMBOLS[keys] ?? keys.replace('Ctrl', 'CmdOrCtrl')

function item(name: ActionName): MenuItemConstructorOptions {
  const keys = keysOf(name)
  return {
    id: name,
    label: ACTIONS[name].label,
    ...(keys !== undefined && keys !== '?' && { accelerator: accelerator(keys), registerAccelerator: false }),
    click: (_item, window) => {
      if (window instanceof BrowserWindow) window.webContents.send(CHANNELS.action, name)
    }
  }
}
const of = (menu: (typeof MENUS)[number]): MenuItemConstructorOptions[] =>
  ACTION_NAMES.filter((name) => ACTIONS[name].menu === menu).map(item)

/** Builds the application menu from the window's actions and the platform's standard entries. */
export function applicationMenu(updates: Updates, onCopyReport: () => void): Menu {
  const separator = { type: 'separator' as const }
  return Menu.buildFromTemplate([
    ...(process.platform === 'darwin' ? [{ role: 'appMenu' as const }] : []),
    { label: 'File', submenu: [...of('File'), separator, { role: process.platform === 'darwin' ? 'close' : 'quit' }] },
    { role: 'editMenu' },
    { label: 'Model', submenu: of('Model') },
    { label: 'Classes', submenu: of('Classes') },
    { label: 'View', submenu: [...of('View'), separator, { role: 'togglefullscreen' }, { role: 'toggleDevTools' }] },
    { role: 'windowMenu' },
    {
      label: 'Help',
      submenu: [
        ...of('Help'),
        separator,
        {
          label: 'Copy diagnostics',
          toolTip: 'Copies versions, backends and error names. Contains no paths, and nothing is sent.',
          click: onCopyReport
        },
        separator,
        { label: 'Check for updates…', click: () => void updates.look() },
        {
          label: 'Check automatically',
          type: 'checkbox',
          checked: updates.automatic,
          click: ({ checked }) => void (updates.automatic = checked)
        }
      ]
    }
  ])
}
