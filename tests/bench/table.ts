/**
 * Fills the tables of `docs/history/quality.md`: `npm run bench -- table [compare|ablate|choose]`. Results are kept in
 * `out/quality.jsonl` and `out/choices.jsonl` and not measured again, so a table can be finished in several sittings.
 * Delete the files to start over.
 */
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import type { RecipeChanges } from '../../src-main/contract/recipe.ts'
import type { TrainingSettings } from '../../src-main/contract/settings.ts'
import { type Choice, type Result, SETS, isHere, measure, measureCheckpoints, measureSubHeads } from './measure.ts'

interface Entry {
  name: string
  settings: Partial<TrainingSettings>
  seeds: number
  sets?: string[]
}

const KEPT = 'out/quality.jsonl'
const KEPT_CHOICES = 'out/choices.jsonl'
const PAGE = 'docs/history/quality.md'
const SEEDS = 3
/** For the second table, every n-th image is segmented and scored. */
const EVERY = 3
/** The data sets on which recipes were chosen. */
const AIMED = ['dubai72', 'camvid']

const COLD: RecipeChanges = { statistics: [], warmStart: 0 }

/** Alternatives that a user could run, with unchanged presets. */
const COMPARED: Entry[] = [
  { name: 'k-means on bands', settings: { method: 'kmeans-bands' }, seeds: SEEDS, sets: AIMED },
  { name: 'k-means on patch statistics (`preview`)', settings: { preset: 'preview' }, seeds: SEEDS },
  { name: 'untrained network', settings: { method: 'random-cnn' }, seeds: 1, sets: AIMED },
  { name: 'k-means on an untrained network', settings: { method: 'random-cnn-kmeans' }, seeds: SEEDS, sets: AIMED },
  { name: '`quick`', settings: { steps: 600 }, seeds: SEEDS },
  { name: '`balanced`', settings: { preset: 'balanced', steps: 800 }, seeds: SEEDS, sets: AIMED },
  {
    name: '`quick` from sharper clusters (`warmStart` 2)',
    settings: { steps: 600, recipe: { warmStart: 2 } },
    seeds: 2
  },
  { name: 'the same with 10 pairs', settings: { steps: 600, recipe: { pairs: 10, warmStart: 2 } }, seeds: 1 },
  {
    name: 'the same with 20 pairs, 300 steps',
    settings: { steps: 300, recipe: { pairs: 20, warmStart: 2 } },
    seeds: 1,
    sets: AIMED
  },
  { name: '`quick` from random clusters, without statistics', settings: { steps: 600, recipe: COLD }, seeds: 2 },
  {
    name: 'random, with 20 pairs, 300 steps',
    settings: { steps: 300, recipe: { pairs: 20, ...COLD } },
    seeds: 2,
    sets: AIMED
  },
  {
    name: 'random, with 20 pairs, 800 steps',
    settings: { steps: 800, recipe: { pairs: 20, ...COLD } },
    seeds: SEEDS,
    sets: AIMED
  },
  {
    name: 'random, with 100 pairs, 800 steps',
    settings: { steps: 800, recipe: { pairs: 100, ...COLD } },
    seeds: 1,
    sets: ['dubai72']
  },
  {
    name: 'random, with 24 pairs, 1600 steps',
    settings: { steps: 1600, recipe: { pairs: 24, ...COLD } },
    seeds: 1,
    sets: ['dubai72']
  },
  { name: 'random, with 5 pairs, 3300 steps', settings: { steps: 3300, recipe: COLD }, seeds: 1, sets: ['dubai72'] },
  {
    name: '`iic-2019` with 12 pairs, 2 min',
    settings: { preset: 'iic-2019', minutes: 2, recipe: { pairs: 12 } },
    seeds: 1,
    sets: AIMED
  },
  {
    name: '`iic-2019` with 12 pairs, 7 min',
    settings: { preset: 'iic-2019', minutes: 7, recipe: { pairs: 12 } },
    seeds: 1,
    sets: AIMED
  }
]

/** `quick` cut short, with one part changed at a time. */
const ABLATED: Entry[] = (
  [
    ['`quick`', {}],
    ['head A not refitted', { refit: null }],
    ['refitted without statistics', { refit: { boxes: [9, 21, 45], share: 0 } }],
    ['head B trained, not merged', { headB: 'trained' }],
    ['no colour changes', { views: { jitter: { brightness: 0, contrast: 0, saturation: 0, hue: 0 } } }],
    ['no flips', { views: { flips: { rows: false, columns: false } } }],
    ['no displacements (T = 0)', { radius: 0 }],
    ['25 displacements, one by one', { objective: 'perDisplacement', displacements: 25 }],
    ['all 441 displacements, one by one', { objective: 'perDisplacement' }],
    ['λ = 1 in head A', { lambda: { A: 1, B: 1 } }],
    ['clusters that begin at random', { warmStart: 0 }],
    ['the same, without statistics as input', COLD]
  ] satisfies [string, RecipeChanges][]
).map(([name, recipe]) => ({ name, settings: { steps: 120, recipe }, seeds: 2, sets: AIMED }))

/** Choices within one run: `quick` itself, and with several sub-heads. */
const CHOSEN: { name: string; choose(set: string, seed: number): Promise<Choice> }[] = [
  {
    name: 'checkpoints',
    choose: (set, seed) => measureCheckpoints(set, { seed, steps: 600 }, [100, 200, 300, 400, 500], EVERY)
  },
  {
    name: 'sub-heads',
    choose: (set, seed) => measureSubHeads(set, { seed, steps: 600, recipe: { subHeads: 5, refit: null } }, EVERY)
  }
]

type Kept = Result & { key: string }
type KeptChoice = Choice & { key: string }

async function keptIn<T extends { key: string }>(file: string): Promise<Map<string, T>> {
  const lines = await readFile(file, 'utf8').catch(() => '')
  return new Map(
    lines
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as T)
      .map((result) => [result.key, result])
  )
}

const keyOf = (set: string, seed: number, settings: Partial<TrainingSettings>): string =>
  JSON.stringify([set, seed, settings])

const choiceKey = (set: string, seed: number, name: string): string => JSON.stringify([set, seed, name])

async function fill(entries: readonly Entry[], kept: Map<string, Kept>, every = 1): Promise<void> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const { name, settings, seeds, sets = ['dubai72', 'camvid', 'cocostuff3'] } of entries) {
      for (const set of sets) {
        const key = keyOf(set, seed, settings)
        if (seed > seeds || kept.has(key) || !isHere(set)) continue
        const result = { key, ...(await measure(set, { seed, ...settings }, every)) }
        kept.set(key, result)
        await appendFile(KEPT, `${JSON.stringify(result)}\n`)
        console.log(
          `${set}, seed ${seed}, ${name}: ${result.manyToOne.toFixed(4)} / ${result.hungarian.toFixed(4)}, ${result.steps} steps, ${result.seconds.toFixed(0)} s`
        )
      }
    }
  }
}

async function choose(kept: Map<string, KeptChoice>): Promise<void> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const { name, choose } of CHOSEN) {
      for (const set of AIMED) {
        const key = choiceKey(set, seed, name)
        if (kept.has(key) || !isHere(set)) continue
        const choice = { key, ...(await choose(set, seed)) }
        kept.set(key, choice)
        await appendFile(KEPT_CHOICES, `${JSON.stringify(choice)}\n`)
        console.log(
          `${set}, seed ${seed}, ${name}: took ${choice.taken.toFixed(4)} of ${choice.all.map((accuracy) => accuracy.toFixed(4)).join(' ')}`
        )
      }
    }
  }
}

/** Returns the known results of a recipe on a data set, one per seed. */
function resultsOf(set: string, { settings }: Entry, kept: Map<string, Kept>): Kept[] {
  return Array.from({ length: SEEDS }, (_, i) => kept.get(keyOf(set, i + 1, settings))).filter(
    (result) => result !== undefined
  )
}

/** Mean and, for several seeds, half the distance from the lowest to the highest. */
function summary(values: number[]): string {
  if (values.length === 0) return '–'
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  const spread = (Math.max(...values) - Math.min(...values)) / 2
  return values.length === 1 ? mean.toFixed(3) : `${mean.toFixed(3)} ± ${spread.toFixed(3)}`
}

function table(entries: readonly Entry[], sets: readonly string[], kept: Map<string, Kept>): string {
  const majority = (set: string): string => {
    const found = [...kept.values()].find(({ key }) => (JSON.parse(key) as [string])[0] === set)
    return found ? found.majority.toFixed(2) : '?'
  }
  const head = sets.flatMap((set) => [`${set} A (largest class ${majority(set)})`, `${set} B`])
  const rows = entries.map((entry) => {
    const cells = sets.flatMap((set) => {
      const found = resultsOf(set, entry, kept)
      return [summary(found.map(({ manyToOne }) => manyToOne)), summary(found.map(({ hungarian }) => hungarian))]
    })
    return `| ${entry.name} | ${cells.join(' | ')} |`
  })
  return [`| | ${head.join(' | ')} |`, `|---|${head.map(() => '---').join('|')}|`, ...rows].join('\n')
}

const choiceRow = (name: string, { taken, all }: Choice): string =>
  `| ${name} | ${all.length} | ${[taken, Math.max(...all), Math.min(...all)].map((value) => value.toFixed(3)).join(' | ')} |`

/** For choices made by information: their gain or loss compared with choosing by labels. */
function choices(entries: readonly Entry[], kept: Map<string, Kept>, within: Map<string, KeptChoice>): string {
  const amongSeeds = entries.flatMap((entry) =>
    Object.keys(SETS).flatMap((set) => {
      const seeds = resultsOf(set, entry, kept).filter(({ information }) => information !== undefined)
      if (seeds.length < 2) return []
      const told = seeds.reduce((best, seed) => (seed.information! > best.information! ? seed : best))
      return [
        choiceRow(`seeds of ${entry.name}, ${set}`, {
          taken: told.manyToOne,
          all: seeds.map(({ manyToOne }) => manyToOne)
        })
      ]
    })
  )
  const withinOne = CHOSEN.flatMap(({ name }) =>
    AIMED.flatMap((set) =>
      Array.from({ length: SEEDS }, (_, i) => within.get(choiceKey(set, i + 1, name))).flatMap((choice, i) =>
        choice ? [choiceRow(`${name}, ${set}, seed ${i + 1}`, choice)] : []
      )
    )
  )
  return [
    '| among | how many | the one taken | best by labels | worst |',
    '|---|---|---|---|---|',
    ...amongSeeds,
    ...withinOne
  ].join('\n')
}

const wanted = process.argv.slice(2)
const asks = (part: string): boolean => wanted.length === 0 || wanted.includes(part)
await mkdir('out', { recursive: true })
const kept = await keptIn<Kept>(KEPT)
const within = await keptIn<KeptChoice>(KEPT_CHOICES)
if (asks('compare')) await fill(COMPARED, kept)
if (asks('ablate')) await fill(ABLATED, kept, EVERY)
if (asks('choose')) await choose(within)
const page = await readFile(PAGE, 'utf8')
/** Replaces the content between a table's marks and keeps the page's text. */
const placed = (text: string, name: string, content: string): string =>
  text.replace(
    new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- end of ${name} -->)`),
    (_, open: string, close: string) => `${open}${content}\n${close}`
  )
const machine = `Measured on ${availableParallelism()} × ${cpus()[0].model.trim()}, CPU only, on ${new Date().toISOString().slice(0, 10)}.`
const filled = [
  ['compare', `${machine}\n\n${table(COMPARED, Object.keys(SETS), kept)}`],
  ['choice', choices(COMPARED, kept, within)],
  ['ablate', `${machine}\n\n${table(ABLATED, AIMED, kept)}`]
].reduce((text, [name, content]) => placed(text, name, content), page)
await writeFile(PAGE, filled)
process.exit(0)
