/**
 * Accuracy of a preset on the shared data sets. `npm run bench -- quality [set] [preset] [minutes] [seeds] [changes]`
 * `changes` is JSON laid over the preset's recipe, for ablations: `{"lambda":{"A":1.5,"B":1}}`.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DEFAULT_SETTINGS, type TrainingSettings } from '../../src-main/contract/settings.ts'
import { evaluateJob } from '../../src-main/engine/jobs/evaluate.ts'
import { segmentJob } from '../../src-main/engine/jobs/segment.ts'
import { trainJob } from '../../src-main/engine/jobs/train.ts'

interface DataSet {
  folder: string
  scale: number
  classes: number
  over: number
  truthMap?: Record<string, number>
}
const SETS: Record<string, DataSet> = {
  dubai72: { folder: '../shared/data/dubai72', scale: 0.5, classes: 5, over: 20 },
  camvid: { folder: '../shared/data/camvid', scale: 0.5, classes: 3, over: 15, truthMap: { '0': 0, '5': 1, '3': 2, '4': 2 } }
}

const [set = 'dubai72', preset = 'quick', minutes = '', seeds = '3', changes = '{}'] = process.argv.slice(2)
const data = SETS[set]
if (!data || !existsSync(data.folder)) {
  console.log(`SKIPPED: the data set ${set} is not here`)
  process.exit(0)
}
const context = { signal: new AbortController().signal, onProgress: () => undefined, whenResumed: () => Promise.resolve() }
for (let seed = 1; seed <= Number(seeds); seed++) {
  const project = await mkdtemp(join(tmpdir(), 'tessera-quality-'))
  const settings: TrainingSettings = { ...DEFAULT_SETTINGS, preset: preset as 'quick', classes: data.classes, over: data.over, scale: data.scale, seed, backend: 'onnxruntime' }
  if (minutes.startsWith('s')) settings.steps = Number(minutes.slice(1))
  else if (minutes) settings.minutes = Number(minutes)
  settings.recipe = JSON.parse(changes) as TrainingSettings['recipe']
  const trained = await trainJob({ folder: resolve(data.folder, 'images'), project, settings }, context)
  await segmentJob({ project }, context)
  const measure = (head: 'A' | 'B', mapping: 'many-to-one' | 'hungarian') =>
    evaluateJob({ project, truth: resolve(data.folder, 'masks'), truthMap: data.truthMap, head, mapping }, context)
  const [a, b] = [await measure('A', 'many-to-one'), await measure('B', 'hungarian')]
  const information = (trained.report?.heads ?? []).map((head) => `${head.name} ${head.information.toFixed(3)}`).join(' ')
  const used = (trained.report?.heads ?? []).map((head) => head.masses.filter((mass) => mass > 0.005).length).join('/')
  console.log(
    `${set} ${preset} seed ${seed}: ${trained.steps} steps ${trained.seconds.toFixed(0)} s  A many-to-one ${a.accuracy.toFixed(4)}  B Hungarian ${b.accuracy.toFixed(4)} ` +
      `(majority ${a.majority.toFixed(2)})  ${information} nats, ${used} clusters used, waited ${(100 * (trained.report?.waitingShare ?? 0)).toFixed(1)} %  ${changes}`
  )
  await rm(project, { recursive: true })
}
process.exit(0)
