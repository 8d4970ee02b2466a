/** `npm run demo`: trains on a generated scene, segments it and scores the result against its known truth. */
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { duration } from '../contract/words/duration.ts'
import { asSmaltiError } from '../contract/errors.ts'
import { DEFAULT_SETTINGS } from '../contract/settings.ts'
import { startEngineProcess } from '../engine/runtime/childProcess.ts'
import { progressPrinter } from './progressLine.ts'
import { SAMPLE_CLASSES } from '../engine/sample/sampleScene.ts'

const FOLDER = resolve('demo')
const MINUTES = 1.5

const started = performance.now()
const engine = startEngineProcess()
const line = progressPrinter(process.stderr)
const options = { onProgress: line.show }
const project = join(FOLDER, 'project')
try {
  await rm(join(FOLDER, 'images'), { recursive: true, force: true })
  await engine.call('sample', { out: FOLDER }, options)
  for (const part of [project, join(FOLDER, 'labels'), join(FOLDER, 'polygons')])
    await rm(part, { recursive: true, force: true })
  const settings = { ...DEFAULT_SETTINGS, classes: SAMPLE_CLASSES.length, minutes: MINUTES }
  const trained = await engine.call('train', { sources: [join(FOLDER, 'images')], project, settings }, options)
  const segmented = await engine.call('segment', { project }, options)
  const labels = await engine.call(
    'export',
    { project, format: 'geotiff', out: join(FOLDER, 'labels'), head: 'A' },
    options
  )
  const polygons = await engine.call(
    'export',
    {
      project,
      format: 'geopackage',
      out: join(FOLDER, 'polygons'),
      head: 'B',
      cleanUp: { sieve: { value: 60, unit: 'px' } }
    },
    options
  )
  const truth = join(FOLDER, 'truth')
  const over = await engine.call('evaluate', { project, truth, head: 'A', mapping: 'many-to-one' }, options)
  const direct = await engine.call('evaluate', { project, truth, head: 'B', mapping: 'hungarian' }, options)
  line.end()
  console.log(`
Smalti found clusters in ${segmented.images} generated aerial scenes, without labels.

  images          ${join(FOLDER, 'images')}
  labels          ${labels.out}     open them in QGIS together with the images: same place, colours and names
  polygons        ${join(polygons.out, 'labels.gpkg')}
  project         ${project}

  time            ${duration((performance.now() - started) / 1e3)}, ${trained.steps} training steps
  backend         ${trained.backend} (${trained.device})

  accuracy against the known classes (majority baseline ${over.majority.toFixed(2)}):
    ${settings.over} clusters, each matched to its most frequent class   ${over.accuracy.toFixed(3)}
    ${settings.classes} clusters, matched to classes one to one              ${direct.accuracy.toFixed(3)}
`)
} catch (fault) {
  line.end()
  console.error(asSmaltiError(fault).message)
  process.exitCode = 1
} finally {
  await engine.stop()
}
