/**
 * Packages the built program: `npm run package -- dir deb AppImage rpm tar.gz`.
 * Without arguments it makes all targets of the current system (nsis and zip on Windows, dmg and zip on macOS). The
 * target `tensorflow` makes the runtime that users of packages with an update feed can download. A target whose tool is
 * missing is reported in one line and skipped.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync, copyFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { configuration } from './builder.mjs'
import { RUNTIME, lackOfRuntime, makeRuntime } from './runtime.mjs'
import { billOfMaterials, components, licencesText } from './shipped.mjs'
import { toolFor } from './tools.mjs'

process.chdir(fileURLToPath(new URL('../..', import.meta.url)))
const { build, Platform } = createRequire(import.meta.url)('electron-builder')
const USUAL = { linux: ['dir', 'deb', 'AppImage', 'rpm', 'tar.gz'], win32: ['nsis', 'zip'], darwin: ['dmg', 'zip'] }

const asked = process.argv.slice(2)
const targets = asked.length > 0 ? asked : USUAL[process.platform]
const { SMALTI_FEED: feed, SMALTI_UPDATE_KEY: key, SMALTI_FIRST_LOOK: firstLook } = process.env
if (Boolean(feed) !== Boolean(key))
  throw new Error('Set SMALTI_FEED and SMALTI_UPDATE_KEY together. Without a key, no update can be trusted.')

const papers = resolve('dist/papers')
rmSync(papers, { recursive: true, force: true })
mkdirSync(papers, { recursive: true })
const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const parts = components()
copyFileSync('LICENSE', `${papers}/LICENSE`)
writeFileSync(`${papers}/licences.txt`, licencesText(parts))
writeFileSync(`${papers}/sbom.cdx.json`, JSON.stringify(billOfMaterials(version, parts), null, 1))

// Compressed, PROJ's database is a fifth of its size.
mkdirSync('dist/proj', { recursive: true })
writeFileSync('dist/proj/proj.db.gz', gzipSync(readFileSync('node_modules/proj-wasm/dist/proj.db'), { level: 9 }))

const possible = []
for (const target of targets) {
  const lack = target === RUNTIME ? lackOfRuntime() : await toolFor(target)
  if (lack) console.log(`${target}: skipped (${lack})`)
  else possible.push(target)
}
// Made first, because the packages pin it.
if (possible.includes(RUNTIME)) for (const file of await makeRuntime()) console.log(file)
const packages = possible.filter((target) => target !== RUNTIME)
if (packages.length > 0) {
  const made = await build({
    targets: Platform.current().createTarget(packages),
    config: configuration(feed && { feed, key, ...(firstLook && { firstLook: Number(firstLook) }) }),
    publish: 'never'
  })
  for (const file of made) console.log(file)
  if (possible.includes('dir'))
    console.log(resolve('dist', { linux: 'linux-unpacked', win32: 'win-unpacked', darwin: 'mac' }[process.platform]))
}
// A target that was named must be made; by default a missing tool is acceptable.
if (possible.length < targets.length && asked.length > 0) process.exitCode = 1
