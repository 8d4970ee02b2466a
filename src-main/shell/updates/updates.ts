import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { app } from 'electron'
import type { AppUpdater } from 'electron-updater'
import { z } from 'zod'
import { SmaltiError } from '../../contract/errors.ts'
import type { UpdateNews } from '../../contract/window/window.ts'
import { keep, kept } from '../memory/kept.ts'
import { SIGNATURE_ENDING, checkFeed, checkSignature } from './signedFeed.ts'

/** Where a release looks for later ones, and the public key that signs them; other builds have neither. */
const release = z.object({
  smaltiUpdates: z.object({ feed: z.string(), key: z.string(), firstLook: z.number().optional() })
})
const settings = z.object({ updates: z.boolean() })
/** Milliseconds after the start, and between checks. */
const [FIRST, EVERY] = [20_000, 24 * 3600_000]

/** Checks for updates, and downloads and installs them on request. */
export interface Updates {
  /** Checks now, and also reports when there is no update. */
  look(): Promise<void>
  download(): Promise<void>
  /** Quits the program and starts the new one. */
  install(): void
  /** Whether to check automatically. */
  automatic: boolean
}

const SETTINGS = 'settings.json'

/** Checks for releases with a signed description, reports them, and downloads them on request. */
export function createUpdates(tell: (news: UpdateNews) => void): Updates {
  const found = release.safeParse(JSON.parse(readFileSync(join(app.getAppPath(), 'package.json'), 'utf8')))
  let updater: Promise<AppUpdater> | undefined
  let automatic = kept(SETTINGS, settings)?.updates ?? true

  async function started(): Promise<AppUpdater> {
    if (!found.success) throw new SmaltiError('UpdateFailed', { reason: "this build doesn't have an update address" })
    const { feed, key } = found.data.smaltiUpdates
    const url = checkFeed(feed).href
    const [{ default: electronUpdater }, { default: generic }] = await Promise.all([
      import('electron-updater'),
      import('electron-updater/out/providers/GenericProvider.js')
    ])
    /** The generic feed, trusted only after its signature is checked. */
    class SignedFeed extends generic.GenericProvider {
      protected override async httpRequest(address: URL, ...more: unknown[]): Promise<string | null> {
        const ask = (of: URL): Promise<string | null> =>
          (super.httpRequest as (of: URL, ...rest: unknown[]) => Promise<string | null>)(of, ...more)
        const text = (await ask(address)) ?? ''
        const signature = new URL(address)
        signature.pathname += SIGNATURE_ENDING
        checkSignature(text, (await ask(signature).catch(() => null)) ?? '', key)
        return text
      }
    }
    const { autoUpdater } = electronUpdater
    Object.assign(autoUpdater, {
      autoDownload: false,
      autoInstallOnAppQuit: false,
      allowDowngrade: false,
      disableWebInstaller: true,
      logger: null
    })
    autoUpdater.setFeedURL({ provider: 'custom', url, updateProvider: SignedFeed as never })
    autoUpdater.on('download-progress', ({ percent }) => tell({ state: 'downloading', share: percent / 100 }))
    // The caller reports errors.
    autoUpdater.on('error', () => undefined)
    return autoUpdater
  }
  const ready = (): Promise<AppUpdater> =>
    (updater ??= started().catch((fault: unknown) => ((updater = undefined), Promise.reject(fault as Error))))
  const named = (fault: unknown): UpdateNews => {
    const { message } =
      fault instanceof SmaltiError
        ? fault
        : new SmaltiError('UpdateFailed', { reason: (fault as Error).message.split('\n')[0] })
    return { state: 'failed', reason: message }
  }

  async function look(asked: boolean): Promise<void> {
    try {
      const result = await (await ready()).checkForUpdates()
      if (result?.isUpdateAvailable)
        tell({ state: 'found', version: result.updateInfo.version, notes: notesOf(result.updateInfo.releaseNotes) })
      else if (asked) tell({ state: 'none', version: app.getVersion() })
    } catch (fault) {
      // A missing network matters only to users who asked. An untrustworthy feed matters to everybody.
      if (asked || (fault instanceof SmaltiError && fault.name === 'UpdateNotTrusted')) tell(named(fault))
    }
  }
  if (found.success) {
    const byItself = (): void => void (automatic && look(false))
    setTimeout(byItself, found.data.smaltiUpdates.firstLook ?? FIRST)
    setInterval(byItself, EVERY)
  }
  return {
    look: () => look(true),
    async download() {
      try {
        await (await ready()).downloadUpdate()
        tell({ state: 'ready' })
      } catch (fault) {
        tell(named(fault))
      }
    },
    install: () => void ready().then((known) => known.quitAndInstall()),
    get automatic() {
      return automatic
    },
    set automatic(wanted) {
      automatic = wanted
      keep(SETTINGS, { updates: wanted })
    }
  }
}

const notesOf = (notes: string | { note: string | null }[] | null | undefined): string =>
  (typeof notes === 'string' ? notes : (notes ?? []).map(({ note }) => note ?? '').join('\n'))
    .replace(/<[^>]*>/g, '')
    .trim()
