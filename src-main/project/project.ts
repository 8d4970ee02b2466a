import { existsSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import {
  type BandRole,
  type Catalogue,
  area,
  bandChoice,
  bandStatistics,
  catalogue,
  catalogueImage
} from '../contract/imagery.ts'
import { clusterMap, clusterTree } from '../contract/classes.ts'
import { SmaltiError, asSmaltiError } from '../contract/errors.ts'
import { BACKEND_CHOICES, trainingSettings } from '../contract/settings.ts'
import { architecture, trainingReport, upright } from '../contract/training.ts'
import { type Checkpoint, checkpointNotes, readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import {
  makeFolder,
  pathBelow,
  pathText,
  readIfPresent,
  temporaryName,
  writeFileSafely,
  writeJsonSafely
} from './files.ts'

/** Version of the format on disk. Newer versions are rejected; older ones are converted when they are read. */
const FORMAT = 2
const PROJECT_FILE = 'project.json'

/** Matches the names of run folders. */
export const RUN = /^run-(\d+)$/
const runName = z.string().regex(RUN, "isn't a run")

const projectFile = z.union([
  z.object({
    format: z.literal(FORMAT),
    /** Absolute folders and files of the images, and addresses. */
    sources: z.array(pathText).min(1),
    /** Name of the current run's folder in `runs/`. */
    run: runName.optional()
  }),
  z
    .object({ format: z.literal(1), images: pathText, run: runName.optional() })
    .transform(({ images, run }) => ({ format: FORMAT, sources: [images], run }))
])

/** A checkpoint's metadata and the run's catalogue: all that resuming or segmenting needs, except weights. */
export const runMeta = z.object({
  settings: trainingSettings,
  backend: z.enum(BACKEND_CHOICES),
  catalogue: catalogue.extend({ images: z.array(catalogueImage.extend({ path: pathBelow, file: pathText })) }),
  statistics: bandStatistics,
  bands: bandChoice,
  area: area.optional(),
  crop: z.int(),
  architecture: architecture,
  upright: upright.optional(),
  /** The tree of head A's clusters, once they are final. */
  tree: clusterTree.optional(),
  map: clusterMap.optional(),
  position: z.object({ step: z.int(), seconds: z.number(), rateFactor: z.number(), history: z.array(trainingReport) }),
  /** State of the training besides its weights, see `TrainingMemory`. */
  memory: z
    .object({ bestInformation: z.number(), risen: z.object({ information: z.number(), progress: z.number() }) })
    .optional(),
  finished: z.boolean()
})
export type RunMeta = z.infer<typeof runMeta>

const oldCatalogue = z.object({
  folder: z.string(),
  images: z.array(z.object({ path: z.string(), width: z.int(), height: z.int(), bands: z.int() })),
  skipped: z.array(z.unknown())
})

/** Converts a checkpoint's metadata to the current format. Format 1 counted bands and named one folder. */
function upToDate(notes: unknown): unknown {
  const meta = notes as { bands?: unknown; catalogue?: unknown }
  if (typeof meta.bands !== 'number') return notes
  const roles = (count: number): BandRole[] => (count === 1 ? ['grey'] : ['red', 'green', 'blue'])
  const old = oldCatalogue.parse(meta.catalogue)
  const images = old.images.map(({ bands, ...image }) => ({
    ...image,
    file: join(old.folder, image.path),
    bands: roles(bands),
    type: 'uint8'
  }))
  return {
    ...meta,
    bands: { roles: roles(meta.bands) },
    catalogue: { sources: [old.folder], images, skipped: old.skipped }
  }
}

/** Whether a run is trained enough to segment with. */
export function isTrained({ position, finished }: { position: { step: number }; finished: boolean }): boolean {
  return finished || position.step > 0
}

/** Returns each head's best sub-head, according to the run's last report. */
export function chosenSubHeads({
  architecture,
  position
}: Pick<RunMeta, 'architecture' | 'position'>): Record<string, number> {
  const report = position.history.at(-1)
  const chosen = (name: string): number => report?.heads.find((head) => head.name === name)?.subHead ?? 0
  return Object.fromEntries(architecture.heads.map(({ name, mergedFrom }) => [name, chosen(mergedFrom ?? name)]))
}

/** An open project: its folder, its images and its current run. */
export interface Project {
  folder: string
  sources: string[]
  run?: string
}

/** Opens a project. @throws ProjectNotFound, ProjectUnreadable, ProjectTooNew */
export async function openProject(folder: string, run?: string): Promise<Project> {
  const found = await readJson(folder, join(folder, PROJECT_FILE), projectFile)
  if (!found) throw new SmaltiError('ProjectNotFound', { path: folder })
  if (run !== undefined && !(RUN.test(run) && existsSync(join(folder, 'runs', run))))
    throw new SmaltiError('InvalidSetting', { setting: 'run', reason: `the project has no run ${run}` })
  return { folder, sources: found.sources, run: run ?? found.run }
}

/**
 * Opens the project at `folder`, or creates one there.
 * @throws FolderNotWritable, DiskFull and whatever `openProject` throws
 */
export async function openOrCreateProject(folder: string, sources: readonly string[]): Promise<Project> {
  try {
    const project = await openProject(folder)
    return { ...project, sources: [...sources] }
  } catch (fault) {
    if (!(fault instanceof SmaltiError && fault.name === 'ProjectNotFound')) throw fault
  }
  const project: Project = { folder, sources: [...sources] }
  await makeFolder(folder)
  await saveProject(project)
  return project
}

/**
 * Saves a project. A file in an older format is kept next to the new one, so that older versions can still open it.
 * @throws DiskFull, FolderNotWritable
 */
export async function saveProject({ folder, sources, run }: Project): Promise<void> {
  const former = await readIfPresent(join(folder, PROJECT_FILE))
  const { format } = former ? formatOf(former) : { format: FORMAT }
  if (former && format < FORMAT) await writeFileSafely(join(folder, `project.format-${format}.json`), former)
  await writeJsonSafely(join(folder, PROJECT_FILE), { format: FORMAT, sources, run })
}

/** Reads a file's format. Files without one count as the current format. */
function formatOf(bytes: Buffer): { format: number } {
  try {
    return z.object({ format: z.int() }).parse(JSON.parse(bytes.toString()))
  } catch {
    return { format: FORMAT }
  }
}

/** A file that marks a run as untrained. */
const UNLEARNT = 'unlearnt'

/** Removes runs that were cancelled before their first checkpoint. */
export async function removeUnlearnt({ folder }: Project): Promise<void> {
  const { run: current } = await openProject(folder)
  for (const run of await readdir(join(folder, 'runs')).catch(() => [])) {
    if (RUN.test(run) && run !== current && existsSync(join(folder, 'runs', run, UNLEARNT)))
      await rm(join(folder, 'runs', run), { recursive: true, force: true })
  }
}

/** Makes a trained run the project's current one. @throws DiskFull, FolderNotWritable */
export async function adoptRun(project: Project): Promise<void> {
  await rm(join(runFolder(project), UNLEARNT), { force: true })
  await saveProject(project)
}

/** Starts a new run, which becomes the project's current one when it is adopted. @throws DiskFull, FolderNotWritable */
export async function startRun(project: Project): Promise<Project> {
  const runs = join(project.folder, 'runs')
  await makeFolder(runs)
  const numbers = (await readdir(runs)).map((name) => Number(RUN.exec(name)?.[1] ?? 0))
  const run = `run-${String(Math.max(0, ...numbers) + 1).padStart(4, '0')}`
  // Create the run with its marker in one step, so that it is recognised as untrained however this process ends.
  const begun = temporaryName(join(runs, run))
  await makeFolder(begun)
  await writeFileSafely(join(begun, UNLEARNT), '')
  await rename(begun, join(runs, run))
  return { ...project, run }
}

export function runFolder({ folder, run }: Project): string {
  return join(folder, 'runs', run ?? '')
}

/** Returns the folder of tiled copies of images that can't be read in parts. It may be deleted at any time. */
export function copiesFolder({ folder }: Project): string {
  return join(folder, 'cache')
}

export const checkpointPath = (project: Project): string => join(runFolder(project), 'checkpoint.smalti')
/** The name that Tessera, as Smalti was first called, gave to checkpoints. */
const formerCheckpointPath = (project: Project): string => join(runFolder(project), 'checkpoint.tessera')
const cataloguePath = (project: Project): string => join(runFolder(project), 'catalogue.json')

/**
 * Saves the images that a run is trained on. They are saved once because the list may be long and checkpoints are many.
 */
export async function saveCatalogue(project: Project, images: Catalogue): Promise<void> {
  await writeJsonSafely(cataloguePath(project), images)
}

export async function saveRun(project: Project, meta: RunMeta, arrays: Checkpoint['arrays']): Promise<void> {
  const notes: Partial<RunMeta> = { ...meta, catalogue: undefined }
  try {
    await writeCheckpoint(checkpointPath(project), { meta: notes, arrays })
  } catch (fault) {
    throw asSmaltiError(fault, project.folder)
  }
}

/**
 * Checks that the project still exists, before a missing file is taken to mean anything.
 * @throws ProjectNotFound when the project, or its drive, is gone
 */
async function stillThere(folder: string): Promise<void> {
  if (!(await readIfPresent(join(folder, PROJECT_FILE)))) throw new SmaltiError('ProjectNotFound', { path: folder })
}

/**
 * Loads a run's checkpoint metadata without its weights and catalogue, or returns undefined before the first
 * checkpoint.
 * @throws Error when it is damaged
 */
export async function loadRunNotes(project: Project): Promise<unknown> {
  const notes =
    (await checkpointNotes(checkpointPath(project))) ?? (await checkpointNotes(formerCheckpointPath(project)))
  if (!notes) await stillThere(project.folder)
  return notes && upToDate(notes)
}

/** Loads the current run's checkpoint, or returns undefined before the first one. @throws CheckpointUnreadable */
export async function loadRun(project: Project): Promise<{ meta: RunMeta; arrays: Checkpoint['arrays'] } | undefined> {
  if (project.run === undefined) return undefined
  const path = checkpointPath(project)
  const checkpoint = (await readCheckpoint(path)) ?? (await readCheckpoint(formerCheckpointPath(project)))
  if (!checkpoint) {
    await stillThere(project.folder)
    return undefined
  }
  const images = await readIfPresent(cataloguePath(project))
  try {
    const notes = checkpoint.meta as object
    const meta = runMeta.parse(
      upToDate(images ? { ...notes, catalogue: JSON.parse(images.toString()) as unknown } : notes)
    )
    return { meta, arrays: checkpoint.arrays }
  } catch (fault) {
    throw new SmaltiError('CheckpointUnreadable', {
      path,
      reason: fault instanceof z.ZodError ? z.prettifyError(fault) : (fault as Error).message
    })
  }
}

/**
 * Loads the current run's checkpoint for segmentation.
 * @throws NothingTrained when there is nothing to segment with, CheckpointUnreadable
 */
export async function loadTrainedRun(project: Project): Promise<{ meta: RunMeta; arrays: Checkpoint['arrays'] }> {
  const loaded = await loadRun(project)
  if (!loaded || !isTrained(loaded.meta)) throw new SmaltiError('NothingTrained', { path: project.folder })
  return loaded
}

/**
 * Reads a file and validates it, or returns undefined if there is no such file.
 * @throws ProjectUnreadable, ProjectTooNew
 */
export async function readJson<T>(folder: string, path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const bytes = await readIfPresent(path)
  if (!bytes) {
    if (path !== join(folder, PROJECT_FILE)) await stillThere(folder)
    return undefined
  }
  let content: unknown
  try {
    content = JSON.parse(bytes.toString())
  } catch (fault) {
    throw new SmaltiError('ProjectUnreadable', { path: folder, reason: (fault as Error).message })
  }
  const format = z.object({ format: z.number() }).safeParse(content)
  if (format.success && format.data.format > FORMAT)
    throw new SmaltiError('ProjectTooNew', { path: folder, found: format.data.format, known: FORMAT })
  const parsed = schema.safeParse(content)
  if (!parsed.success)
    throw new SmaltiError('ProjectUnreadable', { path: folder, reason: z.prettifyError(parsed.error) })
  return parsed.data
}
