/**
 * Draws `docs/methods.png`: a generated scene, its true classes, and the result of each method, with clusters in the
 * colour of their most frequent true class.
 *
 *   node tests/bench/methodPictures.mjs FOLDER
 *
 * FOLDER/<method>/scene-N.png are clusters exported from training on demo/images.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'

const [folder] = process.argv.slice(2)
const SCENE = 'scene-2'
const METHODS = [
  'kmeans-bands',
  'sift',
  'kmeans-patches',
  'random-cnn-kmeans',
  'context',
  'co-occurrence',
  'exemplar',
  'deep-infomax',
  'adaptive',
  'embedded',
  'information'
]
const COLOURS = [
  [0x4a, 0x7d, 0x3a],
  [0xd9, 0xc8, 0x7a],
  [0x3d, 0x6e, 0xa5],
  [0xb0, 0x4a, 0x3a],
  [0x88, 0x88, 0x88],
  [0x87, 0x56, 0x92]
]
const [TILE, GAP, CAPTION, COLUMNS] = [212, 12, 24, 5]

const grey = async (path) => (await sharp(path).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true })).data
const truths = Object.fromEntries(
  await Promise.all(readdirSync('demo/truth').map(async (name) => [name, await grey(join('demo/truth', name))]))
)
const { width, height } = await sharp(`demo/truth/${SCENE}.png`).metadata()

const coloured = (classes) => {
  const pixels = Buffer.alloc(width * height * 3)
  classes.forEach((value, i) => pixels.set(COLOURS[value] ?? [0, 0, 0], 3 * i))
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize(TILE, TILE, { kernel: 'nearest' })
    .png()
    .toBuffer()
}

async function labelled(method) {
  const counts = new Map()
  const names = Object.keys(truths)
  const labels = await Promise.all(names.map((name) => grey(join(folder, method, name))))
  let [right, all] = [0, 0]
  names.forEach((name, k) =>
    labels[k].forEach((cluster, i) => {
      const of = counts.get(cluster) ?? counts.set(cluster, new Array(COLOURS.length).fill(0)).get(cluster)
      of[truths[name][i]]++
    })
  )
  const classOf = new Map([...counts].map(([cluster, of]) => [cluster, of.indexOf(Math.max(...of))]))
  for (const of of counts.values()) [right, all] = [right + Math.max(...of), all + of.reduce((a, b) => a + b)]
  return {
    picture: await coloured([...labels[names.indexOf(`${SCENE}.png`)]].map((cluster) => classOf.get(cluster))),
    share: right / all
  }
}

const tiles = [
  {
    title: 'the scene',
    picture: await sharp(`demo/images/${SCENE}.tif`).removeAlpha().resize(TILE, TILE).png().toBuffer()
  },
  { title: 'its truth', picture: await coloured([...truths[`${SCENE}.png`]]) }
]
for (const method of METHODS.filter((name) => existsSync(join(folder, name)))) {
  const { picture, share } = await labelled(method)
  tiles.push({ title: `${method} ${(100 * share).toFixed(0)} %`, picture })
}
const rows = Math.ceil(tiles.length / COLUMNS)
const sheet = { width: COLUMNS * (TILE + GAP) + GAP, height: rows * (TILE + CAPTION + GAP) + GAP }
const at = (i) => ({
  left: GAP + (i % COLUMNS) * (TILE + GAP),
  top: GAP + Math.floor(i / COLUMNS) * (TILE + CAPTION + GAP)
})
const captions = `<svg xmlns="http://www.w3.org/2000/svg" width="${sheet.width}" height="${sheet.height}" font-family="sans-serif" font-size="13" fill="#22242a">${tiles.map(({ title }, i) => `<text x="${at(i).left}" y="${at(i).top + TILE + 17}">${title}</text>`).join('')}</svg>`
await sharp({ create: { ...sheet, channels: 3, background: '#ffffff' } })
  .composite([
    ...tiles.map(({ picture }, i) => ({ input: picture, ...at(i) })),
    { input: Buffer.from(captions), left: 0, top: 0 }
  ])
  .png({ palette: true, colours: 128, compressionLevel: 9 })
  .toFile('docs/methods.png')
