/** `npm run demo`: the main job on a generated scene whose truth is known. */
import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import sharp from 'sharp'
import { duration } from '../contract/duration.ts'
import { asSmaltiError } from '../contract/errors.ts'
import { DEFAULT_SETTINGS } from '../contract/settings.ts'
import { startEngineProcess } from '../engine/childProcess.ts'
import { progressPrinter } from './progressLine.ts'
import { SAMPLE_CLASSES, drawSampleScene } from './sampleScene.ts'

const FOLDER = resolve('demo')
const SCENES = 4
const SIDE = 640
const MINUTES = 1.5

async function drawScenes(): Promise<void> {
  for (const part of ['images', 'truth']) await mkdir(join(FOLDER, part), { recursive: true })
  for (let scene = 1; scene <= SCENES; scene++) {
    const { side, colours, truth } = drawSampleScene(SIDE, scene)
    const raw = { width: side, height: side }
    await sharp(colours, { raw: { ...raw, channels: 3 } }).png().toFile(join(FOLDER, 'images', `scene-${scene}.png`))
    await sharp(truth, { raw: { ...raw, channels: 1 } }).toColourspace('b-w').png().toFile(join(FOLDER, 'truth', `scene-${scene}.png`))
  }
}

const started = performance.now()
const engine = startEngineProcess()
const line = progressPrinter(process.stderr)
const options = { onProgress: line.show }
const project = join(FOLDER, 'project')
try {
  await drawScenes()
  await rm(project, { recursive: true, force: true })
  const settings = { ...DEFAULT_SETTINGS, classes: SAMPLE_CLASSES.length, minutes: MINUTES }
  const trained = await engine.call('train', { sources: [join(FOLDER, 'images')], project, settings }, options)
  const segmented = await engine.call('segment', { project }, options)
  const exported = await engine.call('export', { project, format: 'png', out: join(FOLDER, 'masks'), head: 'A' }, options)
  const truth = join(FOLDER, 'truth')
  const over = await engine.call('evaluate', { project, truth, head: 'A', mapping: 'many-to-one' }, options)
  const direct = await engine.call('evaluate', { project, truth, head: 'B', mapping: 'hungarian' }, options)
  line.end()
  console.log(`
Smalti found clusters in ${segmented.images} generated aerial scenes, without labels.

  images          ${join(FOLDER, 'images')}
  label masks     ${exported.out}
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
