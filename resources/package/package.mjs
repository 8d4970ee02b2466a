/**
 * Wraps the built program up: `npm run package -- dir deb AppImage rpm tar.gz`, all of these when nothing is named; nsis, zip and dmg on
 * the systems that they are for; `tensorflow`, the runtime that packages with a feed let their users fetch. A target whose tool cannot be had is named in one line, and the rest goes on without it.
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
  throw new Error('SMALTI_FEED and SMALTI_UPDATE_KEY go together: without a key no update can be trusted')

const papers = resolve('dist/papers')
rmSync(papers, { recursive: true, force: true })
mkdirSync(papers, { recursive: true })
const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const parts = components()
copyFileSync('LICENSE', `${papers}/LICENSE`)
writeFileSync(`${papers}/licences.txt`, licencesText(parts))
writeFileSync(`${papers}/sbom.cdx.json`, JSON.stringify(billOfMaterials(version, parts), null, 1))

// A fifth of its size: packages hold PROJ's database so.
mkdirSync('dist/proj', { recursive: true })
writeFileSync('dist/proj/proj.db.gz', gzipSync(readFileSync('node_modules/proj-wasm/dist/proj.db'), { level: 9 }))

const possible = []
for (const target of targets) {
  const lack = target === RUNTIME ? lackOfRuntime() : await toolFor(target)
  if (lack) console.log(`${target}: not made, ${lack}`)
  else possible.push(target)
}
// First: the packages pin it.
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
// Who names a target counts on it; who names none takes what can be had.
if (possible.length < targets.length && asked.length > 0) process.exitCode = 1
