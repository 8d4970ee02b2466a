import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

/** Packages that are bundled into the program's own files, or never loaded. */
const NOT_SHIPPED = new Set([
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-node-gpu',
  'konva',
  'ol',
  'adm-zip',
  'global-agent',
  'ffi-wasm',
  'resource-tracker',
  'squint-cljs',
  'worker-router',
  'xhr2'
])

/**
 * Returns the folders of the packages that the program loads when it runs, by name. Nested packages are part of their
 * parent.
 */
export function shippedPackages() {
  const found = new Map()
  const visit = (name, from) => {
    if (NOT_SHIPPED.has(name) || found.has(name)) return
    const folder = [join(from, 'node_modules', name), join('node_modules', name)].find(existsSync)
    // An optional package for another platform.
    if (!folder) return
    found.set(name, folder)
    const { dependencies, optionalDependencies } = manifestOf(folder)
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(next, folder)
  }
  for (const name of Object.keys(manifestOf('.').dependencies)) visit(name, '.')
  return found
}

/** Bundled packages are part of the program, too. */
const BUNDLED = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu', 'konva', 'svelte', 'seedrandom', 'long']

/** Third-party works inside packages. */
const WITHIN = [
  {
    name: 'PROJ',
    version: '9.8.1',
    licence: 'MIT',
    text: readFileSync(new URL('licences/proj.txt', import.meta.url), 'utf8').trim()
  },
  {
    name: 'EPSG Geodetic Parameter Dataset',
    version: '12.029',
    licence: 'see text',
    text: 'The EPSG Dataset is owned by the International Association of Oil & Gas Producers (IOGP) and used under its terms: https://epsg.org/terms-of-use.html. PROJ contains its data in a different form.'
  }
]

/** Returns names, versions and licence texts of everything in a package. */
export function components() {
  return [
    ...manifestsOf([
      ...shippedPackages().values(),
      ...BUNDLED.map((name) => join('node_modules', name)),
      'node_modules/electron'
    ]),
    ...WITHIN
  ]
}

/** Returns the same for some packages, by name. */
export const componentsOf = (names) => manifestsOf(names.map((name) => join('node_modules', name)))

function manifestsOf(folders) {
  return folders
    .filter(existsSync)
    .map((folder) => {
      const { name, version, license, licenses } = manifestOf(folder)
      const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry))
      return {
        name,
        version,
        licence: license ?? licenses?.[0]?.type ?? 'see text',
        text: file ? readFileSync(join(folder, file), 'utf8').trim() : undefined
      }
    })
    .sort((a, b) => a.name.localeCompare(b.name))
}

/** Returns a software bill of materials, CycloneDX 1.5. */
export function billOfMaterials(version, parts) {
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { type: 'application', name: 'smalti', version } },
    components: parts.map(({ name, version: own, licence }) => ({
      type: 'library',
      name,
      version: own,
      purl: `pkg:npm/${name.replace('@', '%40')}@${own}`,
      licenses: [/^[\w.+-]+$/.test(licence) ? { license: { id: licence } } : { expression: licence }]
    }))
  }
}

/** Joins licences into one text, under the name of each part. */
export const licencesText = (parts) =>
  parts
    .map(
      ({ name, version, licence, text }) =>
        `${'='.repeat(80)}\n${name} ${version}: ${licence}\n${'='.repeat(80)}\n\n${text ?? `Licensed under ${licence}.`}\n`
    )
    .join('\n')
