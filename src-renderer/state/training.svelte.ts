import { z } from 'zod'
import type { WatchedPicture } from '../../src-main/contract/commands.ts'
import { asSmaltiError } from '../../src-main/contract/errors.ts'
import type { CatalogueImage } from '../../src-main/contract/imagery.ts'
import {
  LEARNT_METHODS,
  type Method,
  type Recipe,
  type RecipeChanges,
  recipeChanges
} from '../../src-main/contract/recipe.ts'
import { DEFAULT_SETTINGS, type TrainingSettings, trainingSettings } from '../../src-main/contract/settings.ts'
import type { TrainingReport } from '../../src-main/contract/training.ts'
import { run } from '../engine.ts'
import { jobs } from './jobs.svelte.ts'
import { withValue } from './recipeFields.ts'
import { keep, kept } from './kept.ts'
import { labels } from './labels.svelte.ts'
import { painting } from './painting.svelte.ts'
import { project } from './project.svelte.ts'
import { view } from './view.svelte.ts'

const NAMES: Partial<Record<keyof TrainingSettings, string>> = {
  classes: 'Classes',
  over: 'Over-clusters',
  minutes: 'Minutes',
  steps: 'Steps',
  seed: 'Seed',
  scale: 'Image scale',
  bands: 'Bands',
  gsd: 'Metres a pixel'
}

const TIMES_KEY = 'smalti.times'
/** What the next training is to be, and how one goes. */
class Training {
  settings = $state<TrainingSettings>({ ...DEFAULT_SETTINGS })
  /** What is wrong with the changes to the recipe, as they were typed. */
  recipeFault = $state<string>()
  /** Of the training that runs; that of the project otherwise. */
  #live = $state.raw<TrainingReport[]>()

  /** Of the training that runs: its clusters on a picture by now. */
  watched = $state.raw<WatchedPicture>()

  readonly history = $derived(this.#live ?? project.state?.history ?? [])
  /** What is wrong with each field. */
  readonly faults = $derived(faultsOf(this.settings))
  readonly ready = $derived(this.recipeFault === undefined && Object.keys(this.faults).length === 0)
  /** An unfinished run of these very settings goes on. */
  readonly goesOn = $derived(project.trained && !project.finished && sameRun(this.settings, project.state?.settings))

  /** The area of interest on an image, in its pixels. */
  areaOn = $state.raw<{ file: string; rings: [number, number][][] }>()
  /** Why it cannot be shown on the image that is looked at. */
  areaFault = $state<string>()

  /** Looks where the area of interest lies on an image. */
  async findArea(image: CatalogueImage | undefined): Promise<void> {
    const { area } = this.settings
    const { folder, sources } = project
    this.areaFault = undefined
    if (area === undefined) this.areaOn = undefined
    if (area === undefined || image === undefined || folder === undefined) return
    try {
      const { rings } = await run('area', { file: image.file, area, project: folder, sources: [...sources] })
      if (area === this.settings.area) this.areaOn = { file: image.file, rings }
    } catch (fault) {
      this.areaFault = asSmaltiError(fault).message
    }
  }

  /** Adds an outline, in an image's pixels, to the area of interest. */
  async addToArea(file: string, ring: [number, number][]): Promise<void> {
    const { folder, sources } = project
    if (folder === undefined) return
    try {
      const { area, rings } = await run('area', {
        file,
        area: this.settings.area,
        add: ring,
        project: folder,
        sources: [...sources]
      })
      this.areaOn = { file, rings }
      this.settings.area = area
    } catch (fault) {
      jobs.complain(fault)
    }
  }

  /** Lets an area of interest be drawn on the picture that is shown, or on the first whose place is known. */
  drawArea(): void {
    const placed = this.placed
    if (!placed.some(({ path }) => path === view.shown)) view.show(placed[0]?.path)
    painting.tool = painting.tool === 'area' ? 'pan' : 'area'
  }
  /** Images on which an area can be drawn. */
  readonly placed = $derived((project.catalogue?.images ?? []).filter(({ placed }) => placed))

  /** What the preset comes to without changes. */
  presetRecipe = $state.raw<Recipe>()
  async readPreset(): Promise<void> {
    const { preset, method } = this.settings
    const found = await run('recipe', { preset, method })
    if (preset === this.settings.preset && method === this.settings.method) this.presetRecipe = found
  }

  /** Changes one part of the preset's recipe, or leaves it as the preset has it. */
  setRecipe(path: readonly string[], value: number | boolean | undefined): void {
    if (!this.presetRecipe) return
    const changed = withValue(
      $state.snapshot(this.settings.recipe) as RecipeChanges | undefined,
      this.presetRecipe,
      path,
      value
    )
    this.changeRecipe(changed ? JSON.stringify(changed) : '')
  }

  /** Takes over the settings of the project that was opened. */
  adopt(): void {
    this.settings = { ...DEFAULT_SETTINGS, ...project.state?.settings }
    this.recipeFault = undefined
  }

  /** Takes over changes to the recipe, given as JSON, if they can be read, and says what is wrong if they cannot. */
  changeRecipe(text: string): void {
    this.recipeFault = undefined
    if (text.trim() === '') {
      this.settings.recipe = undefined
      return
    }
    try {
      const parsed = recipeChanges.safeParse(JSON.parse(text))
      if (parsed.success) this.settings.recipe = parsed.data
      else
        this.recipeFault = parsed.error.issues
          .map(({ path, message }) => `${path.join('.')} ${message}`.trim())
          .join('; ')
    } catch (fault) {
      this.recipeFault = (fault as Error).message
    }
  }

  /** Seconds that each preset took on this machine the last time, of trainings that nobody cut short. */
  #times = $state<Partial<Record<string, number>>>(kept(TIMES_KEY, z.record(z.string(), z.number())) ?? {})
  readonly lastTime = $derived(
    this.settings.minutes === undefined && this.settings.steps === undefined
      ? this.#times[this.settings.preset]
      : undefined
  )
  #noteTime(seconds: number): void {
    const { minutes, steps, preset } = this.settings
    if (minutes !== undefined || steps !== undefined) return
    this.#times[preset] = seconds
    keep(TIMES_KEY, this.#times)
  }

  /** Methods that are tried one after the other. */
  tried = $state.raw<readonly Method[]>([])

  /** Trains and segments by one method after the other, each in a run of its own, until one is stopped or fails. */
  async trySeveral(): Promise<void> {
    const before = this.settings.method
    for (const method of this.tried) {
      this.settings.method = method
      if (!(await this.train()) || !(await labels.segment())) break
    }
    this.settings.method = before
  }

  /** @returns whether it came to its end */
  async train(): Promise<boolean> {
    const { sources, folder } = project
    if (sources.length === 0 || folder === undefined) return false
    const ended = await jobs.perform('train', async (signal, onProgress) => {
      this.#live = this.goesOn ? this.history : []
      const trained = await run(
        'train',
        {
          sources: [...sources],
          project: folder,
          settings: this.settings,
          watch: view.shown ?? view.last ?? project.catalogue?.images[0]?.path
        },
        {
          signal,
          onProgress: (progress) => {
            onProgress(progress)
            if (progress.skipped) project.passOver(progress.skipped)
            if (progress.watched) this.watched = progress.watched
            if (progress.report) this.#live = [...(this.#live ?? []), progress.report]
          }
        }
      )
      for (const file of trained.skipped) project.passOver(file)
      if (trained.resumedFrom === 0) this.#noteTime(trained.seconds)
      const done = isLearnt(trained.method) ? `Trained ${trained.steps} steps on` : `Clustered by ${trained.method}:`
      jobs.notice = { text: `${done} ${trained.images} images with ${trained.backend}.` }
    })
    this.watched = undefined
    await project.refresh()
    this.#live = undefined
    return ended
  }
}

const isLearnt = (method: Method): boolean => (LEARNT_METHODS as readonly string[]).includes(method)

/** Words for what a field lacks. */
function faultsOf(settings: TrainingSettings): Record<string, string> {
  const faults: Record<string, string> = {}
  const parsed = trainingSettings.safeParse(settings)
  for (const issue of parsed.error?.issues ?? []) {
    const field = String(issue.path[0])
    const { minimum, maximum } = issue as { minimum?: number; maximum?: number }
    const name = NAMES[field as keyof TrainingSettings] ?? field
    faults[field] ??=
      issue.code === 'too_small'
        ? `${name}: at least ${minimum}.`
        : issue.code === 'too_big'
          ? `${name}: at most ${maximum}.`
          : `${name}: a number is needed.`
  }
  if (!faults.classes && !faults.over && settings.classes > settings.over)
    faults.classes = `No more classes than over-clusters (${settings.over}): they are made of them.`
  return faults
}

const DECISIVE = [
  'classes',
  'over',
  'preset',
  'method',
  'features',
  'recipe',
  'seed',
  'scale',
  'gsd',
  'bands',
  'page',
  'area',
  'upright'
] as const

function sameRun(settings: TrainingSettings, former: TrainingSettings | undefined): boolean {
  return (
    former !== undefined && DECISIVE.every((part) => JSON.stringify(settings[part]) === JSON.stringify(former[part]))
  )
}

export const training = new Training()
