import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type Diagnosis, type RunSummary, diagnosis } from '../contract/runs.ts'
import { SmaltiError } from '../contract/errors.ts'
import { trainingSettings } from '../contract/settings.ts'
import { trainingReport } from '../contract/training.ts'
import { writeJsonSafely } from './files.ts'
import { labelSetOf, loadLabelIndex } from './labelSets.ts'
import {
  type Project,
  RUN,
  checkpointPath,
  isTrained,
  loadRunNotes,
  readJson,
  runFolder,
  saveProject
} from './project.ts'

/** The name that a user gave to a run. */
const runFile = z.object({ format: z.literal(2), name: z.string() })
const runFilePath = (project: Project): string => join(runFolder(project), 'run.json')

/** Returns the path of the quality evaluation of a run. */
const diagnosisPath = (project: Project): string => join(runFolder(project), 'diagnosis.json')

/** Saves a quality evaluation. @throws DiskFull, FolderNotWritable */
export const saveDiagnosis = (project: Project, found: Diagnosis): Promise<void> =>
  writeJsonSafely(diagnosisPath(project), { format: 2, ...found })

/** Loads the quality evaluation of a run, if it was made after the same number of steps. */
async function loadDiagnosis(project: Project, steps: number): Promise<Diagnosis | undefined> {
  const found = await readJson(project.folder, diagnosisPath(project), diagnosis)
  return found?.steps === steps ? found : undefined
}

/** The part of a checkpoint's metadata that a list of runs shows. */
const notes = z.object({
  settings: trainingSettings,
  position: z.object({ step: z.int(), seconds: z.number(), history: z.array(trainingReport) }),
  finished: z.boolean()
})

/**
 * Lists the trained runs of a project, newest first; damaged ones are left out.
 * @throws ProjectUnreadable, ProjectTooNew
 */
export async function listRuns(project: Project): Promise<RunSummary[]> {
  const names = (await readdir(join(project.folder, 'runs')).catch(() => []))
    .filter((name) => RUN.test(name))
    .sort()
    .reverse()
  const summaries: RunSummary[] = []
  for (const run of names) {
    const own = { ...project, run }
    const found = notes.safeParse(await loadRunNotes(own).catch(() => undefined))
    if (!found.success || !isTrained(found.data)) continue
    const {
      settings,
      position: { step, seconds, history },
      finished
    } = found.data
    const head = history.at(-1)?.heads[0]
    const index = await loadLabelIndex(own, labelSetOf(own))
    summaries.push({
      run,
      name: (await readJson(project.folder, runFilePath(own), runFile))?.name ?? run,
      preset: settings.preset,
      method: settings.features ? 'features' : settings.method,
      classes: settings.classes,
      over: settings.over,
      seed: settings.seed,
      steps: step,
      seconds,
      finished,
      information: head?.information,
      ceiling: head?.ceiling,
      diagnosis: await loadDiagnosis(own, step),
      labelled: index?.images.length ?? 0,
      changed: (await stat(checkpointPath(own)).catch(() => stat(runFolder(own)))).mtimeMs
    })
  }
  return summaries
}

const named = (runs: readonly RunSummary[], run: string): RunSummary => {
  const found = runs.find((entry) => entry.run === run)
  if (!found)
    throw new SmaltiError('InvalidSetting', {
      setting: 'run',
      reason: `the project has no run ${run}; it has ${runs.map((entry) => entry.run).join(', ')}`
    })
  return found
}

/** Makes an earlier run the project's current one. @throws InvalidSetting, DiskFull, FolderNotWritable */
export async function useRun(project: Project, run: string): Promise<Project> {
  named(await listRuns(project), run)
  const changed = { ...project, run }
  await saveProject(changed)
  return changed
}

/** Renames a run. @throws InvalidSetting, DiskFull, FolderNotWritable */
export async function renameRun(project: Project, run: string, name: string): Promise<void> {
  named(await listRuns(project), run)
  await writeJsonSafely(runFilePath({ ...project, run }), { format: 2, name })
}
