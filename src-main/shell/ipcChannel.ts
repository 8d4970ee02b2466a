import { type IpcMainEvent, type IpcMainInvokeEvent, ipcMain } from 'electron'
import { z } from 'zod'
import { SCHEME } from './protocol.ts'

/** Schemas of arguments that several channels take. */
export const text = z.string().min(1).max(4096)
export const callNumber = z.int().positive()

/** Rejects messages that don't come from the program's own page. */
function fromOwnPage(event: IpcMainEvent | IpcMainInvokeEvent): void {
  if (!event.senderFrame?.url.startsWith(`${SCHEME}://app/`)) throw new Error('a message came from a foreign page')
}

/** Answers a request of the program's own page. The arguments are unchecked. */
export function handle(channel: string, answer: (event: IpcMainInvokeEvent, ...args: unknown[]) => unknown): void {
  ipcMain.handle(channel, (event, ...args: unknown[]) => {
    fromOwnPage(event)
    return answer(event, ...args)
  })
}

/** Receives a message of the program's own page that expects no answer. The arguments are unchecked. */
export function listen(channel: string, receive: (event: IpcMainEvent, ...args: unknown[]) => void): void {
  ipcMain.on(channel, (event, ...args: unknown[]) => {
    fromOwnPage(event)
    receive(event, ...args)
  })
}
