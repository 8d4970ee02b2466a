import { isAbsolute } from 'node:path'
import { BrowserWindow, type IpcMainInvokeEvent, dialog } from 'electron'
import { z } from 'zod'
import { COMMANDS, type CommandName, parsedInput } from '../contract/commands.ts'
import type { EngineClient } from '../contract/engine/client.ts'
import { SmaltiError, asSmaltiError } from '../contract/errors.ts'
import { CHANNELS, type Outcome } from '../contract/window/window.ts'
import { checkPaths, grant, grantImages, mayName, pathsIn, rememberExport } from './grants.ts'
import { callNumber, handle, listen } from './ipcChannel.ts'
import { noteFault } from './report.ts'

const commandName = z.enum(Object.keys(COMMANDS) as [CommandName, ...CommandName[]])

/** Commands of the window that are still running. */
export interface Work {
  /** Returns a sentence on what quitting now would interrupt; undefined if nothing. */
  busyWith(): string | undefined
  /** Cancels the commands; resolves when everything that can be saved is saved. */
  stop(): Promise<void>
}

/** Commands that take long, each with the sentence shown before quitting. */
const LONG: Partial<Record<CommandName, string>> = {
  train: 'Training is in progress. What it has learnt so far is saved, and you can continue it later.',
  segment: 'Images are being segmented. Finished images are saved.',
  export: 'An export is in progress. It would be incomplete.',
  group: 'Images are being grouped. Grouping would have to start again.'
}

/** Commands whose output contains files and folders that the window may name from then on. */
const NAMING: ReadonlySet<CommandName> = new Set(['openProject', 'sample', 'area', 'groups', 'relocate'])

/**
 * Passes the window's commands to the engine. Every argument is checked, and every path must be one that the window may
 * name.
 */
export function answerCommands(engine: Pick<EngineClient, 'call'>): Work {
  const running = new Map<string, { name: CommandName; controller: AbortController; ended: Promise<unknown> }>()
  const key = (sender: number, call: number): string => `${sender}:${call}`

  handle(CHANNELS.run, async (event, ...args): Promise<Outcome<CommandName>> => {
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
  listen(CHANNELS.cancel, (event, call) => {
    running.get(key(event.sender.id, callNumber.parse(call)))?.controller.abort()
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

/**
 * Asks the user, outside the page, about an export folder that was typed: a compromised page could have typed it too. A
 * plan writes nothing and needs no question.
 */
async function letExport(event: IpcMainInvokeEvent, { out, plan }: { out?: string; plan?: boolean }): Promise<void> {
  if (out !== undefined && !isAbsolute(out))
    throw new SmaltiError('InvalidSetting', { setting: 'Export folder', reason: 'enter a full path' })
  if (plan || out === undefined || mayName(out)) return
  const owner = BrowserWindow.fromWebContents(event.sender)
  const question = {
    type: 'question' as const,
    message: 'Export to this folder?',
    detail: out,
    buttons: ['Export', 'Cancel'],
    defaultId: 0,
    cancelId: 1
  }
  const { response } = await (owner ? dialog.showMessageBox(owner, question) : dialog.showMessageBox(question))
  if (response !== 0) throw new SmaltiError('Cancelled')
  grant(out)
}
