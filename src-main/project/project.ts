import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { clusterClass } from '../contract/commands.ts'
import { bandStatistics, catalogue } from '../contract/imagery.ts'
import { TesseraError, asTesseraError } from '../contract/errors.ts'
import { BACKEND_CHOICES, HEADS, trainingSettings, type HeadName } from '../contract/settings.ts'
import { architecture, trainingReport } from '../contract/training.ts'
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { makeFolder, readIfPresent, writeJsonSafely } from './files.ts'

/** Version of the format on disk. A newer one is refused, an older one is migrated when one exists. */
const FORMAT = 1
const PROJECT_FILE = 'project.json'

const projectFile = z.object({
  format: z.literal(FORMAT),
  /** Absolute folder of the images. */
  images: z.string(),
  /** Folder name below `runs/` of the run in use. */
  run: z.string().optional()
})

/** What a checkpoint says besides its weights: all that is needed to go on, or to segment. */
export const runMeta = z.object({
  settings: trainingSettings,
  backend: z.enum(BACKEND_CHOICES),
  catalogue: catalogue,
  statistics: bandStatistics,
  bands: z.int(),
  crop: z.int(),
  architecture: architecture,
  position: z.object({ step: z.int(), seconds: z.number(), rateFactor: z.number(), history: z.array(trainingReport) }),
  finished: z.boolean()
})
export type RunMeta = z.infer<typeof runMeta>

/** Whether a run has anything to segment with. */
export function isTrained({ position, finished }: Pick<RunMeta, 'position' | 'finished'>): boolean {
  return finished || position.step > 0
}

/** Of each head the sub-head that tells most, by the run's last report. */
export function chosenSubHeads({ architecture, position }: Pick<RunMeta, 'architecture' | 'position'>): Record<string, number> {
  const report = position.history.at(-1)
  const chosen = (name: string): number => report?.heads.find((head) => head.name === name)?.subHead ?? 0
  return Object.fromEntries(architecture.heads.map(({ name, mergedFrom }) => [name, chosen(mergedFrom ?? name)]))
}

export const labelIndex = z.object({
  format: z.literal(FORMAT),
  /** Step of the checkpoint that made the masks. */
  step: z.int(),
  folder: z.string(),
  images: z.array(z.object({ path: z.string(), width: z.int(), height: z.int(), masks: z.record(z.enum(HEADS), z.string()) })),
  skipped: z.array(z.object({ path: z.string(), reason: z.string() })),
  classes: z.record(z.enum(HEADS), z.array(clusterClass))
})
export type LabelIndex = z.infer<typeof labelIndex>

export interface Project {
  folder: string
  images: string
  run?: string
}

/** @throws ProjectNotFound, ProjectUnreadable, ProjectTooNew */
export async function openProject(folder: string): Promise<Project> {
  const found = await readJson(folder, join(folder, PROJECT_FILE), projectFile)
  if (!found) throw new TesseraError('ProjectNotFound', { path: folder })
  return { folder, images: found.images, run: found.run }
}

/** Opens the project at `folder`, or makes one there. @throws FolderNotWritable, DiskFull and what `openProject` throws */
export async function openOrCreateProject(folder: string, images: string): Promise<Project> {
  try {
    const project = await openProject(folder)
    return { ...project, images }
  } catch (fault) {
    if (!(fault instanceof TesseraError && fault.name === 'ProjectNotFound')) throw fault
  }
  const project: Project = { folder, images }
  await saveProject(project)
  return project
}

export async function saveProject({ folder, images, run }: Project): Promise<void> {
  await makeFolder(folder)
  await writeJsonSafely(join(folder, PROJECT_FILE), { format: FORMAT, images, run })
}

/** Starts a new run and makes it the project's current one. */
export async function startRun(project: Project): Promise<Project> {
  const runs = join(project.folder, 'runs')
  await makeFolder(runs)
  const numbers = (await readdir(runs)).map((name) => Number(/^run-(\d+)$/.exec(name)?.[1] ?? 0))
  const run = `run-${String(Math.max(0, ...numbers) + 1).padStart(4, '0')}`
  await makeFolder(join(runs, run))
  return { ...project, run }
}

function checkpointPath({ folder, run }: Project): string {
  return join(folder, 'runs', run ?? '', 'checkpoint.tessera')
}

export async function saveRun(project: Project, meta: RunMeta, arrays: Checkpoint['arrays']): Promise<void> {
  try {
    await writeCheckpoint(checkpointPath(project), { meta, arrays })
  } catch (fault) {
    throw asTesseraError(fault, project.folder)
  }
}

/** The current run's checkpoint, or undefined before the first one. @throws CheckpointUnreadable */
export async function loadRun(project: Project): Promise<{ meta: RunMeta; arrays: Checkpoint['arrays'] } | undefined> {
  if (project.run === undefined) return undefined
  const path = checkpointPath(project)
  const checkpoint = await readCheckpoint(path)
  if (!checkpoint) return undefined
  const meta = runMeta.safeParse(checkpoint.meta)
  if (!meta.success) throw new TesseraError('CheckpointUnreadable', { path, reason: z.prettifyError(meta.error) })
  return { meta: meta.data, arrays: checkpoint.arrays }
}

export function labelFolder({ folder, run }: Project): string {
  return join(folder, 'runs', run ?? '', 'labels')
}

export async function saveLabelIndex(project: Project, index: Omit<LabelIndex, 'format'>): Promise<void> {
  await writeJsonSafely(labelIndexPath(project), { format: FORMAT, ...index })
}

export async function loadLabelIndex(project: Project): Promise<LabelIndex | undefined> {
  return readJson(project.folder, labelIndexPath(project), labelIndex)
}

/** When the label index was written, in milliseconds; undefined where there is none. */
export async function labelsChanged(project: Project): Promise<number | undefined> {
  return (await stat(labelIndexPath(project)).catch(() => undefined))?.mtimeMs
}

const labelIndexPath = (project: Project): string => join(labelFolder(project), 'labels.json')

/** Path below the label folder of an image's mask. */
export function maskPath(head: HeadName, image: string): string {
  return `${head}/${image}.png`
}

async function readJson<T>(folder: string, path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const bytes = await readIfPresent(path)
  if (!bytes) return undefined
  let content: unknown
  try {
    content = JSON.parse(bytes.toString())
  } catch (fault) {
    throw new TesseraError('ProjectUnreadable', { path: folder, reason: (fault as Error).message })
  }
  const format = z.object({ format: z.number() }).safeParse(content)
  if (format.success && format.data.format > FORMAT) throw new TesseraError('ProjectTooNew', { path: folder, found: format.data.format, known: FORMAT })
  const parsed = schema.safeParse(content)
  if (!parsed.success) throw new TesseraError('ProjectUnreadable', { path: folder, reason: z.prettifyError(parsed.error) })
  return parsed.data
}
