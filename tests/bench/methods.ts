/**
 * Fills the tables of `docs/history/methods.md`: `npm run bench -- methods [minutes] [seeds] [pixels|images|views]`.
 * Every method trains for the same minutes on every data set. Results are kept in `out/methods.jsonl` and not measured
 * again; delete the file to start over.
 */
import { existsSync } from 'node:fs'
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import type { GroupMethod, RecipeChanges } from '../../src-main/contract/recipe.ts'
import type { TrainingSettings } from '../../src-main/contract/settings.ts'
import { imageFeatures, readGallery } from '../../src-main/engine/features/imageFeatures.ts'
import { groupsOf } from '../../src-main/engine/jobs/group.ts'
import { onnxruntimeBackend } from '../../src-main/backends/onnxruntime.ts'
import { dependency } from '../../src-main/learning/diagnostics.ts'
import { uniformFrom } from '../../src-main/learning/random.ts'
import { emptyConfusion, score } from '../../src-main/evaluation/scores.ts'
import { SETS, isHere, measure } from './measure.ts'
import { linearProbe, neighbourProbe } from './probes.ts'

const [minutes = '1', seeds = '1', part = ''] = process.argv.slice(2)
const KEPT = 'out/methods.jsonl'
const PAGE = 'docs/history/methods.md'
/** Every n-th image is scored. */
const EVERY = 2

const INFOMAX = {
  alpha: 0,
  beta: 1,
  gamma: 0,
  estimator: 'infonce',
  scores: 'dot',
  coordinates: 0,
  occlusion: 0
} as const
const PIXELS: { name: string; settings: Partial<TrainingSettings>; learns: boolean }[] = [
  { name: 'untrained network', settings: { method: 'random-cnn' }, learns: false },
  { name: 'untrained network *', settings: { method: 'random-cnn-kmeans' }, learns: false },
  { name: 'k-means on bands', settings: { method: 'kmeans-bands' }, learns: false },
  { name: 'SIFT *', settings: { method: 'sift' }, learns: false },
  { name: 'k-means on patch statistics', settings: { preset: 'preview' }, learns: false },
  { name: 'context (Doersch 2015) *', settings: { method: 'context' }, learns: true },
  { name: 'co-occurrence (Isola 2015) *', settings: { method: 'co-occurrence' }, learns: true },
  {
    name: 'Deep InfoMax, local *',
    settings: { method: 'deep-infomax', recipe: { deepInfomax: INFOMAX } },
    learns: true
  },
  {
    name: 'Deep InfoMax, local and prior *',
    settings: { method: 'deep-infomax', recipe: { deepInfomax: { ...INFOMAX, gamma: 0.1 } } },
    learns: true
  },
  {
    name: 'Deep InfoMax, global *',
    settings: { method: 'deep-infomax', recipe: { deepInfomax: { ...INFOMAX, alpha: 1, beta: 0 } } },
    learns: true
  },
  { name: 'exemplars (Dosovitskiy 2016) *', settings: { method: 'exemplar' }, learns: true },
  { name: 'DAC', settings: { method: 'adaptive' }, learns: true },
  { name: 'DEC', settings: { method: 'embedded' }, learns: true },
  {
    name: 'IID, 2018 text, 4 pairs',
    settings: { preset: 'paper-2018', recipe: { pairs: 4, rate: 1e-4 } },
    learns: true
  },
  { name: 'IIC, 2019 code, 12 pairs', settings: { preset: 'iic-2019', recipe: { pairs: 12 } }, learns: true },
  { name: 'IID as `quick`', settings: {}, learns: true },
  {
    name: 'IID as `quick`, begun by Deep InfoMax',
    settings: { recipe: { pretrain: { method: 'deep-infomax', share: 0.3 } } },
    learns: true
  }
]
/** Most features for which the linear probe is solved in a moment. */
const WIDEST = 1024
const CIFAR = '../shared/data/cifar10/images'
const IMAGES: { name: string; method: GroupMethod; changes?: Omit<RecipeChanges, 'views'> }[] = [
  { name: 'pixels', method: 'kmeans-pixels' },
  { name: 'untrained network, IID’s', method: 'random-cnn' },
  { name: 'untrained network, Deep InfoMax’s', method: 'random-cnn', changes: { layers: '64s2,128s2,256', width: 1 } },
  { name: 'Deep InfoMax, global', method: 'deep-infomax', changes: { deepInfomax: { ...INFOMAX, alpha: 1, beta: 0 } } },
  { name: 'Deep InfoMax, local, noise contrast', method: 'deep-infomax', changes: { deepInfomax: INFOMAX } },
  {
    name: 'Deep InfoMax, local, Jensen and Shannon',
    method: 'deep-infomax',
    changes: { deepInfomax: { ...INFOMAX, estimator: 'jsd' } }
  },
  {
    name: 'Deep InfoMax, local, Donsker and Varadhan',
    method: 'deep-infomax',
    changes: { deepInfomax: { ...INFOMAX, estimator: 'dv' } }
  },
  {
    name: 'Deep InfoMax, local and prior',
    method: 'deep-infomax',
    changes: { deepInfomax: { ...INFOMAX, gamma: 0.1 } }
  },
  { name: 'exemplars', method: 'exemplar' },
  { name: 'DAC', method: 'adaptive' },
  { name: 'IID', method: 'information' }
]

/** IID as `quick`, with harder views. */
const VIEWS: { name: string; views: RecipeChanges['views'] }[] = [
  { name: 'views of `quick`', views: undefined },
  { name: 'and random deformations', views: { deformation: { strength: 2, smoothness: 12 } } },
  { name: 'and Wasserstein noise', views: { wasserstein: { epsilon: 2, eta: 4 } } },
  { name: 'and the Sinkhorn attack', views: { sinkhorn: { epsilon: 2, steps: 5 } } },
  { name: 'and ADef', views: { adef: { steps: 10 } } },
  { name: 'and Algorithm 1', views: { adef: { steps: 10 }, wasserstein: { epsilon: 4, eta: 4 } } }
]
const VIEW_SETS = ['dubai72', 'camvid', 'cocostuff3']

interface Kept {
  key: string
  name: string
  set: string
  /** Figures by column. */
  figures: Record<string, number>
}
const kept = new Map(
  (await readFile(KEPT, 'utf8').catch(() => ''))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Kept)
    .map((entry) => [entry.key, entry])
)

async function once(
  set: string,
  name: string,
  seed: number,
  work: () => Promise<Record<string, number>>
): Promise<void> {
  const key = JSON.stringify([set, name, seed, Number(minutes)])
  if (kept.has(key)) return
  const entry: Kept = { key, name, set, figures: await work() }
  kept.set(key, entry)
  await appendFile(KEPT, `${JSON.stringify(entry)}\n`)
  await writeTables()
  console.log(
    `${set}, seed ${seed}, ${name}: ${Object.entries(entry.figures)
      .map(([column, value]) => `${column} ${value.toFixed(3)}`)
      .join(', ')}`
  )
}

async function wholeImages(
  method: GroupMethod,
  changes: Omit<RecipeChanges, 'views'> | undefined,
  seed: number
): Promise<Record<string, number>> {
  const context = {
    signal: new AbortController().signal,
    onProgress: () => undefined,
    whenResumed: () => Promise.resolve()
  }
  const gallery = await readGallery([CIFAR], 10, context)
  const { points, global, steps } = await imageFeatures(
    gallery,
    { method, groups: 10, seed, minutes: Number(minutes), backend: 'onnxruntime', changes },
    context
  )
  const names = [...new Set(gallery.images.map(({ path }) => path.split('/')[0]))].sort()
  const labels = gallery.images.map(({ path }) => names.indexOf(path.split('/')[0]))
  const confusion = emptyConfusion(10, 10)
  groupsOf(points, { groups: 10, seed, method }).forEach(({ group }, i) => confusion[group][labels[i]]++)
  const { accuracy, nmi, ari } = score(confusion, 'hungarian')
  return {
    ...(points.width <= WIDEST && { linear: linearProbe(points, labels) }),
    neighbours: neighbourProbe(points, labels),
    groups: accuracy,
    NMI: nmi,
    ARI: ari,
    steps,
    ...(global && { NDM: await dependency(onnxruntimeBackend(), global, uniformFrom(seed), context.signal) })
  }
}

/** Rows are methods, columns figures, averaged over seeds. */
function tableOf(rows: readonly string[], columns: readonly { set: string; figure: string; title: string }[]): string {
  const cell = (name: string, set: string, figure: string): string => {
    const values = [...kept.values()]
      .filter(
        (entry) =>
          entry.name === name && entry.set === set && (JSON.parse(entry.key) as unknown[])[3] === Number(minutes)
      )
      .flatMap(({ figures }) => figures[figure] ?? [])
    return values.length === 0 ? '–' : (values.reduce((a, b) => a + b) / values.length).toFixed(3)
  }
  return [
    `| | ${columns.map(({ title }) => title).join(' | ')} |`,
    `|---|${columns.map(() => '---').join('|')}|`,
    ...rows.map((name) => `| ${name} | ${columns.map(({ set, figure }) => cell(name, set, figure)).join(' | ')} |`)
  ].join('\n')
}

/** Writes the results so far, for the requested parts. */
async function writeTables(): Promise<void> {
  const pixelRows = PIXELS.map(({ name }) => name)
  const sets = Object.keys(SETS).filter((set) =>
    [...kept.values()].some((entry) => entry.set === set && pixelRows.includes(entry.name))
  )
  const majority = (set: string): string =>
    [...kept.values()].find((entry) => entry.set === set)!.figures.majority.toFixed(2)
  const tables = [
    ...(['images', 'views'].includes(part)
      ? []
      : [
          [
            'accuracy',
            tableOf(
              pixelRows,
              sets.flatMap((set) => [
                { set, figure: 'accuracy', title: `${set} (largest class ${majority(set)}) B` },
                { set, figure: 'many', title: 'A +' }
              ])
            )
          ],
          [
            'agreement',
            tableOf(
              pixelRows,
              sets.flatMap((set) => [
                { set, figure: 'NMI', title: `${set} NMI` },
                { set, figure: 'ARI', title: 'ARI' }
              ])
            )
          ]
        ]),
    ...(['images', 'pixels'].includes(part)
      ? []
      : [
          [
            'views',
            tableOf(
              VIEWS.map(({ name }) => name),
              VIEW_SETS.flatMap((set) => [
                { set, figure: 'accuracy', title: `${set} B` },
                { set, figure: 'many', title: 'A +' },
                { set, figure: 'steps', title: 'steps' }
              ])
            )
          ]
        ]),
    ...(['pixels', 'views'].includes(part)
      ? []
      : [
          [
            'images',
            tableOf(
              IMAGES.map(({ name }) => name),
              ['linear', 'neighbours', 'groups', 'NMI', 'ARI', 'NDM'].map((figure) => ({
                set: 'cifar10',
                figure,
                title: figure
              }))
            )
          ]
        ])
  ]
  const machine = `${minutes} ${minutes === '1' ? 'minute' : 'minutes'} of training each, ${seeds} ${seeds === '1' ? 'seed' : 'seeds'}, on ${availableParallelism()} × ${cpus()[0].model.trim()}, ${new Date().toISOString().slice(0, 10)}.`
  const placed = (text: string, name: string, content: string): string =>
    text.replace(
      new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- end of ${name} -->)`),
      (_, open: string, close: string) => `${open}${machine}\n\n${content}\n${close}`
    )
  await writeFile(
    PAGE,
    tables.reduce((text, [name, content]) => placed(text, name, content), await readFile(PAGE, 'utf8'))
  )
}

await mkdir('out', { recursive: true })
await writeTables()
for (let seed = 1; seed <= Number(seeds); seed++) {
  if (!['pixels', 'views'].includes(part) && existsSync(CIFAR))
    for (const { name, method, changes } of IMAGES)
      await once('cifar10', name, seed, () => wholeImages(method, changes, seed))
  const pixels = async (set: string, name: string, settings: Partial<TrainingSettings>): Promise<void> =>
    once(set, name, seed, async () => {
      const { manyToOne, hungarian, nmi, ari, majority, steps } = await measure(set, { seed, ...settings }, EVERY)
      return { many: manyToOne, accuracy: hungarian, NMI: nmi, ARI: ari, majority, steps }
    })
  for (const set of ['images', 'views'].includes(part) ? [] : Object.keys(SETS).filter(isHere)) {
    for (const { name, settings, learns } of PIXELS)
      await pixels(set, name, { ...settings, ...(learns && { minutes: Number(minutes) }) })
  }
  for (const set of ['images', 'pixels'].includes(part) ? [] : VIEW_SETS.filter(isHere)) {
    for (const { name, views } of VIEWS) await pixels(set, name, { minutes: Number(minutes), recipe: { views } })
  }
}
process.exit(0)
