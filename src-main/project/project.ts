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

/** Version of the format on disk. A newer one is refused, an older one is read as what it means today. */
const FORMAT = 2
const PROJECT_FILE = 'project.json'

export const RUN = /^run-(\d+)$/
const runName = z.string().regex(RUN, 'is no run')

const projectFile = z.union([
  z.object({
    format: z.literal(FORMAT),
    /** Absolute folders and files of the images, and addresses. */
    sources: z.array(pathText).min(1),
    /** Folder name below `runs/` of the run in use. */
    run: runName.optional()
  }),
  z
    .object({ format: z.literal(1), images: pathText, run: runName.optional() })
    .transform(({ images, run }) => ({ format: FORMAT, sources: [images], run }))
])

/** What a checkpoint says besides its weights, and the run's catalogue: all that is needed to go on, or to segment. */
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
  /** Of head A's clusters, once they are settled. */
  tree: clusterTree.optional(),
  map: clusterMap.optional(),
  position: z.object({ step: z.int(), seconds: z.number(), rateFactor: z.number(), history: z.array(trainingReport) }),
  /** What training remembers besides its weights, see `TrainingMemory`. */
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

/** A checkpoint's notes as they are today. Those of format 1 counted bands and named one folder. */
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

/** Whether a run has anything to segment with. */
export function isTrained({ position, finished }: { position: { step: number }; finished: boolean }): boolean {
  return finished || position.step > 0
}

/** Of each head the sub-head that tells most, by the run's last report. */
export function chosenSubHeads({
  architecture,
  position
}: Pick<RunMeta, 'architecture' | 'position'>): Record<string, number> {
  const report = position.history.at(-1)
  const chosen = (name: string): number => report?.heads.find((head) => head.name === name)?.subHead ?? 0
  return Object.fromEntries(architecture.heads.map(({ name, mergedFrom }) => [name, chosen(mergedFrom ?? name)]))
}

export interface Project {
  folder: string
  sources: string[]
  run?: string
}

/** @throws ProjectNotFound, ProjectUnreadable, ProjectTooNew */
export async function openProject(folder: string, run?: string): Promise<Project> {
  const found = await readJson(folder, join(folder, PROJECT_FILE), projectFile)
  if (!found) throw new SmaltiError('ProjectNotFound', { path: folder })
  if (run !== undefined && !(RUN.test(run) && existsSync(join(folder, 'runs', run))))
    throw new SmaltiError('InvalidSetting', { setting: 'run', reason: `the project has none called ${run}` })
  return { folder, sources: found.sources, run: run ?? found.run }
}

/** Opens the project at `folder`, or makes one there. @throws FolderNotWritable, DiskFull and what `openProject` throws */
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

/** The file of an older format is kept beside the new one, once: the program that wrote it still opens that. @throws DiskFull, FolderNotWritable */
export async function saveProject({ folder, sources, run }: Project): Promise<void> {
  const former = await readIfPresent(join(folder, PROJECT_FILE))
  const { format } = former ? formatOf(former) : { format: FORMAT }
  if (former && format < FORMAT) await writeFileSafely(join(folder, `project.format-${format}.json`), former)
  await writeJsonSafely(join(folder, PROJECT_FILE), { format: FORMAT, sources, run })
}

/** One that cannot be read counts as today's. */
function formatOf(bytes: Buffer): { format: number } {
  try {
    return z.object({ format: z.int() }).parse(JSON.parse(bytes.toString()))
  } catch {
    return { format: FORMAT }
  }
}

/** Lies in a run until it has learnt something. */
const UNLEARNT = 'unlearnt'

/** Removes runs that were stopped before they learnt anything. */
export async function removeUnlearnt({ folder }: Project): Promise<void> {
  const { run: current } = await openProject(folder)
  for (const run of await readdir(join(folder, 'runs')).catch(() => [])) {
    if (RUN.test(run) && run !== current && existsSync(join(folder, 'runs', run, UNLEARNT)))
      await rm(join(folder, 'runs', run), { recursive: true, force: true })
  }
}

/** Makes a run that has learnt something the project's own. @throws DiskFull, FolderNotWritable */
export async function adoptRun(project: Project): Promise<void> {
  await rm(join(runFolder(project), UNLEARNT), { force: true })
  await saveProject(project)
}

/** Starts a new run, which is the project's own once it is adopted. @throws DiskFull, FolderNotWritable */
export async function startRun(project: Project): Promise<Project> {
  const runs = join(project.folder, 'runs')
  await makeFolder(runs)
  const numbers = (await readdir(runs)).map((name) => Number(RUN.exec(name)?.[1] ?? 0))
  const run = `run-${String(Math.max(0, ...numbers) + 1).padStart(4, '0')}`
  // With its mark from the first moment on: whatever ends this process, the next one knows it for what it is.
  const begun = temporaryName(join(runs, run))
  await makeFolder(begun)
  await writeFileSafely(join(begun, UNLEARNT), '')
  await rename(begun, join(runs, run))
  return { ...project, run }
}

export function runFolder({ folder, run }: Project): string {
  return join(folder, 'runs', run ?? '')
}

/** Tiled copies of images that cannot be read in parts; they may be deleted at any time. */
export function copiesFolder({ folder }: Project): string {
  return join(folder, 'cache')
}

export const checkpointPath = (project: Project): string => join(runFolder(project), 'checkpoint.smalti')
/** From when the program was called Tessera. */
const formerCheckpointPath = (project: Project): string => join(runFolder(project), 'checkpoint.tessera')
const cataloguePath = (project: Project): string => join(runFolder(project), 'catalogue.json')

/** Writes what a run learns from, once: it may be long, and checkpoints are many. */
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

/** What is missing of a project says something only while the project itself is there. @throws ProjectNotFound when it, or its drive, has gone since it was opened */
async function stillThere(folder: string): Promise<void> {
  if (!(await readIfPresent(join(folder, PROJECT_FILE)))) throw new SmaltiError('ProjectNotFound', { path: folder })
}

/** What a run's checkpoint says besides its weights and its catalogue, neither of which is read; undefined before the first one. @throws Error when it is damaged */
export async function loadRunNotes(project: Project): Promise<unknown> {
  const notes =
    (await checkpointNotes(checkpointPath(project))) ?? (await checkpointNotes(formerCheckpointPath(project)))
  if (!notes) await stillThere(project.folder)
  return notes && upToDate(notes)
}

/** The current run's checkpoint, or undefined before the first one. @throws CheckpointUnreadable */
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

/** The current run's checkpoint. @throws NothingTrained when there is nothing to segment with, CheckpointUnreadable */
export async function loadTrainedRun(project: Project): Promise<{ meta: RunMeta; arrays: Checkpoint['arrays'] }> {
  const loaded = await loadRun(project)
  if (!loaded || !isTrained(loaded.meta)) throw new SmaltiError('NothingTrained', { path: project.folder })
  return loaded
}

/** A file's content after its schema, or undefined where there is no file. @throws ProjectUnreadable, ProjectTooNew */
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
