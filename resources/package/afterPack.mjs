import { chmodSync, copyFileSync, existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FuseV1Options, FuseVersion, flipFuses } from '@electron/fuses'

/** Nothing may turn the program into a Node, look into it, or give it other code. */
const FUSES = {
  [FuseV1Options.RunAsNode]: false,
  [FuseV1Options.EnableCookieEncryption]: true,
  [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
  [FuseV1Options.EnableNodeCliInspectArguments]: false,
  [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: true,
  [FuseV1Options.OnlyLoadAppFromAsar]: true,
  [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
  [FuseV1Options.GrantFileProtocolExtraPrivileges]: false
}

/** What is done to an unpacked program before it is wrapped up: what does not belong goes, fuses are closed. */
export async function afterPack({ appOutDir, electronPlatformName, packager }) {
  const { productFilename } = packager.appInfo
  const executable = join(appOutDir, { linux: packager.executableName, win32: `${productFilename}.exe`, darwin: `${productFilename}.app` }[electronPlatformName])
  const resources = electronPlatformName === 'darwin' ? join(executable, 'Contents', 'Resources') : join(appOutDir, 'resources')
  // Where Electron came in another package, that one's application.
  for (const foreign of ['app', 'default_app.asar', 'app-update.yml']) rmSync(join(resources, foreign), { recursive: true, force: true })
  await flipFuses(executable, { version: FuseVersion.V1, resetAdHocDarwinSignature: electronPlatformName === 'darwin', ...FUSES })
  if (electronPlatformName !== 'linux') return
  // The command line and the window are one program: a script tells which is wanted.
  renameSync(executable, `${executable}-bin`)
  copyFileSync(fileURLToPath(new URL('smalti.sh', import.meta.url)), executable)
  chmodSync(executable, 0o755)
  if (existsSync(join(appOutDir, 'chrome-sandbox'))) chmodSync(join(appOutDir, 'chrome-sandbox'), 0o755)
}
