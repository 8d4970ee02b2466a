import { percent } from './common.ts'

/** Notices, including those about updates. */
export const notices = {
  available: (version: string) => `Smalti ${version} is available.`,
  whatsNew: "What's new",
  download: 'Download',
  never: "Don't check for updates",
  neverHint: 'You can turn update checks on again in the Help menu',
  downloading: (version: string, share: number) => `Downloading Smalti ${version}… ${percent(share)}`,
  ready: (version: string) => `Smalti ${version} is ready to install.`,
  install: 'Restart and install',
  upToDate: 'Smalti is up to date.',
  dismiss: 'Dismiss',
  showFolder: 'Show folder'
}
