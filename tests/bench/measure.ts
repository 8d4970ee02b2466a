import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DEFAULT_SETTINGS, type TrainingSettings } from '../../src-main/contract/settings.ts'
import { evaluateJob } from '../../src-main/engine/jobs/evaluate.ts'
import { segmentJob } from '../../src-main/engine/jobs/segment.ts'
import { trainJob } from '../../src-main/engine/jobs/train.ts'

interface DataSet {
  folder: string
  masks: string
  scale: number
  classes: number
  over: number
  truthMap?: Record<string, number>
}

const at = (set: string): string => `../shared/data/${set}`
/** Sets by the names that tables use. The third is only watched: no recipe was chosen by it. */
export const SETS: Record<string, DataSet> = {
  dubai72: { folder: at('dubai72'), masks: 'masks', scale: 0.5, classes: 5, over: 20 },
  camvid: { folder: at('camvid'), masks: 'masks', scale: 0.5, classes: 3, over: 15, truthMap: { '0': 0, '5': 1, '3': 2, '4': 2 } },
  cocostuff3: { folder: at('cocostuff21'), masks: 'masks_stuff3', scale: 0.33, classes: 3, over: 15 }
}

export const isHere = (set: string): boolean => set in SETS && existsSync(SETS[set].folder)

export interface Result {
  /** Head A, each cluster given to the class it covers most. */
  manyToOne: number
  /** Head B, one cluster to one class. */
  hungarian: number
  majority: number
  steps: number
  seconds: number
  waitingShare: number
  /** Of head A in nats; absent where nothing was learnt. */
  information?: number
  clustersUsed: number
}

/** A folder with copies of every n-th image, or the images' own folder. */
async function part(images: string, every: number, copies: string): Promise<string> {
  if (every === 1) return images
  await mkdir(copies)
  const names = (await readdir(images)).sort().filter((_, i) => i % every === 0)
  await Promise.all(names.map((name) => copyFile(join(images, name), join(copies, name))))
  return copies
}

/** Clusters below this share of the pixels count as unused. */
const USED = 0.005

/** Trains, segments and evaluates once, in a temporary project; `every` so many images are scored. */
export async function measure(set: string, settings: Partial<TrainingSettings>, every = 1): Promise<Result> {
  const { folder, masks, scale, classes, over, truthMap } = SETS[set]
  const context = { signal: new AbortController().signal, onProgress: () => undefined, whenResumed: () => Promise.resolve() }
  const project = await mkdtemp(join(tmpdir(), 'tessera-quality-'))
  try {
    const all: TrainingSettings = { ...DEFAULT_SETTINGS, classes, over, scale, backend: 'onnxruntime', ...settings }
    const trained = await trainJob({ folder: resolve(folder, 'images'), project, settings: all }, context)
    await segmentJob({ project, images: await part(resolve(folder, 'images'), every, join(project, 'scored')) }, context)
    const score = (head: 'A' | 'B', mapping: 'many-to-one' | 'hungarian') => evaluateJob({ project, truth: resolve(folder, masks), truthMap, head, mapping }, context)
    const [a, b] = [await score('A', 'many-to-one'), await score('B', 'hungarian')]
    const head = trained.report?.heads[0]
    return {
      manyToOne: a.accuracy,
      hungarian: b.accuracy,
      majority: a.majority,
      steps: trained.steps,
      seconds: trained.seconds,
      waitingShare: trained.report?.waitingShare ?? 0,
      information: head?.information,
      clustersUsed: a.confusion.filter((row) => row.reduce((x, y) => x + y, 0) > USED * a.pixels).length
    }
  } finally {
    await rm(project, { recursive: true })
  }
}
