import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Progress } from '../../src-main/contract/engine/progress.ts'
import { DEFAULT_SETTINGS, type TrainingSettings } from '../../src-main/contract/settings.ts'
import { evaluateJob } from '../../src-main/engine/jobs/evaluate.ts'
import { segmentJob } from '../../src-main/engine/jobs/segment.ts'
import { trainJob } from '../../src-main/engine/jobs/train.ts'
import { SmaltiError } from '../../src-main/contract/errors.ts'
import { WORTH_GOING_BACK } from '../../src-main/learning/trainer.ts'
import { loadRun, openProject, saveRun } from '../../src-main/project/project.ts'

interface DataSet {
  folder: string
  masks: string
  scale: number
  classes: number
  over: number
  truthMap?: Record<string, number>
}

const at = (set: string): string => `../shared/data/${set}`
/** Data sets by the names that tables use. The third is only observed: no recipe was chosen on it. */
export const SETS: Record<string, DataSet> = {
  dubai72: { folder: at('dubai72'), masks: 'masks', scale: 0.5, classes: 5, over: 20 },
  camvid: {
    folder: at('camvid'),
    masks: 'masks',
    scale: 0.5,
    classes: 3,
    over: 15,
    truthMap: { '0': 0, '5': 1, '3': 2, '4': 2 }
  },
  cocostuff3: { folder: at('cocostuff21'), masks: 'masks_stuff3', scale: 0.33, classes: 3, over: 15 },
  'camvid-11': { folder: at('camvid'), masks: 'masks', scale: 0.5, classes: 11, over: 33 },
  'cocostuff-15': { folder: at('cocostuff21'), masks: 'masks', scale: 0.33, classes: 15, over: 45 }
}

export const isHere = (set: string): boolean => set in SETS && existsSync(SETS[set].folder)

export interface Result {
  /** Accuracy of head A, with each cluster matched to its most frequent true class. */
  manyToOne: number
  /** Accuracy of head B, with clusters and classes matched one to one. */
  hungarian: number
  majority: number
  /** Normalised mutual information of head B, and then its adjusted Rand index. */
  nmi: number
  ari: number
  /** Error rate of head A within 5 pixels of a true boundary. */
  boundaryErrors: number
  /** Best accuracies after 1, 2 … decisions; absent without a tree. */
  curve?: number[]
  steps: number
  seconds: number
  waitingShare: number
  /** Information of head A, in nats; absent where nothing was learnt. */
  information?: number
  clustersUsed: number
}

/** Returns a folder with copies of every n-th image, or the images' own folder. */
async function part(images: string, every: number, copies: string): Promise<string> {
  if (every === 1) return images
  await mkdir(copies)
  const names = (await readdir(images)).sort().filter((_, i) => i % every === 0)
  await Promise.all(names.map((name) => copyFile(join(images, name), join(copies, name))))
  return copies
}

/** Clusters below this share of the pixels count as unused. */
const USED = 0.005

type Trained = Awaited<ReturnType<typeof trainJob>>
type Scores = Awaited<ReturnType<typeof evaluateJob>>

/** A run on a data set, in its own project. */
interface Trial {
  project: string
  /** Trains to the end, or resumes until the given step has been reported. */
  train(until?: number): Promise<Trained | undefined>
  /** Segments with the project's newest checkpoint. */
  segment(): Promise<void>
  score(head: 'A' | 'B', mapping: 'many-to-one' | 'hungarian', curve?: boolean): Promise<Scores>
}

/**
 * Runs `work` on a run that is removed afterwards.
 * @param every  score every n-th image
 */
async function withTrial<T>(
  set: string,
  settings: Partial<TrainingSettings>,
  every: number,
  work: (trial: Trial) => Promise<T>
): Promise<T> {
  const { folder, masks, scale, classes, over, truthMap } = SETS[set]
  const context = {
    signal: new AbortController().signal,
    onProgress: () => undefined,
    whenResumed: () => Promise.resolve()
  }
  const project = await mkdtemp(join(tmpdir(), 'smalti-quality-'))
  const all: TrainingSettings = { ...DEFAULT_SETTINGS, classes, over, scale, backend: 'onnxruntime', ...settings }
  const images = resolve(folder, 'images')
  try {
    const scored = await part(images, every, join(project, 'scored'))
    return await work({
      project,
      async train(until = Infinity) {
        const stop = new AbortController()
        const onProgress = ({ report }: Progress): void => void (report && report.step >= until && stop.abort())
        try {
          return await trainJob(
            { sources: [images], project, settings: all },
            { ...context, signal: stop.signal, onProgress }
          )
        } catch (fault) {
          if (fault instanceof SmaltiError && fault.name === 'Cancelled') return undefined
          throw fault
        }
      },
      async segment() {
        await segmentJob({ project, images: [scored] }, context)
      },
      score: (head, mapping, curve) =>
        evaluateJob(
          {
            project,
            what: 'classes',
            images: [scored],
            truth: resolve(folder, masks),
            truthMap,
            head,
            mapping,
            curve,
            boundary: BOUNDARY
          },
          context
        )
    })
  } finally {
    await rm(project, { recursive: true })
  }
}

const BOUNDARY = 5
const hasTree = async (project: string): Promise<boolean> =>
  (await loadRun(await openProject(project)))!.meta.tree !== undefined

/** Trains, segments and evaluates once, scoring every n-th image. */
export function measure(set: string, settings: Partial<TrainingSettings>, every = 1): Promise<Result> {
  return withTrial(set, settings, every, async ({ project, train, segment, score }) => {
    const { steps, seconds, report } = (await train())!
    await segment()
    const [a, b] = [await score('A', 'many-to-one', await hasTree(project)), await score('B', 'hungarian')]
    return {
      manyToOne: a.accuracy,
      hungarian: b.accuracy,
      majority: a.majority,
      nmi: b.nmi,
      ari: b.ari,
      boundaryErrors: a.boundary!.errorRate,
      curve: a.curve,
      steps,
      seconds,
      waitingShare: report?.waitingShare ?? 0,
      information: report?.heads[0].information,
      clustersUsed: a.confusion.filter((row) => row.reduce((x, y) => x + y, 0) > USED * a.pixels).length
    }
  })
}

/** Accuracies of head A, many-to-one, among which a choice was made without labels. */
export interface Choice {
  taken: number
  all: number[]
}

/** Measures the learnt weights after some steps of one run, each as if it had been stopped there, and at the end. */
export function measureCheckpoints(
  set: string,
  settings: Partial<TrainingSettings>,
  steps: readonly number[],
  every: number
): Promise<Choice> {
  return withTrial(set, settings, every, async ({ project, train, segment, score }) => {
    const found: { information: number; accuracy: number }[] = []
    for (const step of [...steps, Infinity]) {
      await train(step)
      await segment()
      const { meta } = (await loadRun(await openProject(project)))!
      found.push({
        information: meta.position.history.at(-1)!.heads[0].information,
        accuracy: (await score('A', 'many-to-one')).accuracy
      })
    }
    const last = found[found.length - 1]
    const most = found.reduce((best, checkpoint) => (checkpoint.information > best.information ? checkpoint : best))
    return {
      taken: (most.information > WORTH_GOING_BACK * last.information ? most : last).accuracy,
      all: found.map(({ accuracy }) => accuracy)
    }
  })
}

/** Measures the sub-heads of head A of one run. */
export function measureSubHeads(set: string, settings: Partial<TrainingSettings>, every: number): Promise<Choice> {
  return withTrial(set, settings, every, async ({ project, train, segment, score }) => {
    await train()
    const opened = await openProject(project)
    const { meta, arrays } = (await loadRun(opened))!
    const report = meta.position.history.at(-1)!
    const [chosen, { subHeads }] = [report.heads[0].subHead, meta.architecture.heads[0]]
    const all: number[] = []
    for (let subHead = 0; subHead < subHeads; subHead++) {
      report.heads[0].subHead = subHead
      await saveRun(opened, meta, arrays)
      await segment()
      all.push((await score('A', 'many-to-one')).accuracy)
    }
    return { taken: all[chosen], all }
  })
}
