import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { FuseV1Options, FuseVersion, flipFuses } from '@electron/fuses'

/** Fuses that keep anyone from running the program as Node, debugging it, or loading other code into it. */
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

/** Chromium's licences are long, so they are compressed and moved to the other licences. */
function shortenLicences(appOutDir, resources) {
  const long = join(appOutDir, 'LICENSES.chromium.html')
  if (!existsSync(long)) return
  mkdirSync(join(resources, 'papers'), { recursive: true })
  writeFileSync(join(resources, 'papers', 'LICENSES.chromium.html.gz'), gzipSync(readFileSync(long), { level: 9 }))
  rmSync(long)
}

/** Prepares an unpacked program for packaging: removes foreign files and sets the fuses. */
export async function afterPack({ appOutDir, electronPlatformName, packager }, updates) {
  const { productFilename } = packager.appInfo
  const executable = join(
    appOutDir,
    { linux: packager.executableName, win32: `${productFilename}.exe`, darwin: `${productFilename}.app` }[
      electronPlatformName
    ]
  )
  const resources =
    electronPlatformName === 'darwin' ? join(executable, 'Contents', 'Resources') : join(appOutDir, 'resources')
  // Left over where Electron came from another package: that package's application.
  for (const foreign of ['app', 'default_app.asar', 'app-update.yml'])
    rmSync(join(resources, foreign), { recursive: true, force: true })
  // Downloads are kept in a folder of this name.
  if (updates)
    writeFileSync(
      join(resources, 'app-update.yml'),
      'provider: generic\nurl: ' + JSON.stringify(updates.feed) + '\nupdaterCacheDirName: smalti-updater\n'
    )
  shortenLicences(appOutDir, resources)
  await flipFuses(executable, {
    version: FuseVersion.V1,
    resetAdHocDarwinSignature: electronPlatformName === 'darwin',
    ...FUSES
  })
  if (electronPlatformName !== 'linux') return
  // The command line and the window are one program; a script decides which one to start.
  renameSync(executable, `${executable}-bin`)
  copyFileSync(fileURLToPath(new URL('smalti.sh', import.meta.url)), executable)
  chmodSync(executable, 0o755)
  for (const name of readdirSync(appOutDir)) if (/\.so(\.\d+)*$/.test(name)) chmodSync(join(appOutDir, name), 0o644)
  if (existsSync(join(appOutDir, 'chrome-sandbox'))) chmodSync(join(appOutDir, 'chrome-sandbox'), 0o755)
}
