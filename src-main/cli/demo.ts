/** `npm run demo`: the main job on a generated scene whose truth is known. */
import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import sharp from 'sharp'
import { duration } from '../contract/duration.ts'
import { asSmaltiError } from '../contract/errors.ts'
import { DEFAULT_SETTINGS } from '../contract/settings.ts'
import { startEngineProcess } from '../engine/childProcess.ts'
import { progressPrinter } from './progressLine.ts'
import { SCENE_TILE, writeSceneFile } from './sceneFile.ts'
import { SAMPLE_CLASSES, drawSampleScene } from './sampleScene.ts'

const FOLDER = resolve('demo')
const SCENES = 4
const SIDE = 640
const MINUTES = 1.5

async function drawScenes(): Promise<void> {
  for (const part of ['images', 'truth']) await mkdir(join(FOLDER, part), { recursive: true })
  for (let scene = 1; scene <= SCENES; scene++) {
    const { side, colours, truth } = drawSampleScene(SIDE, scene)
    // Scenes lie side by side on the ground.
    await writeSceneFile(join(FOLDER, 'images', `scene-${scene}.tif`), side, (column, row) => tileOf(colours, side, column, row), (scene * side) / 2)
    await sharp(truth, { raw: { width: side, height: side, channels: 1 } }).toColourspace('b-w').png().toFile(join(FOLDER, 'truth', `scene-${scene}.png`))
  }
}

/** A tile of a picture, black beyond it. */
function tileOf(colours: Uint8Array, side: number, column: number, row: number): Uint8Array {
  const tile = new Uint8Array(SCENE_TILE * SCENE_TILE * 3)
  const [left, top] = [column * SCENE_TILE, row * SCENE_TILE]
  const width = Math.min(SCENE_TILE, side - left)
  for (let y = 0; y < Math.min(SCENE_TILE, side - top); y++) tile.set(colours.subarray(((top + y) * side + left) * 3, ((top + y) * side + left + width) * 3), y * SCENE_TILE * 3)
  return tile
}

const started = performance.now()
const engine = startEngineProcess()
const line = progressPrinter(process.stderr)
const options = { onProgress: line.show }
const project = join(FOLDER, 'project')
try {
  await rm(join(FOLDER, 'images'), { recursive: true, force: true })
  await drawScenes()
  for (const part of [project, join(FOLDER, 'labels'), join(FOLDER, 'polygons')]) await rm(part, { recursive: true, force: true })
  const settings = { ...DEFAULT_SETTINGS, classes: SAMPLE_CLASSES.length, minutes: MINUTES }
  const trained = await engine.call('train', { sources: [join(FOLDER, 'images')], project, settings }, options)
  const segmented = await engine.call('segment', { project }, options)
  const labels = await engine.call('export', { project, format: 'geotiff', out: join(FOLDER, 'labels'), head: 'A' }, options)
  const polygons = await engine.call('export', { project, format: 'geopackage', out: join(FOLDER, 'polygons'), head: 'B', cleanUp: { sieve: { value: 60, unit: 'px' } } }, options)
  const truth = join(FOLDER, 'truth')
  const over = await engine.call('evaluate', { project, truth, head: 'A', mapping: 'many-to-one' }, options)
  const direct = await engine.call('evaluate', { project, truth, head: 'B', mapping: 'hungarian' }, options)
  line.end()
  console.log(`
Smalti found clusters in ${segmented.images} generated aerial scenes, without labels.

  images          ${join(FOLDER, 'images')}
  labels          ${labels.out}     drop a scene and its label GeoTIFF on QGIS: same place, colours and names
  polygons        ${join(polygons.out, 'labels.gpkg')}
  project         ${project}

  time            ${duration((performance.now() - started) / 1e3)}, ${trained.steps} training steps
  backend         ${trained.backend} (${trained.device})

  accuracy against the known truth (largest class ${over.majority.toFixed(2)}):
    ${settings.over} over-clusters, each given to its most frequent class   ${over.accuracy.toFixed(3)}
    ${settings.classes} clusters, each given to a class of its own             ${direct.accuracy.toFixed(3)}
`)
} catch (fault) {
  line.end()
  console.error(asSmaltiError(fault).message)
  process.exitCode = 1
} finally {
  engine.stop()
}
