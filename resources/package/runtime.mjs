import { createHash } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { build } from 'vite'
import { componentsOf, licencesText } from './shipped.mjs'

/** Name of the target. */
export const RUNTIME = 'tensorflow'
const TFJS = 'node_modules/@tensorflow/tfjs-node-gpu'
/** Lists the runtimes that packages made afterwards pin. */
const LIST = resolve('dist/runtimes.json')
const STUB = '\0binding'
const BUNDLED = [
  'tfjs-node-gpu',
  'tfjs',
  'tfjs-core',
  'tfjs-layers',
  'tfjs-converter',
  'tfjs-data',
  'tfjs-backend-cpu',
  'tfjs-backend-webgl'
]
  .map((name) => `@tensorflow/${name}`)
  .concat('google-protobuf', 'long', 'seedrandom', 'progress')

/** Returns why the TensorFlow runtime can't be made here; undefined if it can. */
export const lackOfRuntime = () =>
  process.platform === 'linux' && existsSync(`${TFJS}/deps/lib/libtensorflow_cc.so.2`)
    ? undefined
    : 'setup did not install TensorFlow'

/**
 * Writes TensorFlow and its binding to `dist`, one compressed file each, and adds them to the list that packages pin.
 */
export async function makeRuntime() {
  for (const name of existsSync('dist') ? readdirSync('dist') : [])
    if (/^smalti-tensorflow-[0-9a-f]+\.gz$/.test(name)) rmSync(join('dist', name))
  const work = resolve('dist/tensorflow')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  await build({
    configFile: false,
    logLevel: 'error',
    plugins: [
      {
        name: 'the binding is next to the bundle',
        enforce: 'pre',
        resolveId: (id) => (id === '@mapbox/node-pre-gyp' ? STUB : undefined),
        load: (id) =>
          id === STUB
            ? `const { join } = require('node:path'); exports.find = () => join(__dirname, 'lib', 'napi-v8', 'tfjs_binding.node')`
            : undefined
      }
    ],
    // Resolves modules as Node does, because the binding's classes are older than those of the other builds.
    resolve: { mainFields: ['main'], conditions: ['node', 'require'] },
    ssr: { noExternal: true, target: 'node', resolve: { mainFields: ['main'], conditions: ['node', 'require'] } },
    build: {
      ssr: resolve(TFJS, 'dist/index.js'),
      outDir: work,
      target: 'node20',
      minify: true,
      rollupOptions: { output: { format: 'cjs', entryFileNames: 'tensorflow.cjs' } }
    }
  })
  const version = /tensorflow-(?:cpu|gpu)-([\d.]+)/.exec(realpathSync(`${TFJS}/deps`))?.[1] ?? 'unknown'
  const apache = readFileSync('node_modules/long/LICENSE', 'utf8').trim()
  writeFileSync(
    join(work, 'licences.txt'),
    licencesText([{ name: 'TensorFlow', version, licence: 'Apache-2.0', text: apache }, ...componentsOf(BUNDLED)])
  )
  const libraries = readdirSync(`${TFJS}/deps/lib`)
    .filter((name) => /\.so\.\d+$/.test(name))
    .map((name) => [`deps/lib/${name}`, realpathSync(`${TFJS}/deps/lib/${name}`)])
  const parts = [
    ...['tensorflow.cjs', 'licences.txt'].map((name) => [name, join(work, name)]),
    ['lib/napi-v8/tfjs_binding.node', `${TFJS}/lib/napi-v8/tfjs_binding.node`],
    ...libraries
  ]
  const files = []
  for (const [path, source] of parts) {
    const hash = createHash('sha256')
    for await (const part of createReadStream(source)) hash.update(part)
    const sha256 = hash.digest('hex')
    const file = `smalti-tensorflow-${sha256.slice(0, 16)}.gz`
    const packed = resolve('dist', file)
    await pipeline(createReadStream(source), createGzip(), createWriteStream(packed))
    files.push({ path, file, sha256, bytes: statSync(source).size, packed: statSync(packed).size })
  }
  rmSync(work, { recursive: true })
  writeFileSync(LIST, JSON.stringify([{ name: 'tensorflow', version, entry: 'tensorflow.cjs', files }], null, 1))
  return files.map(({ file }) => resolve('dist', file))
}

/** Returns the runtimes that packages pin: the URL, size and hash of each file. */
export function pinnedRuntimes(feed) {
  if (!existsSync(LIST)) return []
  const at = (file) => new URL(file, feed.endsWith('/') ? feed : `${feed}/`).href
  return JSON.parse(readFileSync(LIST, 'utf8')).map(({ files, ...runtime }) => ({
    ...runtime,
    files: files.map(({ file, ...rest }) => ({ ...rest, from: at(file) }))
  }))
}
