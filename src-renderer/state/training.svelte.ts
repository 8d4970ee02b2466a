import { requirementOf } from '../../src-main/contract/words/validation.ts'
import { z } from 'zod'
import type { WatchedPicture } from '../../src-main/contract/engine/progress.ts'
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
import { recipe as recipeWords } from '../words/recipe.ts'
import { training as words } from '../words/training.ts'

const NAMES: Partial<Record<keyof TrainingSettings, string>> = words.fields

const TIMES_KEY = 'smalti.times'
/** The settings of the next training, and the state of a running one. */
class Training {
  settings = $state<TrainingSettings>({ ...DEFAULT_SETTINGS })
  /** What is wrong with the recipe overrides as they were typed. */
  recipeFault = $state<string>()
  /** Reports of the running training. */
  #live = $state.raw<TrainingReport[]>()

  /** The clusters of the running training on a watched image. */
  watched = $state.raw<WatchedPicture>()

  readonly history = $derived(this.#live ?? project.state?.history ?? [])
  /** What is wrong with each invalid field. */
  readonly faults = $derived(faultsOf(this.settings))
  readonly ready = $derived(this.recipeFault === undefined && Object.keys(this.faults).length === 0)
  /** Whether training would continue an unfinished run with the same settings. */
  readonly goesOn = $derived(project.trained && !project.finished && sameRun(this.settings, project.state?.settings))

  /** The area of interest on an image, in its pixels. */
  areaOn = $state.raw<{ file: string; rings: [number, number][][] }>()
  /** Why the area can't be shown on the image in the viewer. */
  areaFault = $state<string>()

  /** Finds the area of interest on an image. */
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

  /** Adds an outline, in image pixels, to the area of interest. */
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

  /** Starts or ends drawing an area of interest, on the image shown or the first one with a known location. */
  drawArea(): void {
    const placed = this.placed
    if (!placed.some(({ path }) => path === view.shown)) view.show(placed[0]?.path)
    painting.tool = painting.tool === 'area' ? 'pan' : 'area'
  }
  /** Images on which an area can be drawn. */
  readonly placed = $derived((project.catalogue?.images ?? []).filter(({ placed }) => placed))

  /** The preset's recipe without overrides. */
  presetRecipe = $state.raw<Recipe>()
  async readPreset(): Promise<void> {
    const { preset, method } = this.settings
    const found = await run('recipe', { preset, method })
    if (preset === this.settings.preset && method === this.settings.method) this.presetRecipe = found
  }

  /** Overrides a setting of the preset's recipe, or resets it. */
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

  /** Adopts the settings of the opened project. */
  adopt(): void {
    this.settings = { ...DEFAULT_SETTINGS, ...project.state?.settings }
    this.recipeFault = undefined
  }

  /** Adopts recipe overrides given as JSON, or sets `recipeFault` if they are invalid. */
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
          .map((issue) => `${issue.path.join('.')} ${requirementOf(issue)}`.trim())
          .join('; ')
    } catch (fault) {
      this.recipeFault = recipeWords.invalidJson((fault as Error).message)
    }
  }

  /** Seconds that the last run of each preset took on this computer, if it ran to its end. */
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

  /** Methods to compare. */
  tried = $state.raw<readonly Method[]>([])

  /** Trains and segments with one method after the other, each in its own run, until one is stopped or fails. */
  async trySeveral(): Promise<void> {
    const before = this.settings.method
    for (const method of this.tried) {
      this.settings.method = method
      if (!(await this.train()) || !(await labels.segment())) break
    }
    this.settings.method = before
  }

  /** @returns whether training finished */
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
      const { method, steps, images, backend } = trained
      jobs.notice = {
        text: isLearnt(method) ? words.trained(steps, images, backend) : words.clustered(images, method, backend)
      }
    })
    this.watched = undefined
    await project.refresh()
    this.#live = undefined
    return ended
  }
}

const isLearnt = (method: Method): boolean => (LEARNT_METHODS as readonly string[]).includes(method)

/** Says what is wrong with each invalid field. */
function faultsOf(settings: TrainingSettings): Record<string, string> {
  const faults: Record<string, string> = {}
  const parsed = trainingSettings.safeParse(settings)
  for (const issue of parsed.error?.issues ?? []) {
    const field = String(issue.path[0])
    const { minimum, maximum } = issue as { minimum?: number; maximum?: number }
    const name = NAMES[field as keyof TrainingSettings] ?? field
    faults[field] ??=
      issue.code === 'too_small'
        ? words.atLeast(name, minimum!)
        : issue.code === 'too_big'
          ? words.atMost(name, maximum!)
          : words.notANumber(name)
  }
  if (!faults.classes && !faults.over && settings.classes > settings.over)
    faults.classes = words.tooManyClasses(settings.over)
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
